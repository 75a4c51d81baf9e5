"""A launcher whose jobs are counted: which run, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, Self

from typing_extensions import override

from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.monitoring.settings import MonitoringSettings

KINDS = {"train": "retrain", "retrain": "retrain", "calibrate": "recalibrate"}
"""What a job of the repair is, by the command it runs."""


class JobRecorder(Protocol):
    """Who is told; `metrics.Metrics` is one."""

    def show_jobs(self, kind: str, running: int) -> None:
        """Take in how many jobs of a kind run."""

    def record_job(self, kind: str, seconds: float, result: str) -> None:
        """Take in a job that has ended, ``finished``, ``failed`` or ``cancelled``."""


class ObservedLauncher(Launcher):
    """Another launcher, and somebody who is told what its jobs do.

    Parameters
    ----------
    launcher, recorder
        What runs the jobs, and who is told.
    kind
        What its jobs are; by default each is what `KINDS` says of its command.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        launcher: Launcher,
        recorder: JobRecorder,
        *,
        kind: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._launcher = launcher
        self._recorder = recorder
        self._kind = kind
        self._clock = clock
        self._running: dict[str, tuple[str, float]] = {}
        self._ended: set[str] = set()
        for each in {kind} if kind else set(KINDS.values()):
            recorder.show_jobs(each, 0)

    @classmethod
    @override
    def build(cls, settings: MonitoringSettings) -> Self:
        raise TypeError("it is built around another launcher")

    @override
    def submit(self, spec: JobSpec) -> JobHandle:
        handle = self._launcher.submit(spec)
        if spec.key not in self._running and spec.key not in self._ended:
            kind = self._kind or KINDS.get(spec.arguments[0], spec.arguments[0])
            self._running[spec.key] = kind, self._clock()
            self._show(kind)
        return handle

    @override
    def poll(self, handle: JobHandle) -> JobStatus:
        status = self._launcher.poll(handle)
        if status.state is not JobState.RUNNING:
            self._end(handle, status.state.value)
        return status

    @override
    def cancel(self, handle: JobHandle) -> None:
        self._launcher.cancel(handle)
        self._end(handle, "cancelled")

    @override
    def logs(self, handle: JobHandle) -> str:
        return self._launcher.logs(handle)

    @override
    def log_to_keep(self, handle: JobHandle) -> str:
        return self._launcher.log_to_keep(handle)

    @override
    def close(self) -> None:
        self._launcher.close()

    def _end(self, handle: JobHandle, result: str) -> None:
        found = self._running.pop(handle.key, None)
        if found is None:
            return
        self._ended.add(handle.key)
        kind, begun = found
        self._recorder.record_job(kind, self._clock() - begun, result)
        self._show(kind)

    def _show(self, kind: str) -> None:
        running = sum(each == kind for each, _ in self._running.values())
        self._recorder.show_jobs(kind, running)
