#!/usr/bin/env bash
# Writes the locks beside it: what each image installs, every version from constraints.txt, every file by
# its hash. Run it after a change of pyproject.toml or constraints.txt; needs uv (pip install uv).
#
# torch is not in them: the hash of its CPU build depends on who built it. The Dockerfile pins its version
# alone and installs it first; CUDA's libraries, which only torch's other build needs, are left out as well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

lock() {
  uv pip compile --quiet --no-header --no-annotate --generate-hashes --python-version 3.11 \
    --python-platform x86_64-unknown-linux-gnu --constraint constraints.txt "$@"
}
without_torch() {
  awk '/^[^ ]/ { keep = $0 !~ /^(torch|triton|nvidia-[^=]*|cuda-[^=]*)==/ } keep'
}

lock pyproject.toml --extra service >k8s/images/service.lock
lock pyproject.toml --extra service-gpu >k8s/images/service-gpu.lock
lock pyproject.toml --extra training | without_torch >k8s/images/training.lock
# Of gym-anytrading only the demonstration's bars are read, so what it depends on stays away.
echo gym-anytrading | lock --no-deps - >k8s/images/bars.lock
lock pyproject.toml --extra monitoring --extra kubernetes >k8s/images/monitoring.lock
lock pyproject.toml --extra monitoring --extra training | without_torch \
  >k8s/images/monitoring-training.lock
echo setuptools | lock - >k8s/images/build.lock
