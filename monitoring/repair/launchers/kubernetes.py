"""Jobs as Jobs of Kubernetes, made from a suspended CronJob in the monitor's own namespace.

A Job's name is made of its key: nobody makes a second one. Its deadline is the cluster's to keep.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

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
from plumbline.monitoring.repair.launchers.job_folder import keep_log, read_document
from plumbline.monitoring.repair.launchers.kubernetes_job import (
    Object,
    build_job,
    conditions,
    why_failed,
    why_waiting,
)
from plumbline.monitoring.repair.launchers.remote import ANSWER_SECONDS, RemoteLauncher
from plumbline.monitoring.settings import MonitoringSettings

log = structlog.get_logger()

Job = create_namespaced_resource("batch", "v1", "Job", "jobs")
CronJob = create_namespaced_resource("batch", "v1", "CronJob", "cronjobs")
Pod = create_namespaced_resource("", "v1", "Pod", "pods")

_KIND = "cronjob/"
_LOG_LINES = 10_000


class KubernetesLauncher(RemoteLauncher):
    """Runs ``<arguments>`` in a Job of the cluster."""

    api: ClassVar[str] = "the API server"

    class Params(Launcher.Params):
        """Where logs go, and what Jobs are made from."""

        state: Path
        template: str = Field(min_length=1, description="Name of the CronJob.")
        threads: int = Field(2, ge=1)

    def __init__(self, params: Params, client: Client | None = None) -> None:
        super().__init__(params.state, prefix=params.template)
        self._params = params
        self._client = _client() if client is None else client

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
    def close(self) -> None:
        """Leave the Jobs alone: they do not need this process, and the next one finds them."""
        self._client.close()

    @override
    def _create(self, spec: JobSpec) -> None:
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

    @override
    def _look(self, handle: JobHandle) -> JobStatus:
        name = self._name(handle)
        job = self._get(Job, name)
        if job is None or job["metadata"].get("deletionTimestamp"):
            detail = f"Job {name} is gone: it was never submitted, or somebody deleted it"
            return JobStatus(JobState.FAILED, detail=detail)
        holds, pod = conditions(job), self._pod(name)
        if not holds.keys() & {"Complete", "Failed"}:
            if "FailureTarget" in holds:  # its pod is about to be taken away
                keep_log(self._state, handle.key, self._said(pod))
            elif pod is None:
                makes = f"the cluster makes none: kubectl describe job {name}"
                self._waited[handle.key] = makes
            else:
                self._note_waiting(handle, why_waiting(pod))
            return JobStatus(JobState.RUNNING)
        self._keep_log(handle, lambda: self._said(pod))
        if document := read_document(self._folder(handle)):
            return JobStatus(JobState.FINISHED, document=document)
        waited = self._waited.get(handle.key, "")
        detail = why_failed(job, pod, waited=waited, said=self.logs(handle))
        return JobStatus(JobState.FAILED, detail=detail)

    @override
    def _end(self, handle: JobHandle) -> None:
        with self._asking():
            self._client.delete(Job, self._name(handle), cascade=CascadeType.BACKGROUND)

    def _get(self, kind: Any, name: str) -> Object | None:
        try:
            with self._asking():
                found: Object = self._client.get(kind, name)
                return found
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise PermanentError(f"the API server refuses: {error}") from error
            return None

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


def _client() -> Client:
    try:
        return Client(timeout=httpx.Timeout(ANSWER_SECONDS))
    except ConfigError as error:
        raise SettingsError(
            f"launcher kubernetes: expected a pod with a service account, or KUBECONFIG: {error}"
        ) from error
