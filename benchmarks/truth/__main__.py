"""The judge of verdicts.

    python -m benchmarks.truth [--short] [--json] [--markets NAME …] [--kinds NAME …]

Every kind of fault, and of harmless event, is played at twelve places of the held-out bars of each
market, and what the watcher says of it is held against what is right. Real bars are used where
``--data`` or PLUMBLINE_DATA names a folder with them; EUR/USD comes with a package and is always
there. Prints what must hold, tables of markets and kinds, and with ``--json`` one object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.truth.judge import Case, judged, market_of
from benchmarks.truth.kinds import KINDS
from benchmarks.truth.market import open_market
from benchmarks.truth.plan import PLACES
from benchmarks.truth.recipe import RECIPES, data_folder
from benchmarks.truth.report import by_origin, summary, table

SHORT_PLACES = (1, 5, 9)
"""Of the twelve, for ``--short``."""


def play(task: tuple[str, str, tuple[int, ...], Path | None]) -> list[Case]:
    """Judge one kind at some places of a market; none where it cannot happen there."""
    warnings.simplefilter("ignore")
    name, kind, places, data = task
    market = market_of(name, data)
    if not KINDS[kind].fits(market):
        return []
    return [judged(market, KINDS[kind], place) for place in places]


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
) -> list[Case]:
    """Judge every case, several at a time; cases of a market follow each other."""
    tasks = [(market, kind, tuple(places), data) for market in markets for kind in kinds]
    if processes == 1:
        return [case for task in tasks for case in play(task)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return [case for some in pool.map(play, tasks) for case in some]


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", action="store_true", help="three places; at most ten minutes")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one object, no tables")
    parser.add_argument("--markets", nargs="+", choices=sorted(RECIPES), default=sorted(RECIPES))
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=list(KINDS))
    parser.add_argument("--places", nargs="+", type=int, choices=range(PLACES))
    parser.add_argument("--data", help="folder with real bars; PLUMBLINE_DATA by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cases", type=Path, help="write every case here, a JSON object a line")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, count, print; 0 always: what must hold is compared by whoever reads it."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given = _parsed(arguments)
    data, began = data_folder(given.data), time.monotonic()
    places = given.places or (SHORT_PLACES if given.short else tuple(range(PLACES)))
    markets = present(given.markets, data)
    cases = played(markets, given.kinds, places, data, given.processes)
    result: dict[str, Any] = summary(cases, KINDS)
    result |= {"parts": by_origin(cases, KINDS), "seconds": round(time.monotonic() - began, 1)}
    if given.cases:
        given.cases.write_text("".join(json.dumps(asdict(each)) + "\n" for each in cases))
    if given.as_json:
        print(json.dumps(result, indent=1))
        return 0
    _print(result, cases)
    return 0


def _print(result: dict[str, Any], cases: Sequence[Case]) -> None:
    print("| | cases | right | wrong party | missed | vague | false | exact | statistical |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, own in (("all", result), *result["parts"].items()):
        shares = " | ".join(
            f"{100 * own[key]:.1f} %" for key in ("cause_right", "wrong_party", "missed", "vague")
        )
        print(
            f"| {name} | {own['cases']:,} | {shares} | {own['false_accusations']} "
            f"| {own['exact_delay_rows']} | {own['statistical_delay_rows']} |"
        )
    print(f"\n{table(cases, KINDS)}\n")
    print(json.dumps({key: value for key, value in result.items() if key != "parts"}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
