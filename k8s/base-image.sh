#!/usr/bin/env bash
# A base image for the Dockerfile from Debian's packages alone, where no registry can be reached:
#
#   k8s/base-image.sh                      # needs root, debootstrap, buildah; makes localhost/python:3.11
#   buildah bud --build-arg BASE=localhost/python:3.11 --target service --tag plumbline-service .
#
# In a sandbox without user namespaces, add: --isolation chroot --network host
set -euo pipefail

root=$(mktemp --directory --tmpdir plumbline-base-XXXXXX)
trap 'rm -rf "$root"' EXIT

debootstrap --variant=minbase --include=ca-certificates bookworm "$root"
chroot "$root" apt-get install --yes --quiet --no-install-recommends python3.11-venv
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

echo "127.0.0.1 localhost" > "$root/etc/hosts"

container=$(buildah from scratch)
buildah add --quiet "$container" "$root" /
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd python3.11 "$container"
buildah commit --rm --quiet "$container" localhost/python:3.11
