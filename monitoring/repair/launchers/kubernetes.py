"""Jobs as Jobs of Kubernetes, made from a suspended CronJob in the monitor's own namespace.

A Job's name is made of its key, so nobody makes a second one: who comes too late finds the first,
and so does a monitor that was killed. Jobs run on when the monitor ends. While the API server does
not answer, a job counts as running and is asked for again.

A job's folder, ``<state>/jobs/<key>/``, holds its log and what it printed, as a process's does.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import structlog
from lightkube import Client
from lightkube.core.exceptions import ConfigError
from lightkube.generic_resource import create_namespaced_resource
from lightkube.types import CascadeType
from pydantic import Field
from typing_extensions import override

from plumbline.monitoring.errors import PermanentError, SettingsError
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
from plumbline.monitoring.repair.launchers.kubernetes_job import (
    Object,
    build_job,
    conditions,
    document_of,
    job_name,
    why_failed,
    why_waiting,
)
from plumbline.monitoring.settings import MonitoringSettings

log = structlog.get_logger()

Job = create_namespaced_resource("batch", "v1", "Job", "jobs")
CronJob = create_namespaced_resource("batch", "v1", "CronJob", "cronjobs")
Pod = create_namespaced_resource("", "v1", "Pod", "pods")

_KIND = "cronjob/"
_ANSWER_SECONDS = 4.0  # the control loop waits for it, and its lease lasts 15 s
_REST_SECONDS = 5.0
_LOOK_SECONDS = 1.0
_LOG_SECONDS = 60.0
_WAKING_SECONDS = 30.0
_FORBIDDING = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
_LOG_LINES = 10_000


class _AwayError(Exception):
    """The API server does not answer, or not now."""


class KubernetesLauncher(Launcher):
    """Runs ``<arguments>`` in a Job of the cluster."""

    class Params(Launcher.Params):
        """Where logs go, and what Jobs are made from."""

        state: Path
        template: str = Field(min_length=1, description="Name of the CronJob.")
        threads: int = Field(2, ge=1)

    def __init__(self, params: Params, client: Client | None = None) -> None:
        self._params = params
        self._client = _client() if client is None else client
        self._submitted: set[str] = set()
        self._unanswered: dict[str, float] = {}
        self._looked: dict[str, tuple[float, JobStatus]] = {}
        self._waited: dict[str, str] = {}
        self._ended: dict[str, float] = {}
        self._rests_until = self._wakes_until = -math.inf

    @override
    @classmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        named = settings.job_template
        if not named.startswith(_KIND) or named == _KIND:
            raise SettingsError(f"job_template: expected {_KIND}NAME, got {named!r}")
        template = named.removeprefix(_KIND)
        return cls(
            cls.Params(state=settings.state, template=template, threads=settings.job_threads)
        )

    @override
    def submit(self, spec: JobSpec) -> JobHandle:
        handle = JobHandle(spec.key)
        if spec.key in self._submitted or read_document(self._folder(handle)):
            return handle
        try:
            self._create(spec)
        except _AwayError as error:
            since = self._unanswered.setdefault(spec.key, time.monotonic())
            if time.monotonic() - since > spec.timeout_seconds:
                del self._unanswered[spec.key]
                raise PermanentError(f"the API server takes no Job: {error}") from error
        else:
            self._submitted.add(spec.key)
            self._unanswered.pop(spec.key, None)
        return handle

    @override
    def poll(self, handle: JobHandle) -> JobStatus:
        if document := read_document(self._folder(handle)):
            return JobStatus(JobState.FINISHED, document=document)
        if handle.key in self._unanswered:
            return JobStatus(JobState.RUNNING)
        looked, status = self._looked.get(handle.key, (-_LOOK_SECONDS, None))
        if status is not None and time.monotonic() - looked < _LOOK_SECONDS:
            return status
        try:
            status = self._look(handle)
        except _AwayError:
            status = JobStatus(JobState.RUNNING)
        self._looked[handle.key] = time.monotonic(), status
        return status

    @override
    def cancel(self, handle: JobHandle) -> None:
        self._looked.pop(handle.key, None)
        self._unanswered.pop(handle.key, None)
        try:
            with self._asking():
                self._client.delete(Job, self._name(handle), cascade=CascadeType.BACKGROUND)
        except _AwayError as error:
            # Its deadline ends it, and nobody promotes what it makes.
            log.warning("job_not_cancelled", job=self._name(handle), error=str(error))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                log.warning("job_not_cancelled", job=self._name(handle), error=str(error))

    @override
    def logs(self, handle: JobHandle) -> str:
        return read_log(self._folder(handle))

    @override
    def close(self) -> None:
        """Leave the Jobs alone: they do not need this process, and the next one finds them."""
        self._client.close()

    # -- the API

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the API server; after a silence it is left alone for a while.

        Raises
        ------
        _AwayError
            If it does not answer, or has no time.
        httpx.HTTPStatusError
            If it refuses.
        """
        if time.monotonic() < self._rests_until:
            raise _AwayError("it did not answer a moment ago")
        try:
            yield
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            # One that has just been started forbids everything until it knows its rules.
            waking = code in _FORBIDDING and time.monotonic() < self._wakes_until
            busy = code == httpx.codes.TOO_MANY_REQUESTS
            if code < httpx.codes.INTERNAL_SERVER_ERROR and not (busy or waking):
                raise
            raise self._away(error) from error
        except httpx.HTTPError as error:
            self._wakes_until = time.monotonic() + _WAKING_SECONDS
            raise self._away(error) from error

    def _away(self, error: Exception) -> _AwayError:
        self._rests_until = time.monotonic() + _REST_SECONDS
        said = f"{type(error).__name__}: {error}"
        log.warning("api_server_away", error=said)
        return _AwayError(said)

    def _get(self, kind: Any, name: str) -> Object | None:
        try:
            with self._asking():
                found: Object = self._client.get(kind, name)
                return found
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise PermanentError(f"the API server refuses: {error}") from error
            return None

    def _create(self, spec: JobSpec) -> None:
        """Create the Job of a spec, unless there is one."""
        handle, template = JobHandle(spec.key), self._params.template
        if self._get(Job, self._name(handle)) is not None:
            return
        cronjob = self._get(CronJob, template)
        if cronjob is None:
            raise PermanentError(f"there is no CronJob {template} in {self._client.namespace}")
        try:
            job = build_job(cronjob, spec, threads=self._params.threads)
        except ValueError as error:
            raise PermanentError(f"CronJob {template}: {error}") from error
        try:
            with self._asking():
                self._client.create(Job.from_dict(job))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise PermanentError(f"the API server takes no such Job: {error}") from error
        log.info("job_created", job=self._name(handle))

    def _look(self, handle: JobHandle) -> JobStatus:
        name = self._name(handle)
        job = self._get(Job, name)
        if job is None or job["metadata"].get("deletionTimestamp"):
            detail = f"Job {name} is gone: it was never submitted, or somebody deleted it"
            return JobStatus(JobState.FAILED, detail=detail)
        holds, pod = conditions(job), self._pod(name)
        if not holds.keys() & {"Complete", "Failed"}:
            if "FailureTarget" in holds:  # its pod is about to be taken away
                self._keep(handle, self._said(pod))
            else:
                self._note_waiting(handle, pod)
            return JobStatus(JobState.RUNNING)
        if pod is not None:
            self._keep(handle, self._last_words(handle, pod))
        if document := read_document(self._folder(handle)):
            return JobStatus(JobState.FINISHED, document=document)
        waited = self._waited.get(handle.key, "")
        detail = why_failed(job, pod, waited=waited, said=self.logs(handle))
        return JobStatus(JobState.FAILED, detail=detail)

    def _pod(self, name: str) -> Object | None:
        """Return the newest pod of a Job."""
        try:
            with self._asking():
                pods: list[Object] = list(self._client.list(Pod, labels={"job-name": name}))
        except httpx.HTTPStatusError as error:
            raise PermanentError(f"the API server refuses: {error}") from error
        return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)

    def _said(self, pod: Object | None) -> str:
        """Return the end of a pod's log; one that never ran has none."""
        if pod is None:
            return ""
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]["name"]
        try:
            with self._asking():
                lines = self._client.log(name, container=container, tail_lines=_LOG_LINES)
                return "".join(lines)
        except httpx.HTTPStatusError as error:
            log.warning("no_job_log", pod=name, error=str(error))
            return ""

    def _last_words(self, handle: JobHandle, pod: Object) -> str:
        """Return the log of a pod that has ended; its node may keep silent for a while."""
        try:
            return self._said(pod)
        except _AwayError as error:
            since = self._ended.setdefault(handle.key, time.monotonic())
            if time.monotonic() - since < _LOG_SECONDS:
                raise
            name = self._name(handle)
            raise PermanentError(
                f"{name} has ended, and its log cannot be read: {error}"
            ) from error

    # -- what is kept

    def _note_waiting(self, handle: JobHandle, pod: Object | None) -> None:
        """Remember what keeps a pod from starting: once it is taken away, nobody says it."""
        name, before = self._name(handle), self._waited.get(handle.key)
        if pod is None:
            self._waited[handle.key] = f"the cluster makes none: kubectl describe job {name}"
            return
        self._waited[handle.key] = why = why_waiting(pod)
        if why and why != before:
            log.warning("job_waits", job=name, why=why)

    def _keep(self, handle: JobHandle, text: str) -> None:
        """Write a log down, and apart from it what the job printed."""
        if not text:
            return
        for path in old_folders(self._params.state):
            shutil.rmtree(path, ignore_errors=True)
        folder = self._folder(handle)
        folder.mkdir(parents=True, exist_ok=True)
        document, said = document_of(text)
        (folder / LOG).write_text(said)
        if document is not None:
            (folder / OUTPUT).write_text(json.dumps(document))

    def _folder(self, handle: JobHandle) -> Path:
        return job_folder(self._params.state, handle.key)

    def _name(self, handle: JobHandle) -> str:
        return job_name(self._params.template, handle.key)


def _client() -> Client:
    try:
        return Client(timeout=httpx.Timeout(_ANSWER_SECONDS))
    except ConfigError as error:
        raise SettingsError(
            f"launcher kubernetes: expected a pod with a service account, or KUBECONFIG: {error}"
        ) from error
