"""The prediction log: durable rows a second, what a lone caller waits, shipping, and reading.

Every figure includes the flush to disk: a row counts when `append` has returned. The flush is timed
alone, too, because the disk decides most of it. The log is written below TMPDIR (see ``--folder``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np

from plumbline.store.group_commit import GroupCommit
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionRow
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool

FEATURES = 24
MODEL = "eurusd-1h"
_numbers = count()


@dataclass(frozen=True)
class Figure:
    """One measurement."""

    name: str
    value: float
    unit: str


def rows(n: int) -> list[PredictionRow]:
    """Return rows as the service writes them: 3 classes, 24 features, no window."""
    now = time.time_ns() // 1000
    rng = np.random.default_rng(next(_numbers))
    features = rng.normal(size=(n, FEATURES)).astype(np.float32)
    three = features[:, :3].copy()
    return [
        PredictionRow(
            prediction_id=f"{now:016d}-{next(_numbers):012d}",
            seq=next(_numbers),
            time=now + i,
            bar_time=now,
            symbol="EURUSD",
            group="",
            client="",
            model=MODEL,
            version="0123456789abcdef",
            latency_us=900,
            raw=three[i].tobytes(),
            centre=three[i].tobytes(),
            epistemic=three[i, :1].tobytes(),
            action=1,
            position=0.0,
            size=0.0,
            features=features[i].tobytes(),
            inputs_hash=f"{i:016x}",
            window=None,
        )
        for i in range(n)
    ]


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def flushing(folder: Path) -> Iterator[Figure]:
    """One write and fsync of 4 KiB: the floor under everything else."""
    descriptor = os.open(folder / "flush", os.O_CREAT | os.O_WRONLY)

    def flush() -> None:
        os.pwrite(descriptor, b"x" * 4096, 0)
        os.fsync(descriptor)

    times = [seconds(flush) for _ in range(200)]
    os.close(descriptor)
    yield Figure("disk flush p50", float(np.median(times)) * 1e3, "ms")


def appending(spool: Spool) -> Iterator[Figure]:
    """Acknowledged rows a second by the size of a group."""
    for size in (1, 16, 64, 256, 1024):
        groups = [rows(size) for _ in range(max(4096 // size, 8))]
        times = [seconds(lambda group=group: spool.append(group)) for group in groups]
        yield Figure(f"append, groups of {size}", size * len(times) / sum(times), "rows/s")
        yield Figure(f"append, groups of {size}, p50", float(np.median(times)) * 1e3, "ms")


def committing(spool: Spool, callers: int) -> Iterator[Figure]:
    """Single rows through group commit, by callers that each wait for their answer."""
    waits: list[float] = []
    each = max(2000 // callers, 40)
    work = [rows(each) for _ in range(callers)]

    async def caller(committer: GroupCommit, mine: list[PredictionRow]) -> None:
        for row in mine:
            start = time.perf_counter()
            await committer.append([row])
            waits.append(time.perf_counter() - start)

    async def run() -> float:
        committer = GroupCommit(spool)
        start = time.perf_counter()
        await asyncio.gather(*(caller(committer, mine) for mine in work))
        elapsed = time.perf_counter() - start
        await committer.close()
        return elapsed

    elapsed = asyncio.run(run())
    name = f"group commit, {callers} callers"
    yield Figure(name, len(waits) / elapsed, "rows/s")
    yield Figure(f"{name}, p50", float(np.median(waits)) * 1e3, "ms")
    yield Figure(f"{name}, p99", float(np.quantile(waits, 0.99)) * 1e3, "ms")


def shipping(spool: Spool, folder: Path, objects: Objects) -> Iterator[Figure]:
    """Sealing and uploading, and a round in which there is one row."""
    shipper = Shipper(folder, objects)
    shipper.ship()
    for _ in range(20):
        spool.append(rows(1000))
    yield Figure("ship 20,000 rows", 20_000 / seconds(shipper.ship), "rows/s")

    def one_round() -> None:
        spool.append(rows(1))
        shipper.ship()

    times = [seconds(one_round) for _ in range(200)]
    yield Figure("append and ship one row, p50", float(np.median(times)) * 1e3, "ms")


def reading(spool: Spool, folder: Path, objects: Objects) -> Iterator[Figure]:
    """A reader that comes new, that follows, and that asks for the latest."""
    shipper = Shipper(folder, objects)
    log = PredictionLog(objects, MODEL, settle_seconds=0)
    start = time.perf_counter()
    total = 0
    while size := len(log.read_new()):
        total += size
    yield Figure("read all", total / (time.perf_counter() - start), "rows/s")
    segments = len(objects.keys("predictions"))

    def follow() -> float:
        spool.append(rows(10))
        shipper.ship()
        return seconds(log.read_new)

    yield Figure("segments in the hour", segments, "")
    yield Figure(
        "read_new, 10 new rows, p50", float(np.median([follow() for _ in range(20)])) * 1e3, "ms"
    )
    yield Figure("read(limit=1000)", seconds(lambda: log.read(limit=1000)) * 1e3, "ms")


def run(folder: Path) -> list[Figure]:
    """Measure everything below a folder."""
    spool = Spool(folder / "spools", "bench")
    objects = Objects((folder / "store").as_uri())
    figures = [
        *flushing(folder),
        *appending(spool),
        *committing(spool, 1),
        *committing(spool, 32),
        *committing(spool, 256),
        *shipping(spool, folder / "spools", objects),
        *reading(spool, folder / "spools", objects),
    ]
    spool.close()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="where to write; a temporary folder by default")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = run(Path(folder))
    if arguments.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    for figure in figures:
        print(f"{figure.name:40} {figure.value:12,.2f} {figure.unit}")


if __name__ == "__main__":
    main()
