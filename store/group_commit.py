"""Group commit: callers of one event loop share the flushes of one disk.

A single thread commits. While it does, newcomers gather; the moment it is done, all of them go into
the next commit. So a lone caller waits for one flush and no timer, and a crowd for at most two.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from plumbline.store.errors import StoreError
from plumbline.store.spool import Row

MAX_ROWS = 1024


class Durable(Protocol):
    """What rows are committed to."""

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; durable on return."""


class _Entry:
    """The rows of one caller, and where the answer goes."""

    __slots__ = ("answer", "error", "rows")

    def __init__(self, rows: Sequence[Row], answer: asyncio.Future[None]) -> None:
        self.rows = rows
        self.answer = answer
        self.error: Exception | None = None


class GroupCommit:
    """Appends rows to a spool on behalf of many coroutines of one event loop.

    Parameters
    ----------
    spool
        Where the rows go; used from one thread of this object alone.
    max_rows
        Largest commit; one caller's rows are never split.
    """

    def __init__(self, spool: Durable, *, max_rows: int = MAX_ROWS) -> None:
        self._spool = spool
        self._max_rows = max_rows
        self._waiting: deque[_Entry] = deque()
        self._busy = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: queue.SimpleQueue[list[_Entry] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_all, name="group-commit", daemon=True)
        self._thread.start()

    async def append(self, rows: Sequence[Row]) -> None:
        """Add rows; durable on return.

        A caller that is cancelled while it waits may still find its rows committed.

        Raises
        ------
        SpoolFullError
            If the spool is full; none of these rows was added.
        StoreError
            If the disk failed, or this object is closed; none of these rows was added.
        """
        if self._closed:
            raise StoreError("the spool is closed: the service is stopping")
        if not rows:
            return
        self._loop = asyncio.get_running_loop()
        entry = _Entry(rows, self._loop.create_future())
        self._waiting.append(entry)
        if not self._busy:
            self._send()
        await entry.answer

    async def close(self) -> None:
        """Finish what is under way, refuse what comes, and stop the thread."""
        self._closed = True
        while self._busy or self._waiting:
            await asyncio.sleep(0.001)
        self._work.put(None)
        await asyncio.to_thread(self._thread.join)

    def _send(self) -> None:
        """Hand the next group to the thread; in the event loop."""
        group = [self._waiting.popleft()]
        rows = len(group[0].rows)
        while self._waiting and rows + len(self._waiting[0].rows) <= self._max_rows:
            group.append(self._waiting.popleft())
            rows += len(group[-1].rows)
        self._busy = True
        self._work.put(group)

    def _answer(self, group: list[_Entry]) -> None:
        """Wake the callers; in the event loop."""
        self._busy = False
        if self._waiting:
            self._send()
        for entry in group:
            if entry.answer.done():
                continue
            if entry.error is None:
                entry.answer.set_result(None)
            else:
                entry.answer.set_exception(entry.error)

    def _commit_all(self) -> None:
        """Commit group after group; the thread."""
        while (group := self._work.get()) is not None:
            self._commit(group)
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._answer, group)

    def _commit(self, group: list[_Entry]) -> None:
        """Commit a group as one; if that fails each on its own, so that one bad row fails alone."""
        try:
            self._spool.append([row for entry in group for row in entry.rows])
        except Exception as error:  # noqa: BLE001 - every failure belongs to the waiting callers
            if len(group) == 1:
                group[0].error = error
                return
            for entry in group:
                self._commit([entry])
