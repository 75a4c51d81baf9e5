"""Images, built for real and without a daemon."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.declared import ROOT
from tests.support.programs import require_program

BASE = "localhost/python:3.11"
PREFIX = "localhost/"
TAG = "dev"


def run(*command: str, timeout: float = 300, **environment: str) -> str:
    """Run a program in the repository and return what it printed; a failure tells its end."""
    result = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4_000:]
    return result.stdout.strip()


def build(*targets: str) -> None:
    """Build targets of the Dockerfile as ``localhost/plumbline-TARGET:dev``.

    On a base of Debian packages that is made here, so that no image registry is needed. A
    wheelhouse in pip's own variable is the place to look for torch, whose CPU build has an index of
    its own.
    """
    if os.geteuid() != 0:
        pytest.skip("building an image without a daemon needs root")
    buildah = require_program("buildah")
    require_program("debootstrap")
    if BASE not in run(buildah, "images", "--format", "{{.Name}}:{{.Tag}}"):
        run(str(ROOT / "k8s" / "base-image.sh"), timeout=600)
    options = ["--isolation chroot --network host --volume /etc/ssl/certs:/etc/ssl/certs:ro"]
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    if Path(wheels).is_dir():
        options.append(f"--volume {wheels}:{wheels}:ro --build-arg PIP_FIND_LINKS={wheels}")
        options.append("--build-arg TORCH_INDEX=")
    run(
        str(ROOT / "k8s" / "images" / "build.sh"),
        *targets,
        timeout=1_500,
        PREFIX=PREFIX,
        TAG=TAG,
        BASE=BASE,
        BUILD_OPTIONS=" ".join(options),
    )
