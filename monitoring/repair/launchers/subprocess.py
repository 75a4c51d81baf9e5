"""Jobs as child processes of the monitor, each in a process group of its own.

A job's folder, ``<state>/jobs/<key>/``, holds what a restarted monitor needs to find it again: its
process id with the time that process started (ids are reused), its output and its log. A monitor
that is killed leaves its job running; the next one finds it there and waits for it, so that no
second training runs beside the first.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from pydantic import Field
from typing_extensions import override

from plumbline.bundle.record import Record
from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.monitoring.repair.launchers.job_folder import (
    LOG,
    OUTPUT,
    job_folder,
    old_folders,
    read_document,
    read_log,
)
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.job_log import LOG_BYTES, last_words

_GRACE_SECONDS = 5.0
_PROCESS = "process.json"


class Process(Record):
    """Which process a job is."""

    pid: int
    started: str = Field(description="Start time as the system counts it, to tell reused ids.")
    submitted: float = Field(description="Seconds since 1970 UTC.")
    timeout_seconds: float


def plumbline_command() -> tuple[str, ...]:
    """Return how to call ``plumbline`` from this environment."""
    script = Path(sys.executable).with_name("plumbline")
    if script.exists():
        return (str(script),)
    return (sys.executable, "-P", "-m", "plumbline.cli.main")


class SubprocessLauncher(Launcher):
    """Runs ``<command> <arguments>`` on this machine."""

    class Params(Launcher.Params):
        """Where and with what jobs run."""

        state: Path
        command: tuple[str, ...] = Field(default_factory=plumbline_command)
        threads: int = Field(2, ge=1)
        niceness: int = Field(5, ge=0, le=19, description="So that serving goes first.")

    def __init__(self, params: Params) -> None:
        self._params = params
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._processes: dict[str, Process] = {}

    @override
    @classmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        return cls(cls.Params(state=settings.state, threads=settings.job_threads))

    @override
    def submit(self, spec: JobSpec) -> JobHandle:
        handle = JobHandle(spec.key)
        folder = self._folder(handle)
        if spec.key in self._children or read_document(folder) or _alive(_process(folder)):
            return handle
        self._launch(spec)
        return handle

    @override
    def poll(self, handle: JobHandle) -> JobStatus:
        folder = self._folder(handle)
        process = self._process(handle)
        if process is None:
            return JobStatus(JobState.FAILED, detail=f"job {handle.key} was never submitted here")
        if self._running(handle, process):
            if time.time() - process.submitted <= process.timeout_seconds:
                return JobStatus(JobState.RUNNING)
            self.cancel(handle)
            limit = f"{process.timeout_seconds:.0f} s"
            return JobStatus(JobState.FAILED, detail=f"killed: it took longer than {limit}")
        if document := read_document(folder):
            return JobStatus(JobState.FINISHED, document=document)
        return JobStatus(JobState.FAILED, detail=self._reason(handle))

    @override
    def cancel(self, handle: JobHandle) -> None:
        process = self._process(handle)
        if process is None or not self._running(handle, process):
            return
        for sent in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(process.pid, sent)
            deadline = time.monotonic() + _GRACE_SECONDS
            while self._running(handle, process) and time.monotonic() < deadline:
                time.sleep(0.02)
        # The group may outlive its leader.
        _signal_group(process.pid, signal.SIGKILL)

    @override
    def logs(self, handle: JobHandle) -> str:
        return read_log(self._folder(handle))

    @override
    def log_to_keep(self, handle: JobHandle) -> str:
        return read_log(self._folder(handle), LOG_BYTES)

    @override
    def close(self) -> None:
        for key in self._children:
            self.cancel(JobHandle(key))

    def _launch(self, spec: JobSpec) -> None:
        """Start a job in a folder of its own, which holds nothing of an earlier one."""
        folder = self._folder(JobHandle(spec.key))
        self._remove_old()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._start(spec, folder)

    def _start(self, spec: JobSpec, folder: Path) -> None:
        (folder / "spec.json").write_bytes(spec.to_json())
        threads = str(self._params.threads)
        limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
        command = self._command(spec)
        try:
            with (
                (folder / OUTPUT).open("wb") as output,
                (folder / LOG).open("wb") as log,
            ):
                child = subprocess.Popen(  # noqa: S603  # the command is configured, never received
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=log,
                    env={**os.environ, **limits},
                    start_new_session=True,
                )
        except OSError as error:
            raise PermanentError(f"cannot run {command[0]}: {error}") from error
        process = Process(
            pid=child.pid,
            started=_started(child.pid),
            submitted=time.time(),
            timeout_seconds=spec.timeout_seconds,
        )
        (folder / _PROCESS).write_bytes(process.to_json())
        self._children[spec.key] = child
        self._processes[spec.key] = process
        _lower_priority(child.pid, self._params.niceness)

    def _command(self, spec: JobSpec) -> list[str]:
        """Return what is run."""
        return [*self._params.command, *spec.arguments]

    def _process(self, handle: JobHandle) -> Process | None:
        """Return a job's process, as remembered if it is ours and else as it was written down."""
        return self._processes.get(handle.key) or _process(self._folder(handle))

    def _running(self, handle: JobHandle, process: Process) -> bool:
        child = self._children.get(handle.key)
        return child.poll() is None if child else _alive(process)

    def _end_orphans(self, handle: JobHandle) -> None:
        """End what a job's process has started, where it has died and they have not."""
        process = self._process(handle)
        if process is not None and not _started(process.pid):  # else the id may be another's by now
            _signal_group(process.pid, signal.SIGKILL)

    def _reason(self, handle: JobHandle) -> str:
        child = self._children.get(handle.key)
        code = f"with exit code {child.returncode}" if child else "while no monitor was looking"
        return f"ended {code} and without a result{last_words(self.logs(handle))}"

    def _folder(self, handle: JobHandle) -> Path:
        return job_folder(self._params.state, handle.key)

    def _remove_old(self) -> None:
        """Keep the newest job folders alone; the ones that still run are among them."""
        for path in old_folders(self._params.state):
            if not _alive(_process(path)):
                shutil.rmtree(path, ignore_errors=True)


def _process(folder: Path) -> Process | None:
    path = folder / _PROCESS
    return Process.from_json(path.read_bytes(), source=str(path)) if path.exists() else None


def _started(pid: int) -> str:
    """Return when a process started, in the system's own count; empty if it has ended."""
    try:
        # The name, in parentheses, may hold spaces: count fields from its end.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _alive(process: Process | None) -> bool:
    if process is None:
        return False
    try:
        os.kill(process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return _started(process.pid) == process.started


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _lower_priority(pid: int, niceness: int) -> None:
    try:
        os.setpriority(os.PRIO_PGRP, pid, niceness)
    except (ProcessLookupError, PermissionError):
        return
