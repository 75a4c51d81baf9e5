"""Jobs of a Ray cluster, submitted to its job server over HTTP; Ray itself is not needed here.

A job's submission id is made of the model and its key, and the server takes an id once. A job's
time limit is ours to keep: the job carries it, so that any monitor that finds the job can.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote

import httpx
import structlog
from pydantic import Field, SecretStr, ValidationError
from typing_extensions import override

from plumbline.monitoring.errors import PermanentError, SettingsError
from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.monitoring.repair.launchers.job_folder import keep_log, read_document
from plumbline.monitoring.repair.launchers.ray_job import (
    RayJob,
    RayStatus,
    build_submission,
    said_by,
    why_failed,
    why_late,
)
from plumbline.monitoring.repair.launchers.remote import ANSWER_SECONDS, AwayError, RemoteLauncher
from plumbline.monitoring.settings import MonitoringSettings, RaySettings
from plumbline.store.job_log import last_words

log = structlog.get_logger()

_JOBS = "api/jobs/"  # with its slash
_ANSWER_BYTES = 1 << 24


class RayLauncher(RemoteLauncher):
    """Runs ``<command> <arguments>`` as a job of a Ray cluster."""

    api: ClassVar[str] = "Ray's job server"

    class Params(Launcher.Params):
        """Where logs go, and how jobs are submitted."""

        state: Path
        model: str = Field(min_length=1)
        threads: int = Field(2, ge=1)
        ray: RaySettings = RaySettings()
        token: SecretStr | None = None

    def __init__(self, params: Params) -> None:
        super().__init__(params.state, prefix=f"plumbline-{params.model}")
        self._params = params
        self._client = _client(params)

    @override
    @classmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        params = cls.Params(
            state=settings.state,
            model=settings.model,
            threads=settings.job_threads,
            ray=settings.ray,
            token=settings.ray_token,
        )
        return cls(params)

    @override
    def close(self) -> None:
        """Leave the jobs alone: they do not need this process, and the next one finds them."""
        self._client.close()

    @override
    def _create(self, spec: JobSpec) -> None:
        handle, params = JobHandle(spec.key), self._params
        if self._job(handle) is not None:
            return
        name = self._name(handle)
        body = build_submission(spec, name=name, ray=params.ray, threads=params.threads)
        try:
            self._ask("POST", _JOBS, body)
        except httpx.HTTPStatusError as error:
            if self._job(handle) is None:
                raise PermanentError(f"{self.api} takes no such job: {error}") from error
        log.info("job_created", job=name)

    @override
    def _look(self, handle: JobHandle) -> JobStatus:
        found = self._job(handle)
        if found is None:
            detail = (
                f"job {self._name(handle)} is gone: it was never submitted, somebody deleted it, "
                "or Ray's head was started anew"
            )
            return JobStatus(JobState.FAILED, detail=detail)
        job, now = found
        if not job.status.ended:
            return self._follow(handle, job, now)
        self._keep_words(handle, job)
        if document := read_document(self._folder(handle)):
            return JobStatus(JobState.FINISHED, document=document)
        return JobStatus(JobState.FAILED, detail=why_failed(job, now=now, said=self.logs(handle)))

    @override
    def _end(self, handle: JobHandle) -> None:
        self._ask("POST", f"{self._path(handle)}/stop")

    def _keep_words(self, handle: JobHandle, job: RayJob) -> None:
        """Keep the log of a job that has ended; that of a lost machine is lost with it."""
        if not job.given_up:
            self._keep_log(handle, lambda: self._said(handle, job))
            return
        with suppress(AwayError):
            keep_log(self._state, handle.key, self._said(handle, job))

    def _follow(self, handle: JobHandle, job: RayJob, now: datetime) -> JobStatus:
        """Return where a job stands that has not ended; one past its limit is stopped."""
        if not job.late(now):
            self._note_waiting(handle, job.why_waiting(now))
            return JobStatus(JobState.RUNNING)
        try:
            self._end(handle)
        except httpx.HTTPStatusError as error:
            raise PermanentError(f"{self.api} stops no job: {error}") from error
        if job.status is RayStatus.PENDING:  # should it start after all, it is stopped at once
            return JobStatus(JobState.FAILED, detail=why_late(job))
        return JobStatus(JobState.RUNNING)

    def _job(self, handle: JobHandle) -> tuple[RayJob, datetime] | None:
        """Return a job, and the moment on the server's clock; None if there is no such job."""
        try:
            answer, now = self._ask("GET", self._path(handle))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise PermanentError(f"{self.api} refuses: {error}") from error
            return None
        try:
            return RayJob.model_validate(answer), now
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(map(str, fault["loc"])) or "answer"
            raise self._away(ValueError(f"expected a job: {place}: {fault['msg']}")) from error

    def _said(self, handle: JobHandle, job: RayJob) -> str:
        """Return what a job wrote; one whose machine never was has no log."""
        try:
            answer, _ = self._ask("GET", f"{self._path(handle)}/logs")
        except httpx.HTTPStatusError as error:
            log.warning("no_job_log", job=self._name(handle), error=str(error))
            return ""
        said = answer.get("logs") if isinstance(answer, dict) else None
        return said_by(job, self._name(handle), str(said or ""))

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[Any, datetime]:
        """Return the JSON of an answer, and its moment on the server's clock.

        Raises
        ------
        AwayError
            If nothing comes, or no JSON.
        httpx.HTTPStatusError
            If the server refuses, with its words.
        PermanentError
            If the answer is too long to read.
        """
        with self._asking():
            request = self._client.build_request(method, path, json=body)
            response = self._client.send(request, stream=True)
            with closing(response):
                text = _read(response)
            if not response.is_success:
                what = f"HTTP {response.status_code}{last_words(text.decode(errors='replace'))}"
                raise httpx.HTTPStatusError(what, request=request, response=response)
        try:
            return json.loads(text), _moment(response.headers)
        except ValueError as error:
            raise self._away(ValueError(f"expected JSON: {error}")) from error

    def _path(self, handle: JobHandle) -> str:
        return f"{_JOBS}{quote(self._name(handle), safe='')}"


def _client(params: RayLauncher.Params) -> httpx.Client:
    address = params.ray.address
    if not address.startswith(("http://", "https://")):
        raise SettingsError(f"ray.address: expected http://HOST:8265, got {address!r}")
    headers = {name: value.get_secret_value() for name, value in params.ray.headers.items()}
    if params.token is not None:
        headers["Authorization"] = f"Bearer {params.token.get_secret_value()}"
    base = f"{address.rstrip('/')}/"
    try:
        return httpx.Client(base_url=base, headers=headers, timeout=ANSWER_SECONDS)
    except httpx.InvalidURL as error:
        raise SettingsError(f"ray.address: {error}, got {address!r}") from error


def _read(response: httpx.Response) -> bytes:
    """Return the body of an answer that is neither endless nor slow."""
    until, text = time.monotonic() + ANSWER_SECONDS, bytearray()
    for chunk in response.iter_bytes():
        text += chunk
        if len(text) > _ANSWER_BYTES:
            raise PermanentError(f"{response.url.path}: expected {_ANSWER_BYTES} bytes at most")
        if time.monotonic() > until:
            raise httpx.ReadTimeout(f"{response.url.path}: took longer than {ANSWER_SECONDS:g} s")
    return bytes(text)


def _moment(headers: Mapping[str, str]) -> datetime:
    """Return when an answer was given, on the clock of who gave it."""
    try:
        return parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        return datetime.now(UTC)
