"""What watching costs: processor time a row at one symbol and at a thousand, memory, a backlog.

    python -m benchmarks.truth.speed [--json] [--market NAME] [--rows N]

Real windows with their hashes, real answers: everything the watcher does for a row of the log. At a
thousand symbols each is a stretch of one of the market's own, moved by whole weeks so that its
clock is right. Making the log is not counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import tracemalloc
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.truth.judge import market_of
from benchmarks.truth.market import Market
from benchmarks.truth.plan import SLICE
from benchmarks.truth.recipe import data_folder
from benchmarks.truth.sound import Stretch, stretch_of_market
from plumbline.monitoring.watching.stream import whole_groups
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.prediction import PredictionBatch

MANY = 1_000
"""Symbols."""

BACKLOG = 1_000
"""Rows at a time where the log is far ahead."""

WEEK = 604_800_000_000


@dataclass(frozen=True)
class Cost:
    """Of watching one log.

    Attributes
    ----------
    symbols, rows, at_a_time
        Its size, and how many rows the watcher was given at a time.
    us_per_row
        Processor time.
    us_per_row_late
        Of the second half alone.
    wall_seconds
        Of all rows.
    grown_kib
        How much more memory the watcher holds after the second half than after the first, by
        `tracemalloc` in a run of a fifth of the rows.
    accusations
        Of anybody; there should be none.
    """

    symbols: int
    rows: int
    at_a_time: int
    us_per_row: float
    us_per_row_late: float
    wall_seconds: float
    grown_kib: float
    accusations: int


def watched(stretch: Stretch, rows: int, at_a_time: int) -> Cost:
    """Watch so many rows of a stretch; what learning the reference costs is not counted."""
    batches = _some(stretch, rows)
    pieces = [some for batch in batches for some in whole_groups(batch, at_a_time)]
    Watcher(stretch.bundle).feed(pieces[0])
    watcher = Watcher(stretch.bundle)
    half, seen, accusations = sum(map(len, pieces)) // 2, 0, 0
    spent, late, wall = 0.0, 0.0, 0.0
    for some in pieces:
        began, clock = time.process_time(), time.monotonic()
        found = watcher.feed(some)
        took = time.process_time() - began
        wall += time.monotonic() - clock
        spent += took
        late += took if seen >= half else 0.0
        seen += len(some)
        accusations += sum(not each.verdict.facts.sized for each in found)
    return Cost(
        len(np.unique(np.concatenate([some.symbol for some in pieces]))),
        seen,
        at_a_time,
        1e6 * spent / seen,
        1e6 * late / max(seen - half, 1),
        wall,
        _grown(stretch, pieces[: max(len(pieces) // 5, 4)]),
        accusations,
    )


def _grown(stretch: Stretch, pieces: list[PredictionBatch]) -> float:
    """Return by how much a watcher grows in the second half of these rows, KiB."""
    watcher, middle, held = Watcher(stretch.bundle), len(pieces) // 2, []
    watcher.feed(pieces[0])
    tracemalloc.start()
    for i, some in enumerate(pieces[1:], 1):
        watcher.feed(some)
        if i in (middle, len(pieces) - 1):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return (held[-1] - held[0]) / 1024


def _some(stretch: Stretch, rows: int) -> list[PredictionBatch]:
    """Return the first so many rows of a stretch, made beforehand."""
    found: list[PredictionBatch] = []
    for batch in stretch.batches():
        found.append(batch)
        if sum(map(len, found)) >= rows:
            break
    return found


def of_many(market: Market, rows: int) -> Stretch:
    """Return a stretch of a thousand symbols: the market's own, moved by whole weeks."""
    symbols, bars = market.features_of.shape[:2]
    least = market.memory + market.steps
    week = WEEK // market.interval
    each = -(-rows // MANY)
    shifts = (bars - least - each) // week
    copies = -(-MANY // symbols)
    if shifts < 1:
        raise ValueError(f"{market.name}: {bars} bars are too few for {MANY} symbols")
    length = each + market.steps
    features, times, names, asked = [], [], [], []
    for number in range(min(MANY, copies * symbols)):
        symbol, copy = number % symbols, number // symbols
        begin = least + (copy % shifts) * week
        places = np.arange(begin - market.steps, begin + each)
        features.append(market.features_of[symbol, places])
        times.append(market.time[least - market.steps : least + each])
        names.append(np.full(length, f"{market.symbols[symbol]}-{copy}"))
        asked.append(number * length + np.arange(market.steps, length))
    rows_of = np.stack(asked).T.reshape(-1)
    return Stretch(
        f"{market.name}-many",
        market.bundle,
        np.concatenate(features),
        np.concatenate(times),
        np.concatenate(names),
        rows_of,
    )


def measured(single: str, many: str | None, data: Path | None, rows: int) -> dict[str, Any]:
    """Measure everything."""
    one = stretch_of_market(market_of(single, data))
    whole = market_of(single, data)
    places = np.arange(whole.memory + whole.steps, len(whole.time))
    longest = Stretch(one.name, one.bundle, one.features, one.time, one.symbol, places)
    found: dict[str, Any] = {
        "one_symbol": asdict(watched(longest, rows, BACKLOG)),
        "one_symbol_live": asdict(watched(one, rows // 5, SLICE)),
    }
    if many is not None:
        several = market_of(many, data)
        found["many_symbols"] = asdict(watched(of_many(several, rows), rows, BACKLOG))
        held = stretch_of_market(several)
        backlog = watched(held, rows, BACKLOG)
        found["backlog"] = asdict(backlog)
        found["backlog_seconds_of_1m"] = 1e6 * backlog.wall_seconds / backlog.rows
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth.speed", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--single", default="btc-1h", help="market of one symbol")
    parser.add_argument("--many", default="perps-1h", help="market of many")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--data")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    found = measured(given.single, given.many, data_folder(given.data), given.rows)
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
