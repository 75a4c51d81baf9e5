# Three images from one file: service (no torch), training, monitoring.
#
#   docker build --target service --tag plumbline-service .
#
# Plain pip, pinned by constraints.txt. BentoML's own image builder is not used: it would set
# BENTOML_CONTAINERIZED, under which dead workers are not replaced.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3.11 -m venv /opt/plumbline
ENV PATH=/opt/plumbline/bin:$PATH
WORKDIR /source
COPY constraints.txt ./

FROM build AS build-service
# A wheelhouse or an index of one's own comes in through pip's own variables.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
COPY . .
RUN pip install --constraint constraints.txt ".[service]"

# torch first and alone, so that its layer survives a change of the source.
FROM build AS build-training
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
RUN pip install --constraint constraints.txt torch
COPY . .
# gym-anytrading carries the demonstration's bars; its dependencies are not needed to read them.
RUN pip install --constraint constraints.txt ".[training]" \
  && pip install --constraint constraints.txt --no-deps gym-anytrading

# The subprocess launcher trains where the monitor runs, so this image can do both.
FROM build-training AS build-monitoring
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
RUN pip install --constraint constraints.txt ".[training,monitoring]"

# Nothing of the build but the finished environment. All that is ever written goes to three folders, so
# the root may be read-only: mount something writable there.
FROM ${BASE} AS run
RUN groupadd --gid 10001 plumbline \
  && useradd --uid 10001 --gid 10001 --home-dir /home/plumbline --no-create-home plumbline \
  && install --directory --owner=10001 --group=10001 /home/plumbline /var/lib/plumbline
ENV PATH=/opt/plumbline/bin:$PATH \
    HOME=/home/plumbline \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1
WORKDIR /var/lib/plumbline
VOLUME ["/home/plumbline", "/tmp", "/var/lib/plumbline"]
USER 10001:10001

FROM run AS training
COPY --from=build-training /opt/plumbline /opt/plumbline
ENTRYPOINT ["plumbline"]
CMD ["train", "--help"]

FROM run AS monitoring
COPY --from=build-monitoring /opt/plumbline /opt/plumbline
ENV PLUMBLINE_MONITORING_HOST=0.0.0.0 \
    PLUMBLINE_MONITORING_STATE=/var/lib/plumbline
EXPOSE 3001
ENTRYPOINT ["plumbline"]
CMD ["monitor"]

FROM run AS service
COPY --from=build-service /opt/plumbline /opt/plumbline
ENV PLUMBLINE_SERVICE_HOST=0.0.0.0 \
    PLUMBLINE_SERVICE_STATE=/var/lib/plumbline
EXPOSE 3000
ENTRYPOINT ["plumbline"]
CMD ["serve"]
