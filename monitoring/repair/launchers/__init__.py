"""Launchers: what runs a retrain. One file each, one line in `LAUNCHERS`."""

from __future__ import annotations

from plumbline.bundle.plugin import Plugins
from plumbline.monitoring.repair.launchers.base import Launcher
from plumbline.monitoring.repair.launchers.claimed import ClaimedLauncher

LAUNCHERS: Plugins[Launcher] = Plugins(
    "launchers",
    Launcher,
    {
        "subprocess": ClaimedLauncher,
        "kubernetes": "plumbline.monitoring.repair.launchers.kubernetes:KubernetesLauncher",
        "ray": "plumbline.monitoring.repair.launchers.ray:RayLauncher",
    },
)
