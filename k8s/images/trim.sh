#!/bin/sh
# Makes a root to run in of a Debian base with Python: no package manager, no perl, no pip, no compiler;
# and the user. What remains is listed in /var/lib/dpkg/status, where scanners look for it.
set -eu

groupadd --gid 10001 plumbline
useradd --uid 10001 --gid 10001 --home-dir /home/plumbline --no-create-home plumbline
install -d -o 10001 -g 10001 /home/plumbline /var/lib/plumbline

for package in apt libapt-pkg6.0 gpgv debian-archive-keyring adduser debconf perl-base e2fsprogs libext2fs2 \
  libss2 logsave mount util-linux-extra sysvinit-utils python3-pip-whl python3-setuptools-whl python3.11-venv \
  python3-wheel gcc g++ binutils make; do
  if dpkg-query --show "$package" >/dev/null 2>&1; then
    rm -f /var/lib/dpkg/info/"$package".*rm /var/lib/dpkg/info/"$package":*.*rm  # they need what goes with them
    dpkg --purge --force-all "$package" >/dev/null 2>&1
  fi
done

for python in /usr/lib/python3* /usr/local/lib/python3*; do
  [ -d "$python" ] || continue
  rm -rf "$python"/ensurepip "$python"/idlelib "$python"/lib2to3 "$python"/tkinter "$python"/turtledemo \
    "$python"/pydoc_data "$python"/test "$python"/config-* "$python"/site-packages/* "$python"/dist-packages/*
done
rm -rf /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/include /usr/share/python-wheels /etc/apt /var/lib/apt \
  /var/cache/apt /usr/share/doc /usr/share/man /usr/share/locale /usr/share/i18n /usr/share/info \
  /usr/lib/x86_64-linux-gnu/gconv /usr/lib/aarch64-linux-gnu/gconv /var/log/* /var/lib/dpkg/info /tmp/*
rm -f /usr/bin/dpkg* /usr/sbin/dpkg* /usr/bin/update-alternatives
