"""Which build of the program runs, for the metrics of its processes."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

REVISION = "PLUMBLINE_REVISION"
"""Environment variable with the commit an image was built from; images set it."""


def build_labels(component: str) -> dict[str, str]:
    """Return what ``plumbline_build_info`` says of a component, ``service`` or ``monitor``."""
    return {
        "component": component,
        "version": version("plumbline"),
        "revision": os.environ.get(REVISION, "unknown"),
        "python": platform.python_version(),
    }
