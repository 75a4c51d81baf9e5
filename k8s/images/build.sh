#!/usr/bin/env bash
# Builds images: build.sh TARGET…   (service, service-gpu, training, monitoring, monitoring-training)
#
#   PREFIX=localhost/ TAG=dev BASE=python:3.11-slim k8s/images/build.sh service
#
# With docker where its daemon runs, otherwise with buildah, which needs no daemon. BUILD_OPTIONS goes to it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
(($#)) || { sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

prefix=${PREFIX-} tag=${TAG:-dev}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
if docker info >/dev/null 2>&1; then
  build=(docker build)
else
  build=(buildah build --layers --format docker)  # the format that has health checks
fi
for target in "$@"; do
  # shellcheck disable=SC2086  # several options
  "${build[@]}" ${BUILD_OPTIONS-} --build-arg "BASE=${BASE:-python:3.11-slim}" --build-arg "VERSION=$tag" \
    --build-arg "REVISION=$revision" --target "$target" --tag "${prefix}plumbline-$target:$tag" .
done
