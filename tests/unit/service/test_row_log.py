"""The log's promise, against a spool that fails in the ways a disk can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from plumbline.service.errors import LogUnavailableError
from plumbline.service.metrics import Metrics
from plumbline.service.row_log import RowLog
from plumbline.store.errors import SpoolFullError, StoreError
from plumbline.store.outcome import OutcomeRow
from plumbline.store.spool import Row

ROW = OutcomeRow("a" * 32, 0, 0, "eurusd-1h", "h6", "BUY", None)


class Disk:
    """A spool whose disk can be told to fail."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.error: StoreError | None = None
        self.closed = False

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows, or fail."""
        if self.error is not None:
            raise self.error
        self.rows.extend(rows)

    def pending(self) -> int:
        """Count rows, or fail."""
        if self.error is not None:
            raise self.error
        return len(self.rows)

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def run(scenario, **options):
    """Run a scenario with a log on a failing disk and a clock moved by hand."""
    disk, clock = Disk(), [0.0]

    async def main():
        row_log = RowLog(disk, Metrics().log, clock=lambda: clock[0], **options)
        try:
            return await scenario(row_log, disk, clock)
        finally:
            await row_log.stop()
            assert disk.closed

    return asyncio.run(main())


def test_fault_lasts_seconds_and_is_tried_again():
    """An unready service gets no traffic, so the fault must expire without any."""

    async def scenario(row_log, disk, clock):
        disk.error = SpoolFullError("full to the brim")
        with pytest.raises(LogUnavailableError, match="cannot be recorded"):
            await row_log.append([ROW])
        assert row_log.fault == "full to the brim"
        clock[0] = 4.9
        assert row_log.fault
        clock[0] = 5.1
        assert row_log.fault == ""

    run(scenario)


def test_first_success_ends_the_fault():
    """A row that got through is the best evidence."""

    async def scenario(row_log, disk, clock):
        disk.error = StoreError("no disk")
        with pytest.raises(LogUnavailableError):
            await row_log.append([ROW])
        disk.error = None
        await row_log.append([ROW])
        assert row_log.fault == ""
        assert disk.rows == [ROW]

    run(scenario)


def test_callers_learn_nothing_of_the_disk():
    """Paths of the server are for its log."""

    async def scenario(row_log, disk, clock):
        disk.error = StoreError("cannot append to spool /var/lib/secret")
        with pytest.raises(LogUnavailableError) as refused:
            await row_log.append([ROW])
        assert "/var" not in refused.value.message

    run(scenario)


def test_unreadable_spool_is_a_fault():
    """What cannot even be counted cannot be trusted with rows."""

    async def scenario(row_log, disk, clock):
        disk.error = StoreError("cannot read")
        row_log.watch()
        assert row_log.fault == "cannot read"

    run(scenario)


def test_rows_queued_at_the_stop_are_written():
    """Best effort still means the effort."""
    written = []

    async def scenario(row_log, disk, clock):
        written.append(disk.rows)
        await row_log.append([ROW] * 100)

    run(scenario, queue_rows=100)

    assert written == [[ROW] * 100]
