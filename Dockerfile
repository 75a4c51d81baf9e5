# The images, one target each: service, service-gpu, training, monitoring, monitoring-training.
#
#   k8s/images/build.sh service training monitoring      # or: docker build --target service .
#
# Each is a trimmed root, an environment of locked files (k8s/images/*.lock: versions and hashes), and
# plumbline itself, in layers of that order, so that a change of the source moves a few megabytes.
# BentoML's own image builder is not used: it would set BENTOML_CONTAINERIZED, under which dead workers are
# not replaced.
ARG BASE=python:3.11-slim

FROM ${BASE} AS trimmed
COPY k8s/images/trim.sh /tmp/trim.sh
RUN sh /tmp/trim.sh

# --- what is installed ----------------------------------------------------------------------------
# pip stands outside of the environment that it fills. An index or a wheelhouse of one's own comes in
# through pip's own variables.
FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_INDEX_URL=${PIP_INDEX_URL} PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_FIND_LINKS=${PIP_FIND_LINKS} \
    PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_DEPS=1
COPY k8s/images/build.lock /build/
RUN python3.11 -m venv /opt/build \
  && python3.11 -m venv --without-pip /opt/plumbline \
  && /opt/build/bin/pip install --require-hashes --requirement /build/build.lock
ENV PATH=/opt/build/bin:$PATH
ENV INSTALL="pip --python /opt/plumbline/bin/python install --only-binary :all: --require-hashes"
ENV TRY="/opt/plumbline/bin/python -c"
ENV PRUNE="python /build/prune.py /opt/plumbline/lib/python3.11/site-packages"

FROM build AS service-packages
COPY k8s/images/service.lock k8s/images/prune.py /build/
RUN ${INSTALL} --requirement /build/service.lock && ${PRUNE} service

FROM build AS service-gpu-packages
COPY k8s/images/service-gpu.lock k8s/images/prune.py /build/
RUN ${INSTALL} --requirement /build/service-gpu.lock && ${PRUNE} service

FROM build AS monitoring-packages
COPY k8s/images/monitoring.lock k8s/images/prune.py /build/
RUN ${INSTALL} --requirement /build/monitoring.lock && ${PRUNE} \
  && ${TRY} "import evidently.presets, lightkube, onnxruntime, pandas, scipy.stats"

# torch alone and first, by its version: see k8s/images/lock.sh. For CUDA, whose libraries are packages:
# --build-arg TORCH=torch==2.13.0 --build-arg TORCH_INDEX= --build-arg TORCH_NO_DEPS=0
FROM build AS torch
ARG TORCH=torch==2.13.0+cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH_NO_DEPS=1
RUN PIP_NO_DEPS=${TORCH_NO_DEPS} pip --python /opt/plumbline/bin/python install \
    ${TORCH_INDEX:+--index-url ${TORCH_INDEX}} ${TORCH}

FROM torch AS training-packages
COPY k8s/images/training.lock k8s/images/bars.lock k8s/images/prune.py /build/
RUN ${INSTALL} --requirement /build/training.lock --requirement /build/bars.lock && ${PRUNE} \
  && ${TRY} "import onnx, onnxruntime, onnxscript, safetensors.torch, scipy.optimize"

FROM torch AS monitoring-training-packages
COPY k8s/images/monitoring-training.lock k8s/images/bars.lock k8s/images/prune.py /build/
RUN ${INSTALL} --requirement /build/monitoring-training.lock --requirement /build/bars.lock && ${PRUNE} \
  && ${TRY} "import evidently.presets, onnxruntime, onnxscript, safetensors.torch, scipy.optimize"

FROM build AS source
WORKDIR /source
COPY . .
RUN pip wheel --no-build-isolation --wheel-dir /wheels . \
  && pip --python /opt/plumbline/bin/python install --prefix /installed /wheels/*.whl

# --- what runs ------------------------------------------------------------------------------------
# All that is ever written goes to three folders, so the root may be read-only: mount something there.
FROM scratch AS run
COPY --from=trimmed / /
ENV PATH=/opt/plumbline/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/home/plumbline \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1
WORKDIR /var/lib/plumbline
VOLUME ["/home/plumbline", "/tmp", "/var/lib/plumbline"]
LABEL org.opencontainers.image.source=https://github.com/plumbline/plumbline \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.vendor=Plumbline

FROM run AS training
COPY --from=training-packages /opt/plumbline /opt/plumbline
COPY --from=source /installed /opt/plumbline
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=plumbline-training \
      org.opencontainers.image.description="Trains, calibrates, gates and packs models; CPU torch" \
      org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PLUMBLINE_REVISION=${REVISION}
RUN --mount=type=bind,source=k8s/images/sbom.py,target=/run/sbom.py python /run/sbom.py plumbline-training ${VERSION}
USER 10001:10001
ENTRYPOINT ["plumbline"]
CMD ["train", "--help"]

FROM run AS monitoring-base
ENV PLUMBLINE_MONITORING_HOST=0.0.0.0 \
    PLUMBLINE_MONITORING_STATE=/var/lib/plumbline
EXPOSE 3001
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["python", "-m", "plumbline.cli.health", "3001"]
ENTRYPOINT ["plumbline"]
CMD ["monitor"]

# Retrains are Jobs of the training image.
FROM monitoring-base AS monitoring
COPY --from=monitoring-packages /opt/plumbline /opt/plumbline
COPY --from=source /installed /opt/plumbline
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=plumbline-monitoring \
      org.opencontainers.image.description="Watches models; retrains are Jobs of plumbline-training" \
      org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PLUMBLINE_REVISION=${REVISION}
RUN --mount=type=bind,source=k8s/images/sbom.py,target=/run/sbom.py python /run/sbom.py plumbline-monitoring ${VERSION}
USER 10001:10001

# Retrains run in it, as child processes: where there is no Kubernetes.
FROM monitoring-base AS monitoring-training
COPY --from=monitoring-training-packages /opt/plumbline /opt/plumbline
COPY --from=source /installed /opt/plumbline
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=plumbline-monitoring-training \
      org.opencontainers.image.description="Watches models and retrains them as child processes; CPU torch" \
      org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PLUMBLINE_REVISION=${REVISION}
RUN --mount=type=bind,source=k8s/images/sbom.py,target=/run/sbom.py python /run/sbom.py plumbline-monitoring-training ${VERSION}
USER 10001:10001

FROM run AS service-base
ENV PLUMBLINE_SERVICE_HOST=0.0.0.0 \
    PLUMBLINE_SERVICE_STATE=/var/lib/plumbline
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s CMD ["python", "-m", "plumbline.cli.health", "3000"]
ENTRYPOINT ["plumbline"]
CMD ["serve"]

FROM service-base AS service-gpu
COPY --from=service-gpu-packages /opt/plumbline /opt/plumbline
COPY --from=source /installed /opt/plumbline
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=plumbline-service-gpu \
      org.opencontainers.image.description="Serves models on NVIDIA GPUs" \
      org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PLUMBLINE_REVISION=${REVISION}
RUN --mount=type=bind,source=k8s/images/sbom.py,target=/run/sbom.py python /run/sbom.py plumbline-service-gpu ${VERSION}
USER 10001:10001

FROM service-base AS service
COPY --from=service-packages /opt/plumbline /opt/plumbline
COPY --from=source /installed /opt/plumbline
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title=plumbline-service \
      org.opencontainers.image.description="Serves models; no torch" \
      org.opencontainers.image.version=${VERSION} org.opencontainers.image.revision=${REVISION}
ENV PLUMBLINE_REVISION=${REVISION}
RUN --mount=type=bind,source=k8s/images/sbom.py,target=/run/sbom.py python /run/sbom.py plumbline-service ${VERSION}
USER 10001:10001
