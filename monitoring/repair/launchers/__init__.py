"""Launchers: what runs a retrain. One file each, one line in `LAUNCHERS`."""

from __future__ import annotations

from collections.abc import Mapping

from plumbline.monitoring.repair.launchers.base import Launcher
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher

LAUNCHERS: Mapping[str, type[Launcher]] = {
    "subprocess": SubprocessLauncher,
}
