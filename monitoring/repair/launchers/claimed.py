"""Jobs as child processes, each run by one monitor of all that share a store.

A job is claimed in the store before it is started, and a keeper beside it gives signs of life
(`store/keeper.py`). A monitor that finds a claim of another machine waits for what comes of that
job, and begins the job itself only when no sign has come for a while, or when it was given up. What
a job prints counts if its claim still held when it ended: one that stood still meanwhile, and wakes
up beside its successor, has nothing to say.
"""

from __future__ import annotations

import shutil
import time
from typing import Self

import structlog
from pydantic import Field
from typing_extensions import override

from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
)
from plumbline.monitoring.repair.launchers.job_folder import LOG
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from plumbline.monitoring.repair.leadership import owner_name
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.claim import Claim, ClaimState, claim_of
from plumbline.store.errors import ConflictError, StoreError
from plumbline.store.keeper import keeper_command
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer

_HOLDER = "holder.txt"
_LEASES = 2
"""A silent job is waited for as long as so many silent leaders."""
_SIGNS = 3
"""Of life, in the time that a silent job is waited for."""

log = structlog.get_logger()


class ClaimedLauncher(SubprocessLauncher):
    """Runs ``<command> <arguments>`` on this machine, unless another one does."""

    class Params(SubprocessLauncher.Params):
        """Where jobs run and are claimed."""

        store: str
        model: str
        silence_seconds: float = Field(30.0, gt=0, description="Until a silent job is given up.")

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._claimed = params
        self._objects = Objects(params.store)
        self._claims: dict[str, Pointer[Claim]] = {}
        self._holders: dict[str, tuple[str, int]] = {}
        self._signs: dict[str, tuple[int, float, float]] = {}

    @override
    @classmethod
    def build(cls, settings: MonitoringSettings) -> Self:
        return cls(
            cls.Params(
                state=settings.state,
                threads=settings.job_threads,
                store=settings.store,
                model=settings.model,
                silence_seconds=_LEASES * settings.lease_seconds,
            )
        )

    @override
    def submit(self, spec: JobSpec) -> JobHandle:
        handle = JobHandle(spec.key)
        if super().poll(handle).state is not JobState.FAILED:
            return handle  # it runs here, or has ended well
        head = self._claim(spec.key).newest()
        if head is None or self._is_free(handle, head):
            self._begin(spec, after=head.number if head else 0)
        return handle

    @override
    def poll(self, handle: JobHandle) -> JobStatus:
        status = super().poll(handle)
        if status.state is not JobState.FAILED:
            return status
        head = self._claim(handle.key).newest()
        if head is None or head.value.state is ClaimState.RELEASED:
            return status
        if head.value.document is not None:
            return JobStatus(JobState.FINISHED, document=head.value.document)
        if head.value.state is ClaimState.ENDED:
            return JobStatus(JobState.FAILED, detail=head.value.detail)
        if not self._is_ours(handle, head):
            return JobStatus(JobState.RUNNING)
        self._end_orphans(handle)
        return status

    @override
    def cancel(self, handle: JobHandle) -> None:
        """End the job where it runs: here at once, elsewhere with its next sign of life."""
        super().cancel(handle)
        try:
            self._release(self._claim(handle.key))
        except StoreError as error:
            log.warning("claim_not_released", job=handle.key, reason=str(error))

    def _release(self, claim: Pointer[Claim]) -> None:
        while (head := claim.newest()) and head.value.state is ClaimState.HELD:
            released = head.value.model_copy(update={"state": ClaimState.RELEASED})
            try:
                claim.advance(released, after=head.number)
            except ConflictError:
                continue  # a sign of life came between

    def _begin(self, spec: JobSpec, *, after: int) -> None:
        """Claim a job and start it; another monitor that was first runs it instead."""
        command = self._params.command[0]
        if shutil.which(command) is None:
            raise PermanentError(f"cannot run {command}: there is no such program")
        holder = owner_name()
        try:
            head = self._claim(spec.key).advance(Claim(holder=holder), after=after)
        except ConflictError:
            return
        self._end_orphans(JobHandle(spec.key))
        self._holders[spec.key] = holder, head.number
        self._launch(spec)
        (self._folder(JobHandle(spec.key)) / _HOLDER).write_text(holder)
        if after:
            log.warning("job_taken_over", job=spec.key)

    @override
    def _command(self, spec: JobSpec) -> list[str]:
        settings = self._claimed
        return keeper_command(
            super()._command(spec),
            claim=(settings.store, settings.model, spec.key),
            holder=self._holders[spec.key],
            beat_seconds=settings.silence_seconds / _SIGNS,
            limit_seconds=spec.timeout_seconds,
            log=self._folder(JobHandle(spec.key)) / LOG,
        )

    def _is_free(self, handle: JobHandle, head: Generation[Claim]) -> bool:
        """Whether a job that does not run here may be begun here."""
        if head.value.state is ClaimState.ENDED:
            return False
        if self._is_ours(handle, head):
            return handle.key not in self._children  # else it has ended, and `poll` says how
        return head.value.state is ClaimState.RELEASED or self._is_silent(handle.key, head)

    def _is_ours(self, handle: JobHandle, head: Generation[Claim]) -> bool:
        """Whether a claim was made for this folder, by us or by a monitor before us."""
        path = self._folder(handle) / _HOLDER
        return path.exists() and path.read_text() == head.value.holder

    def _is_silent(self, key: str, head: Generation[Claim]) -> bool:
        """Whether no sign of life has come for long enough, by our own clock alone.

        Where we have not looked for a while (the store was away, or we stood still) it begins anew.
        """
        now, limit = time.monotonic(), self._claimed.silence_seconds
        number, since, looked = self._signs.get(key, (0, now, now))
        if number != head.number or now - looked > limit / _SIGNS:
            since = now
        self._signs[key] = head.number, since, now
        return now - since >= limit

    def _claim(self, key: str) -> Pointer[Claim]:
        if key not in self._claims:
            self._claims[key] = claim_of(self._objects, self._claimed.model, key)
        return self._claims[key]
