"""All cases, several at a time."""

from __future__ import annotations

import json
import multiprocessing
import sys
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.truth.judge import Case, crashed, judged, market_of
from benchmarks.truth.kind import Kind
from benchmarks.truth.kinds import KINDS
from benchmarks.truth.market import Market, open_market


def play(task: tuple[str, str, tuple[int, ...], Path | None, bool]) -> list[Case]:
    """Judge one kind at some places of a market; none where it cannot happen there."""
    warnings.simplefilter("ignore")
    name, kind, places, data, bars = task
    market = market_of(name, data)
    if not KINDS[kind].fits(market):
        return []
    return [_judged(market, KINDS[kind], place, bars=bars) for place in places]


def _judged(market: Market, kind: Kind, place: int, *, bars: bool) -> Case:
    """Judge a case; what the watcher does not survive is an outcome, too."""
    try:
        return judged(market, kind, place, bars=bars)
    except Exception:  # noqa: BLE001  # counted and shown, and the other cases go on
        return crashed(market, kind, place)


def present(names: Sequence[str], data: Path | None) -> list[str]:
    """Train what is not yet trained, and return the markets whose bars are there."""
    found = []
    for name in names:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                open_market(name, data)
        except FileNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr, flush=True)
        else:
            found.append(name)
    return found


def played(
    markets: Sequence[str],
    kinds: Sequence[str],
    places: Sequence[int],
    data: Path | None,
    processes: int,
    *,
    keep: Path | None = None,
    bars: bool = False,
) -> list[Case]:
    """Judge every case, several at a time; cases of a market follow each other.

    Each is written to ``keep``, a line of JSON, as soon as it is known. With ``bars``, inputs are
    computed again for every kind, as a monitor does that can read bars.
    """
    tasks = [(market, kind, tuple(places), data, bars) for market in markets for kind in kinds]
    if processes == 1:
        return _kept(map(play, tasks), keep)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return _kept(pool.map(play, tasks), keep)


def _kept(found: Iterable[list[Case]], keep: Path | None) -> list[Case]:
    """Return all cases, having written each where it is to be kept."""
    cases: list[Case] = []
    if keep is not None:
        keep.write_text("")
    for some in found:
        cases += some
        if keep is not None:
            with keep.open("a") as file:
                file.writelines(json.dumps(asdict(each)) + "\n" for each in some)
    return cases
