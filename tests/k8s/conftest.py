"""One control plane for the tests here that ask one; they stand next to each other by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.control_plane import ControlPlane, control_plane


@pytest.fixture(scope="package")
def plane() -> Iterator[ControlPlane]:
    """The API of a Kubernetes."""
    with control_plane() as found:
        yield found
