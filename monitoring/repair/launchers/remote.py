"""What launchers share whose jobs run elsewhere, behind an API over HTTP.

Whoever asks for a key first makes the job; who comes too late finds it there, and so does a monitor
that was killed. Jobs run on when the monitor ends. While the API does not answer, a job counts as
running and is asked for again: silence starts no second training.

A job's folder, ``<state>/jobs/<key>/``, holds its log and what it printed, as a process's does.
"""

from __future__ import annotations

import hashlib
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import httpx
import structlog
from typing_extensions import override

from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.monitoring.repair.launchers.job_folder import (
    job_folder,
    keep_log,
    read_document,
    read_log,
)
from plumbline.store.job_log import LOG_BYTES

log = structlog.get_logger()

ANSWER_SECONDS = 4.0
"""An answer takes no longer: the control loop waits for it, and its lease lasts 15 s."""

_REST_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_LOG_SECONDS = 60.0
_WAKING_SECONDS = 30.0
_FORBIDDING = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_NAME_LENGTH = 63  # that of a label of Kubernetes, which pods carry


class AwayError(Exception):
    """The API does not answer, or not now."""


def job_name(prefix: str, key: str) -> str:
    """Return the name of the job with a key; too long a one is cut and told apart by a hash."""
    name = f"{prefix}-{key}"
    if len(name) <= _NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: _NAME_LENGTH - len(digest) - 1].rstrip('-.')}-{digest}"


class RemoteLauncher(Launcher):
    """Runs jobs behind an API.

    A kind says how one is created, looked at and ended; each asks within `_asking`.

    Attributes
    ----------
    api
        Who is asked, for messages: "the API server".
    """

    api: ClassVar[str]

    def __init__(self, state: Path, prefix: str) -> None:
        self._state = state
        self._prefix = prefix
        self._submitted: set[str] = set()
        self._cancelled: set[str] = set()
        self._unanswered: dict[str, tuple[JobSpec, float]] = {}
        self._looked: dict[str, tuple[float, JobStatus]] = {}
        self._waited: dict[str, str] = {}
        self._ended: dict[str, float] = {}
        self._rests_until = self._wakes_until = -math.inf

    @abstractmethod
    def _create(self, spec: JobSpec) -> None:
        """Create the job of a spec, unless there is one.

        Raises
        ------
        AwayError
            If nobody knows whether there is one now.
        PermanentError
            If it cannot be made.
        """

    @abstractmethod
    def _look(self, handle: JobHandle) -> JobStatus:
        """Return where a job stands, and keep the log of one that has ended; `AwayError`."""

    @abstractmethod
    def _end(self, handle: JobHandle) -> None:
        """Have a job ended; `AwayError`, or httpx.HTTPStatusError if it is refused."""

    @override
    def submit(self, spec: JobSpec) -> JobHandle:
        handle = JobHandle(spec.key)
        if spec.key in self._submitted or read_document(self._folder(handle)):
            return handle
        try:
            self._create(spec)
        except AwayError as error:
            _, since = self._unanswered.setdefault(spec.key, (spec, time.monotonic()))
            if time.monotonic() - since > spec.timeout_seconds:
                del self._unanswered[spec.key]
                raise PermanentError(f"{self.api} takes no job: {error}") from error
        else:
            self._submitted.add(spec.key)
            self._unanswered.pop(spec.key, None)
        return handle

    @override
    def poll(self, handle: JobHandle) -> JobStatus:
        if document := read_document(self._folder(handle)):
            return JobStatus(JobState.FINISHED, document=document)
        if handle.key in self._cancelled:
            return JobStatus(JobState.FAILED, detail="cancelled")
        if handle.key in self._unanswered:
            self.submit(self._unanswered[handle.key][0])
            return JobStatus(JobState.RUNNING)
        looked, status = self._looked.get(handle.key, (-_LOOK_SECONDS, None))
        if status is not None and time.monotonic() - looked < _LOOK_SECONDS:
            return status
        try:
            status = self._look(handle)
        except AwayError:
            status = JobStatus(JobState.RUNNING)
        self._looked[handle.key] = time.monotonic(), status
        return status

    @override
    def cancel(self, handle: JobHandle) -> None:
        self._cancelled.add(handle.key)
        self._unanswered.pop(handle.key, None)
        try:
            self._end(handle)
        except (AwayError, httpx.HTTPStatusError) as error:
            if _code(error) != httpx.codes.NOT_FOUND:
                # Nobody promotes what it makes.
                log.warning("job_not_cancelled", job=self._name(handle), error=str(error))

    @override
    def logs(self, handle: JobHandle) -> str:
        return read_log(self._folder(handle))

    @override
    def log_to_keep(self, handle: JobHandle) -> str:
        return read_log(self._folder(handle), LOG_BYTES)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the API; after a silence it is left alone for a while.

        Raises
        ------
        AwayError
            If it does not answer, or has no time.
        httpx.HTTPStatusError
            If it refuses.
        """
        if time.monotonic() < self._rests_until:
            raise AwayError("it did not answer a moment ago")
        try:
            yield
        except httpx.HTTPStatusError as error:
            code = _code(error)
            # One that has just been started forbids everything until it knows its rules.
            waking = code in _FORBIDDING and time.monotonic() < self._wakes_until
            busy = code == httpx.codes.TOO_MANY_REQUESTS
            if code < httpx.codes.INTERNAL_SERVER_ERROR and not (busy or waking):
                raise
            raise self._away(error) from error
        except httpx.HTTPError as error:
            self._wakes_until = time.monotonic() + _WAKING_SECONDS
            raise self._away(error) from error

    def _away(self, error: Exception) -> AwayError:
        self._rests_until = time.monotonic() + _REST_SECONDS
        said = f"{type(error).__name__}: {error}"
        log.warning("job_api_away", api=self.api, error=said)
        return AwayError(said)

    def _note_waiting(self, handle: JobHandle, why: str) -> None:
        """Remember what keeps a job from starting: once it is over, nobody says it."""
        before, self._waited[handle.key] = self._waited.get(handle.key, ""), why
        if why and why != before:
            log.warning("job_waits", job=self._name(handle), why=why)

    def _keep_log(self, handle: JobHandle, read: Callable[[], str]) -> None:
        """Keep the log of a job that has ended; its machine may keep silent for a while."""
        try:
            keep_log(self._state, handle.key, read())
        except AwayError as error:
            since = self._ended.setdefault(handle.key, time.monotonic())
            if time.monotonic() - since < _LOG_SECONDS:
                raise
            name = self._name(handle)
            raise PermanentError(
                f"{name} has ended, and its log cannot be read: {error}"
            ) from error

    def _folder(self, handle: JobHandle) -> Path:
        return job_folder(self._state, handle.key)

    def _name(self, handle: JobHandle) -> str:
        return job_name(self._prefix, handle.key)


def _code(error: Exception) -> int:
    """Return the status code of an answer; 0 where there was none."""
    return error.response.status_code if isinstance(error, httpx.HTTPStatusError) else 0
