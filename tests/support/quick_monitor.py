"""``plumbline monitor`` with one more launcher, ``quick``, whose training takes no time."""

from __future__ import annotations

import sys
from typing import Self

import typer
from typing_extensions import override

from plumbline.cli.monitor import monitor
from plumbline.monitoring.repair.launchers import LAUNCHERS
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from plumbline.monitoring.settings import MonitoringSettings


@LAUNCHERS.register("quick")
class QuickLauncher(SubprocessLauncher):
    """Runs `tests.support.quick_train` where the others run ``plumbline``."""

    @override
    @classmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        command = (sys.executable, "-m", "tests.support.quick_train")
        return cls(cls.Params(state=settings.state, command=command, threads=1))


if __name__ == "__main__":
    typer.run(monitor)
