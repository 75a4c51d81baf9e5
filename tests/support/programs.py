"""Programs of the operating system that some tests run: found, skipped over, or demanded."""

from __future__ import annotations

import ctypes
import os
import shutil
from typing import NoReturn

import pytest

REQUIRE = "PLUMBLINE_REQUIRE_TOOLS"
"""Set to 1 where every program has to be there, as in continuous integration."""

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "chromium": "chromium",
    "kubectl": "kubernetes-client",
    "checkov": "checkov",
    "wrk": "wrk",
    "git": "git",
    "make": "make",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "ray": "ray[default]",
    "unshare": "util-linux",
    "ip": "iproute2",
}
"""The Debian package of each program; for those of PyPI, the name there."""

PYPI = frozenset({"checkov", "ray"})
"""Programs whose dependencies contradict ours, so that they have an environment to themselves."""

ELSEWHERE = PYPI | {"kubectl"}
"""Programs that Debian ships too old for us or not at all: nobody can demand them."""


def require_program(name: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails where it is demanded.

    Parameters
    ----------
    name : str
        One of `PACKAGES`.
    """
    found = shutil.which(name)
    if found is None:
        how = "pipx" if name in PYPI else "apt-get"
        go_without(f"{name} is not installed; {how} install {PACKAGES[name]}", name in ELSEWHERE)
    return found


def require_library(name: str, package: str) -> None:
    """Go on if a shared library is there; as `require_program` if it is not.

    Parameters
    ----------
    name, package : str
        As the loader finds it, ``libgomp.so.1``, and what brings it in Debian.
    """
    try:
        ctypes.CDLL(name)
    except OSError:
        go_without(f"{name} is not installed; apt-get install {package}", False)


def go_without(reason: str, dispensable: bool) -> NoReturn:
    """Skip the test; fail it where what is missing is demanded and can be had."""
    if os.environ.get(REQUIRE) == "1" and not dispensable:
        pytest.fail(f"{reason} ({REQUIRE}=1 demands it)", pytrace=False)
    pytest.skip(reason)
