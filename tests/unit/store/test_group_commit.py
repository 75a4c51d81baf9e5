"""Group commit: everybody's rows, each answer to its caller."""

from __future__ import annotations

import asyncio
import threading

import pytest

from plumbline.store.errors import SpoolFullError, StoreError
from plumbline.store.group_commit import GroupCommit
from tests.support.rows import prediction_row, prediction_rows


class Disk:
    """A disk whose flush waits for a sign, and which refuses rows called bad."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.rows: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def append(self, rows) -> None:
        """Wait, then take all rows or none."""
        self.go.wait(10)
        self.groups.append(len(rows))
        if any(row.prediction_id == "bad" for row in rows):
            raise SpoolFullError("no room")
        self.rows.extend(row.prediction_id for row in rows)


async def gathered(committer: GroupCommit, disk: Disk, *batches) -> list[BaseException | None]:
    """Let a first row occupy the disk while the batches gather; return the batches' answers."""
    disk.go.clear()
    first = asyncio.create_task(committer.append([prediction_row(0)]))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(committer.append(batch)) for batch in batches]
    await asyncio.sleep(0)
    disk.go.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_a_lone_caller_is_committed_at_once():
    """Each append of a caller that waits for it is a commit of its own."""
    disk = Disk()

    async def run() -> None:
        committer = GroupCommit(disk)
        for number in range(3):
            await committer.append([prediction_row(number)])
        await committer.close()

    asyncio.run(run())

    assert disk.groups == [1, 1, 1]


def test_those_who_come_during_a_commit_share_the_next():
    """Twenty callers, one flush, and rows in the order they came."""
    disk = Disk()

    async def run() -> None:
        committer = GroupCommit(disk)
        await gathered(committer, disk, *([row] for row in prediction_rows(range(1, 21))))
        await committer.close()

    asyncio.run(run())

    assert disk.groups == [1, 20]
    assert disk.rows == [f"p-{number:06d}" for number in range(21)]


def test_a_commit_is_bounded_and_no_caller_is_split():
    """A caller whose rows do not fit any more goes first into the next commit."""
    disk = Disk()

    async def run() -> None:
        committer = GroupCommit(disk, max_rows=10)
        batches = [prediction_rows(range(4))] * 4 + [prediction_rows(range(25))]
        await gathered(committer, disk, *batches)
        await committer.close()

    asyncio.run(run())

    assert disk.groups == [1, 8, 8, 25]


def test_a_bad_batch_fails_alone():
    """Its neighbours in the same group are committed all the same."""
    disk = Disk()

    async def run() -> list[BaseException | None]:
        committer = GroupCommit(disk)
        bad = [prediction_row(1, prediction_id="bad")]
        answers = await gathered(committer, disk, prediction_rows(range(1, 3)), bad, [])
        await committer.close()
        return answers

    answers = asyncio.run(run())

    assert [type(answer) for answer in answers] == [type(None), SpoolFullError, type(None)]
    assert disk.rows == ["p-000000", "p-000001", "p-000002"]


def test_a_caller_that_gives_up_disturbs_nobody():
    """The others of its group get their answers."""
    disk = Disk()

    async def run() -> None:
        committer = GroupCommit(disk)
        disk.go.clear()
        calls = [asyncio.create_task(committer.append([prediction_row(n)])) for n in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        disk.go.set()
        await asyncio.gather(calls[0], calls[2])
        await committer.close()

    asyncio.run(run())

    assert {"p-000000", "p-000002"} <= set(disk.rows)


def test_closing_finishes_what_is_under_way_and_refuses_the_rest():
    """A stopping service answers those it has accepted."""
    disk = Disk()

    async def run() -> None:
        committer = GroupCommit(disk)
        accepted = [asyncio.create_task(committer.append([prediction_row(n)])) for n in range(5)]
        await asyncio.sleep(0)
        await committer.close()
        await asyncio.gather(*accepted)
        with pytest.raises(StoreError, match="is stopping"):
            await committer.append([prediction_row(9)])

    asyncio.run(run())

    assert len(disk.rows) == 5
    assert not [t for t in threading.enumerate() if t.name == "group-commit"]
