"""Launchers: what runs a retrain. One file each, one line in `LAUNCHERS`."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.launchers.base import Launcher
from monitoring.launchers.subprocess import SubprocessLauncher

LAUNCHERS: Mapping[str, type[Launcher]] = {
    "subprocess": SubprocessLauncher,
}
