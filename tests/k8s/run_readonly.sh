#!/usr/bin/env bash
# Runs a command in an image's root as the kubelet would run the pod: that root read-only, three writable
# folders, uid 10001, no environment but the image's and what is given. For test_image.py; needs root.
#
#   unshare --mount --pid --fork --kill-child run_readonly.sh ROOT STORE NAME=value… -- COMMAND…
set -euo pipefail

root=$1 store=$2
shift 2
variables=()
while [[ $1 != -- ]]; do
  variables+=("$1")
  shift
done
shift

mount --bind "$root" "$root"
mount --options remount,ro,bind "$root"
for folder in tmp home/plumbline var/lib/plumbline; do
  mount --types tmpfs --options uid=10001,gid=10001,size=256m tmpfs "$root/$folder"
done
mount --types tmpfs --options mode=755,size=1m tmpfs "$root/mnt"
mkdir "$root/mnt/store"
mount --bind "$store" "$root/mnt/store"
mount --types proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind /etc/hosts "$root/etc/hosts"
exec chroot --userspec=10001:10001 "$root" env --ignore-environment --chdir=/var/lib/plumbline \
  PATH=/opt/plumbline/bin:/usr/local/bin:/usr/bin:/bin HOME=/home/plumbline "${variables[@]}" "$@"
