"""Delays of statistical detectors of others, at equal false alarms, on the same rows.

    python -m benchmarks.truth.peers [--json] [--markets NAME …]

Each peer watches the numbers that a fault is in (columns for faults of the client, what heads read
for those of the model), which nobody tells our watcher, and alarms if any of them does. Its
threshold is the most sensitive at which it alarms at most once on all held-out bars of the market,
in order, which the sound model answers; our watcher must not alarm there at all. Then it is shown
each case: the sound rows before the onset, and what followed.

Rows to the first alarm after the onset are compared with our rows to the *verdict*. An alarm that
never comes counts as all rows there were. Peers: river's ADWIN and Page-Hinkley, Jensen-Shannon
distance of chunks of 100 rows (what NannyML computes) in numpy, and Evidently's own tests on chunks
of 100 rows. Those that are not installed are left out, with a line that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.truth.judge import Case, judged, market_of, scene_of
from benchmarks.truth.kinds import KINDS
from benchmarks.truth.log import written
from benchmarks.truth.market import Market
from benchmarks.truth.plan import FAULT_ROWS
from benchmarks.truth.recipe import data_folder
from benchmarks.truth.scene import Scene
from benchmarks.truth.sound import stretch_of_market
from plumbline.bundle.array import FloatArray
from plumbline.store.prediction import PredictionBatch

STATISTICAL = (
    "dead-retrain",
    "timid-retrain",
    "graph-shrunk-3",
    "graph-tripled",
    "overconfident-retrain",
    "prior-moved",
    "always-long",
    "graph-holds-always",
    "percent-returns",
    "annualised-volatility",
    "basis-points",
    "one-column-off-by-four-deviations",
)
"""Kinds that no arithmetic on the log decides."""

CHUNK = 100
SOUND_ALARMS = 1
MERGED = 100
"""Alarms within so many rows are one."""

Alarms = Callable[[FloatArray], list[int]]
"""From rows of numbers to the places of its alarms."""


def numbers(batch: PredictionBatch, market: Market, part: str) -> FloatArray:
    """Return ``features`` or ``centre`` of each row, in deviations of the reference: ``(n, d)``."""
    past = getattr(market.bundle.reference, part).astype(np.float64)
    now = getattr(batch, part).astype(np.float64)
    found: FloatArray = (now - past.mean(axis=0)) / np.maximum(past.std(axis=0), 1e-9)
    return np.clip(found, -50, 50)


def merged(alarms: Sequence[int]) -> list[int]:
    """Return alarms, those close to the one before left out."""
    kept: list[int] = []
    for each in sorted(alarms):
        if not kept or each - kept[-1] >= MERGED:
            kept.append(each)
    return kept


def adwin(delta: float, rows: FloatArray) -> list[int]:
    """Alarms of river's ADWIN on any column."""
    from river.drift import ADWIN  # noqa: PLC0415  # optional

    return _each_column(rows, lambda: ADWIN(delta=delta))


def page_hinkley(threshold: float, rows: FloatArray) -> list[int]:
    """Alarms of river's Page-Hinkley test on any column."""
    from river.drift import PageHinkley  # noqa: PLC0415  # optional

    return _each_column(rows, lambda: PageHinkley(threshold=threshold, delta=0.1))


def _each_column(rows: FloatArray, build: Callable[[], Any]) -> list[int]:
    found: set[int] = set()
    for column in rows.T:
        detector = build()
        for i, value in enumerate(column.tolist()):
            detector.update(value)
            if detector.drift_detected:
                found.add(i)
                detector = build()
    return merged(sorted(found))


def jensen_shannon(reference: FloatArray, threshold: float, rows: FloatArray) -> list[int]:
    """Chunks of which any column's Jensen-Shannon distance from the reference is too large.

    A threshold is in deviations of a column's own distance over chunks of the reference.
    """
    edges = np.quantile(reference, np.linspace(0.1, 0.9, 9), axis=0)
    past = [_shares(column, edges[:, j]) for j, column in enumerate(reference.T)]
    usual = _distances(reference, edges, past)
    mean, spread = usual.mean(axis=0), np.maximum(usual.std(axis=0), 1e-6)
    found = (_distances(rows, edges, past) - mean) / spread
    return merged([(i + 1) * CHUNK - 1 for i in np.flatnonzero((found > threshold).any(axis=1))])


def _shares(column: FloatArray, edges: FloatArray) -> FloatArray:
    places = np.searchsorted(edges, column)
    return np.bincount(places, minlength=len(edges) + 1) / len(column)


def _distances(rows: FloatArray, edges: FloatArray, past: list[FloatArray]) -> FloatArray:
    chunks = [rows[i : i + CHUNK] for i in range(0, len(rows) - CHUNK + 1, CHUNK)]
    return np.array(
        [
            [_distance(_shares(chunk[:, j], edges[:, j]), past[j]) for j in range(rows.shape[1])]
            for chunk in chunks
        ]
    ).reshape(len(chunks), rows.shape[1])


def _distance(p: FloatArray, q: FloatArray) -> float:
    middle = (p + q) / 2
    terms = [
        np.where(each > 0, each * np.log(np.maximum(each, 1e-300) / middle), 0).sum()
        for each in (p, q)
    ]
    return float(np.sqrt(max(sum(terms) / 2, 0.0)))


def evidently(reference: FloatArray, share: float, rows: FloatArray) -> list[int]:
    """Chunks of which Evidently calls more than a share of the columns drifted."""
    found = _drifted_shares(reference, rows)
    return merged([(i + 1) * CHUNK - 1 for i in np.flatnonzero(found > share)])


def _drifted_shares(reference: FloatArray, rows: FloatArray) -> FloatArray:
    os.environ["DO_NOT_TRACK"] = "1"
    import pandas as pd  # noqa: PLC0415  # optional
    from evidently import DataDefinition, Dataset, Report  # noqa: PLC0415  # optional
    from evidently.presets import DataDriftPreset  # noqa: PLC0415  # optional

    names = [f"c{j}" for j in range(reference.shape[1])]
    definition = DataDefinition(numerical_columns=names)

    def held(values: FloatArray) -> Any:
        return Dataset.from_pandas(pd.DataFrame(values, columns=names), data_definition=definition)

    past = held(reference[-2_000:])
    shares = []
    for start in range(0, len(rows) - CHUNK + 1, CHUNK):
        chunk = held(rows[start : start + CHUNK])
        metrics = Report([DataDriftPreset()]).run(chunk, past).dict()["metrics"]
        drifted = [
            value < config["threshold"]
            if "p_value" in config["method"]
            else value >= config["threshold"]
            for config, value in ((each["config"], each["value"]) for each in metrics)
            if isinstance(value, float) and "column" in config
        ]
        shares.append(float(np.mean(drifted)))
    return np.array(shares)


def peers_of(reference: FloatArray, *, slow: bool) -> dict[str, tuple[Any, list[float]]]:
    """Return every peer that is installed, with its thresholds, the most sensitive first."""
    found: dict[str, tuple[Any, list[float]]] = {
        "Jensen-Shannon, chunks of 100": (
            partial(jensen_shannon, reference),
            [2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50],
        )
    }
    if find_spec("river"):
        found["river ADWIN"] = (
            adwin,
            [10.0**-k for k in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)],
        )
        found["river Page-Hinkley"] = (
            page_hinkley,
            [10, 20, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400],
        )
    else:
        print("left out: river is not installed (pip install river)", file=sys.stderr)
    if slow and find_spec("evidently"):
        found["Evidently, chunks of 100"] = (
            partial(evidently, reference),
            [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95],
        )
    elif not slow:
        print("left out: Evidently takes a second a chunk (--slow)", file=sys.stderr)
    if not find_spec("alibi_detect"):
        print("left out: alibi-detect is not installed (it wants numpy below 2)", file=sys.stderr)
    return found


def tuned(alarms: Any, thresholds: Sequence[float], sound: FloatArray) -> float | None:
    """Return the most sensitive threshold with `SOUND_ALARMS` at most; None if there is none."""
    for threshold in thresholds:
        if len(alarms(threshold, sound)) <= SOUND_ALARMS:
            return threshold
    return None


def part_of(name: str) -> str:
    """Return what of a row a kind is in."""
    return "centre" if KINDS[name].phase == "graph" else "features"


def rows_of(market: Market, name: str, place: int) -> tuple[FloatArray, int]:
    """Return a case as numbers, and where its onset is; kinds from the first row get 200 before."""
    kind, part = KINDS[name], part_of(name)
    scene, bundle = scene_of(market, kind, place)
    batch, _ = written(scene, bundle)
    found = numbers(batch, market, part)
    if not kind.first:
        return found, scene.onset
    before, _ = written(Scene(market, KINDS["nothing"], place), market.bundle)
    sound = numbers(before.take(slice(0, 200)), market, part)
    return np.concatenate([sound, found]), 200


def tuned_peers(market: Market, part: str, *, slow: bool) -> dict[str, tuple[Alarms, float]]:
    """Return each peer as it is to be asked about a part of a row, with its threshold."""
    batches = stretch_of_market(market).batches()
    sound = np.concatenate([numbers(each, market, part) for each in batches])
    whole = getattr(market.bundle.reference, part).astype(np.float64)
    reference = (whole - whole.mean(axis=0)) / np.maximum(whole.std(axis=0), 1e-9)
    chosen = {}
    for peer, (alarms, thresholds) in peers_of(reference, slow=slow).items():
        short = sound[:3_000] if peer.startswith("Evidently") else sound
        threshold = tuned(alarms, thresholds, short)
        if threshold is None:
            print(f"{market.name}: {peer} alarms at every threshold", file=sys.stderr)
        else:
            chosen[peer] = (partial(alarms, threshold), threshold)
    return chosen


def compared(name: str, places: Sequence[int], data: Any, *, slow: bool) -> dict[str, Any]:
    """Compare delays on one market."""
    market = market_of(name, data)
    tuned_for = {part: tuned_peers(market, part, slow=slow) for part in ("features", "centre")}
    delays: dict[str, dict[str, list[int]]] = {"ours": {}}
    for kind in (each for each in STATISTICAL if KINDS[each].fits(market)):
        for place in places:
            delays["ours"].setdefault(kind, []).append(_ours(judged(market, KINDS[kind], place)))
            rows, onset = rows_of(market, kind, place)
            for peer, (alarms, _) in tuned_for[part_of(kind)].items():
                late = [each - onset + 1 for each in alarms(rows) if each >= onset]
                own = delays.setdefault(peer, {}).setdefault(kind, [])
                own.append(min(late, default=FAULT_ROWS))
    return {
        "market": name,
        "thresholds": {
            part: {peer: threshold for peer, (_, threshold) in found.items()}
            for part, found in tuned_for.items()
        },
        "median_rows": {
            who: float(np.median([each for own in found.values() for each in own]))
            for who, found in delays.items()
        },
        "by_kind": {
            who: {kind: float(np.median(own)) for kind, own in found.items()}
            for who, found in delays.items()
        },
    }


def _ours(case: Case) -> int:
    """Return our rows to the right verdict."""
    return case.delay_total if case.outcome == "right" and case.delay_total else FAULT_ROWS


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare on each market, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth.peers", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--markets", nargs="+", default=["eurusd-1h", "btc-1h"])
    parser.add_argument("--places", nargs="+", type=int, default=[1, 5, 9])
    parser.add_argument("--slow", action="store_true", help="Evidently, too")
    parser.add_argument("--data")
    given = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    found = []
    for name in given.markets:
        try:
            one = compared(name, given.places, data_folder(given.data), slow=given.slow)
        except FileNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        found.append(one)
        if not given.as_json:
            print(f"\n### {name}, thresholds {one['thresholds']}\n")
            _table(one)
    if given.as_json:
        print(json.dumps(found, indent=1))
    return 0


def _table(one: dict[str, Any]) -> None:
    names = list(one["by_kind"])
    print(f"| kind | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for kind in one["by_kind"]["ours"]:
        cells = [f"{one['by_kind'][who].get(kind, np.nan):.0f}" for who in names]
        print(f"| {kind} | {' | '.join(cells)} |")
    print(f"| median | {' | '.join(str(one['median_rows'][who]) for who in names)} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
