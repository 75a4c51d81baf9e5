"""The judge of verdicts.

    python -m benchmarks.truth [--short] [--json] [--markets NAME …] [--kinds NAME …]

Every kind of fault, and of harmless event, is played at twelve places of the held-out bars of each
market, and what the watcher says of it is held against what is right. Real bars are used where
``--data`` or PLUMBLINE_DATA names a folder with them; EUR/USD comes with a package and is always
there. Then sound streams are watched for false accusations, the cost of a row is measured, and the
delays of others' detectors; ``--cases-only`` leaves that out, ``--short`` watches the markets' own
held-out bars instead of a million others and leaves out the peers, and plays two places of twelve.
Prints what must hold, tables of markets and kinds, and with ``--json`` one object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.truth.judge import Case, market_of
from benchmarks.truth.kinds import KINDS
from benchmarks.truth.peers import compared
from benchmarks.truth.plan import PLACES
from benchmarks.truth.play import played, present
from benchmarks.truth.recipe import RECIPES, SOUND, data_folder
from benchmarks.truth.report import by_origin, summary, table
from benchmarks.truth.sound import counted, stretch_of_market, watch, watch_all
from benchmarks.truth.speed import measured

SHORT_PLACES = (2, 8)
"""Of the twelve, for ``--short``."""

SHORT_ROWS, ROWS = 30_000, 100_000
"""Rows that the cost is measured on."""


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--short", action="store_true", help="at most ten minutes")
    parser.add_argument("--cases-only", action="store_true", help="no sound streams, cost or peers")
    parser.add_argument("--json", action="store_true", dest="as_json", help="one object, no tables")
    parser.add_argument("--markets", nargs="+", choices=sorted(RECIPES), default=sorted(RECIPES))
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=list(KINDS))
    parser.add_argument("--places", nargs="+", type=int, choices=range(PLACES))
    parser.add_argument(
        "--bars", action="store_true", help="compute inputs again for every kind, not some alone"
    )
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
    cases = played(
        markets, given.kinds, places, data, given.processes, keep=given.cases, bars=given.bars
    )
    result: dict[str, Any] = summary(cases, KINDS)
    result["parts"] = by_origin(cases, KINDS)
    if not given.cases_only:
        result |= beside(markets, data, short=given.short)
    result["seconds"] = round(time.monotonic() - began, 1)
    if given.as_json:
        print(json.dumps(result, indent=1))
        return 0
    _print(result, cases)
    return 0


def beside(markets: Sequence[str], data: Path | None, *, short: bool) -> dict[str, Any]:
    """Return what is measured beside the cases: sound streams, cost, and peers."""
    found: dict[str, Any] = {}
    if short:
        streams = [watch(stretch_of_market(market_of(name, data))) for name in markets]
    else:
        streams = watch_all([each.name for each in SOUND], data)
        there = [name for name in ("eurusd-1h", "btc-1h") if name in markets]
        found["peers"] = [compared(name, (1, 5, 9), data, slow=False) for name in there]
    found["sound"] = counted(streams) | {
        each.name: {"rows": each.rows, "accusations": each.accusations} for each in streams
    }
    single = "btc-1h" if "btc-1h" in markets else markets[0]
    many = "perps-1h" if "perps-1h" in markets else None
    cost = measured(single, many, data, SHORT_ROWS if short else ROWS)
    found["us_per_row"] = {
        name: cost[key]["us_per_row"]
        for name, key in (("one_symbol", "one_symbol"), ("1000_symbols", "many_symbols"))
        if key in cost
    }
    return found | {"cost": cost}


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
