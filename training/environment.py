"""Where a training takes place, as its record says it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plumbline.store.run import Environment

_LIBRARIES = ("plumbline", "numpy", "scipy", "torch", "onnx", "onnxruntime", "onnxscript")
_GIT_SECONDS = 2.0


def read_environment(threads: int) -> Environment:
    """Look around: interpreter, machine, libraries, and the git commit of the present folder."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        threads=threads,
        libraries={name: found for name in _LIBRARIES if (found := _version(name)) is not None},
        commit=_commit(),
        host=platform.node(),
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Return the processor's name as the kernel tells it, where it does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _commit() -> str | None:
    """Return the commit checked out in the present folder, ``-dirty`` if files differ from it."""
    git = shutil.which("git")
    if git is None:
        return None
    command = (git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command line
            command, capture_output=True, check=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode().strip() or None
