"""Who passes the gate: sound models of real series over seeds, and every cheat we know of.

Sound models are small networks trained by the project's own training; cheats are those of
``tests/support/cheats.py``. EUR/USD ships with the demonstration; the others need a folder with
their files (docs/gate.md), named by ``--data`` or PLUMBLINE_DATA, and are left out where it is not
there. Nothing of a test part is read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment, read_experiment
from plumbline.training.run import train
from tests.support.cheats import CHEATS, Ready

SMALL = ("family.parameters.width=32", "family.parameters.hidden=64", "fit.epochs=5")
COLUMNS = ("timestamp", "symbol", "open", "high", "low", "close", "volume")
LINE = "{:<14} {:<30} {:<12} {:<22} {:>8}"


@dataclass(frozen=True)
class Series:
    """A real series, and an experiment on it."""

    name: str
    file: str = ""
    symbol: str = ""
    settings: tuple[str, ...] = ()
    config: str = "eurusd-1h"

    def experiment(self, data: Path | None, folder: Path) -> Experiment | None:
        """Return the experiment; None where its file is not there."""
        if not self.file:
            return read_experiment(self.config)
        if data is None or not (data / self.file).exists():
            return None
        path = folder / f"{self.name}.parquet"
        if not path.exists():
            table = pq.read_table(data / self.file)
            table = table.filter(pc.equal(table["symbol"], self.symbol))
            if "adj_factor" in table.column_names:
                for name in ("open", "high", "low", "close"):
                    place = table.column_names.index(name)
                    adjusted = pc.multiply(table[name], table["adj_factor"])
                    table = table.set_column(place, name, adjusted)
            pq.write_table(table.select(COLUMNS), path)
        own = (f'data.source="{path}"', f'data.symbol="{self.symbol}"')
        return read_experiment(self.config, [*own, *SMALL, *self.settings])


def _label(seconds: int, threshold: float) -> tuple[str, str]:
    return (
        f"label.parameters.horizon_seconds={seconds}",
        f"label.parameters.threshold={threshold}",
    )


SERIES = (
    Series("eurusd-1h"),
    Series(
        "btc-1h",
        "btc_usdt_1h.parquet",
        "BTC/USDT",
        ("data.max_bars=20000",),
        config="btc-1h",
    ),
    Series(
        "spy-1h",
        "us_equity_1h_1998_2018.parquet",
        "SPY",
        ("data.mirror=false", "data.max_bars=20000", *_label(7_200, 0.003)),
    ),
    Series(
        "btc-5min",
        "crypto_spot_5min_2024.parquet",
        "BTC/USDT",
        ("data.max_bars=20000", "split.embargo_seconds=3600", *_label(1_800, 0.003)),
    ),
    Series(
        "spy-1min",
        "spy_1min.parquet",
        "SPY",
        (
            "data.mirror=false",
            "data.max_bars=30000",
            "split.embargo_seconds=3600",
            *_label(300, 0.0008),
        ),
    ),
)


def main() -> int:
    """Judge all of them, print a line each, and fail if a cheat passed or sound models did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PLUMBLINE_DATA"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--series", default=",".join(each.name for each in SERIES))
    parser.add_argument("--short", action="store_true", help="Two seeds a series.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seeds = 2 if given.short else given.seeds
    wanted = given.series.split(",")
    found = []
    with TemporaryDirectory() as folder:
        for series in (each for each in SERIES if each.name in wanted):
            experiment = series.experiment(given.data, Path(folder))
            if experiment is None:
                print(f"{series.name}: no {series.file}, left out", file=sys.stderr)
                continue
            for line in (*_sound(experiment, seeds), *_cheats(experiment)):
                found.append({"series": series.name, **line})
                print(
                    LINE.format(series.name, *(str(value) for value in line.values())),
                    file=sys.stderr if given.json else sys.stdout,
                    flush=True,
                )
    summary = _summary(found)
    print(json.dumps({"cases": found, "summary": summary}, indent=2) if given.json else summary)
    return int(any(each["passed"] < 0.9 or each["cheats_passed"] for each in summary.values()))


def _sound(experiment: Experiment, seeds: int) -> Iterator[dict[str, Any]]:
    objects = Objects("memory://gate")
    for seed in range(seeds):
        began = time.monotonic()
        result = train(experiment.changed(seed=seed), objects, "gate")
        withheld = ModelRegistry(objects, "gate").validation(result.version).withheld
        yield _line(f"sound, seed {seed}", result.verdict.value, result.passed, withheld, began)


def _cheats(experiment: Experiment) -> Iterator[dict[str, Any]]:
    ready = Ready.of(experiment.changed(data={"mirror": False}))
    for name, cheat in CHEATS.items():
        began = time.monotonic()
        report = cheat(ready)
        yield _line(name, report.verdict.value, report.passed, report.withheld, began)


def _line(case: str, verdict: str, passed: bool, withheld: str, began: float) -> dict[str, Any]:
    sizes = withheld or "suggested"
    return {
        "case": case,
        "verdict": verdict,
        "outcome": f"passed, {sizes}" if passed else "refused",
        "seconds": round(time.monotonic() - began, 1),
    }


def _summary(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    summary = {}
    for name in dict.fromkeys(each["series"] for each in found):
        own = [each for each in found if each["series"] == name]
        sound = [each for each in own if each["case"].startswith("sound")]
        cheats = [each for each in own if each not in sound]
        outcomes = Counter(each["outcome"] for each in sound)
        passed = sum(n for outcome, n in outcomes.items() if outcome.startswith("passed"))
        summary[name] = {
            "sound": dict(outcomes),
            "passed": passed / max(len(sound), 1),
            "cheats": len(cheats),
            "cheats_passed": [e["case"] for e in cheats if e["outcome"].startswith("passed")],
        }
    return summary


if __name__ == "__main__":
    sys.exit(main())
