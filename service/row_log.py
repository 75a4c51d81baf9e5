"""What the service promises about its log: an answered row is a durable row.

In ``strict`` mode an answer waits for the commit of its rows, which it shares with whoever else is
waiting; a row that cannot be written is an answer that is not given. In ``best_effort`` mode
answers do not wait: rows queue up for the same committer, and those for which there is no room are
counted.

The rows lie in the worker's spool until the parent process ships them (`shipping`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from plumbline.service.errors import LogUnavailableError
from plumbline.service.log_metrics import LogMetrics
from plumbline.store.errors import SpoolFullError, StoreError
from plumbline.store.group_commit import GroupCommit
from plumbline.store.prediction import SHADOWS, ShadowRow
from plumbline.store.spool import TABLES, Row, Spool

_FAULT_SECONDS = 5.0
_BATCH = 256

log = structlog.get_logger()


class RowLog:
    """The log of one worker.

    Parameters
    ----------
    spool
        Of this worker; closed by `stop`.
    metrics
        Counts what was written and what was lost.
    queue_rows
        ``None`` for strict mode, else how many rows may wait in best-effort mode.

    Attributes
    ----------
    pending
        Rows in the spool at the last look.
    """

    def __init__(
        self,
        spool: Spool,
        metrics: LogMetrics,
        *,
        queue_rows: int | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._spool = spool
        self._metrics = metrics
        self._committer = GroupCommit(spool)
        self._limit = queue_rows
        self._queue: deque[Row] = deque()
        self._flushing: asyncio.Task[None] | None = None
        self._clock = clock
        self._fault = ""
        self._fault_at = float("-inf")
        self.pending = 0

    @property
    def fault(self) -> str:
        """Why rows could not be written within the last seconds, or nothing.

        It expires by itself: without traffic, which an unready service does not get, only another
        attempt can tell whether the fault is over.
        """
        return self._fault if self._clock() - self._fault_at < _FAULT_SECONDS else ""

    async def append(self, rows: Sequence[Row]) -> None:
        """Write rows; in strict mode they are durable on return.

        Raises
        ------
        LogUnavailableError
            In strict mode, if they could not be written.
        """
        if self._limit is not None:
            self._enqueue(rows, self._limit)
            return
        self._metrics.begin_wait()
        try:
            await self._commit(rows)
        except StoreError as error:
            raise LogUnavailableError(
                "the prediction cannot be recorded, so it is not given; try again later"
            ) from error
        finally:
            self._metrics.end_wait()

    async def append_shadow(self, rows: Sequence[ShadowRow]) -> None:
        """Write rows that nobody waits for; whether they are written says nothing of the service.

        Raises
        ------
        StoreError
            If they could not be written.
        """
        await self._committer.append(rows)
        self._metrics.count_spooled(SHADOWS.name, len(rows))

    async def stop(self) -> None:
        """Write what is queued, then close the spool."""
        if self._flushing is not None:
            await self._flushing
        await self._committer.close()
        self._spool.close()

    def watch(self) -> None:
        """Publish how many rows wait and what they take; called now and then from a thread."""
        try:
            self.pending = self._spool.pending()
            self._metrics.set_spool(self.pending, *self._spool.size())
        except StoreError as error:
            self._note(str(error))

    async def _commit(self, rows: Sequence[Row]) -> None:
        try:
            await self._committer.append(rows)
        except StoreError as error:
            self._note(str(error))
            raise
        self._fault = ""
        for table in TABLES:
            count = sum(type(row) is table.kind for row in rows)
            if count:
                self._metrics.count_spooled(table.name, count)

    def _note(self, fault: str) -> None:
        if not self.fault:
            log.error("log_failed", reason=fault)
        self._fault, self._fault_at = fault, self._clock()

    def _enqueue(self, rows: Sequence[Row], limit: int) -> None:
        taken = rows[: max(limit - len(self._queue), 0)]
        self._queue.extend(taken)
        if len(taken) < len(rows):
            self._metrics.count_dropped("queue_full", len(rows) - len(taken))
        if self._queue and (self._flushing is None or self._flushing.done()):
            self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
            try:
                await self._commit(batch)
            except SpoolFullError:
                self._metrics.count_dropped("spool_full", len(batch))
            except StoreError:
                self._metrics.count_dropped("spool_failed", len(batch))
