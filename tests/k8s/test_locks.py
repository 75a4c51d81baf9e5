"""The locks of the images: the versions of constraints.txt, every file by its hash."""

from __future__ import annotations

import re

import pytest

from tests.support.declared import ROOT

LOCKS = sorted((ROOT / "k8s" / "images").glob("*.lock"))
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==(\S+) \\$", re.MULTILINE)


def _names(text: str) -> dict[str, str]:
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_versions_are_those_of_the_constraints(lock):
    """An image holds what the tests ran with; k8s/images/lock.sh writes the locks anew."""
    pinned = re.findall(r"^(\S+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    constraints = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pinned}
    locked = _names(lock.read_text())

    assert locked
    assert {n: v for n, v in locked.items() if constraints.get(n, v) != v} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_has_a_hash(lock):
    """Pip refuses a file that nobody has locked."""
    blocks = re.split(r"^(?=\S)", lock.read_text(), flags=re.MULTILINE)[1:]

    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("lock", ["service", "monitoring", "training", "monitoring-training"])
def test_cuda_stays_out(lock):
    """No image but that of the GPU holds CUDA, and the two that need no torch have none."""
    names = _names((ROOT / "k8s" / "images" / f"{lock}.lock").read_text())

    assert not [name for name in names if name.startswith("nvidia-") and name != "nvidia-ml-py"]
    assert not {"torch", "triton"} & names.keys()


def test_every_room_goes_into_an_image():
    """What plumbline links to is not ignored by the build."""
    taken = (ROOT / ".dockerignore").read_text().split()
    rooms = [path.name for path in (ROOT / "plumbline").iterdir() if path.is_symlink()]

    assert rooms
    assert [room for room in rooms if f"!{room}" not in taken] == []
