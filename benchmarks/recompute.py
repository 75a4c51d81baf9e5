"""Recomputation on real bars: who is accused, who is not, and what it is called.

``python -m benchmarks.recompute [--data FOLDER]``: bars of EUR/USD and, given the folder, of
BTC/USDT, IBM and SPY. A client sends right rows, rows of files of bars that were revised since, or
rows with a fault from the first one on; each at many places, as many rows as a job may see.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.diagnosis.exact.recomputed import Comparison, compare
from plumbline.training.bars import Bars
from plumbline.training.data import read_bars, resolve
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import build_table, mirrored, resolve_feature_set
from plumbline.training.reach import measure_reach
from plumbline.training.sent_rows import Sent, Sheet, lay_beside

SERIES = {
    "EUR/USD hours": ("eurusd-1h", "EURUSD"),
    "BTC/USDT hours": ("btc_usdt_1h.parquet", "BTC/USDT"),
    "IBM hours": ("us_equity_1h_1998_2018.parquet", "IBM"),
    "SPY minutes": ("spy_1min.parquet", "SPY"),
}
BARS = 9_000
LENGTHS = (20, 50, 200)
PLACES = 24


@dataclass(frozen=True)
class Market:
    """Bars with everything that is computed of them."""

    bars: Bars

    @cached_property
    def features(self) -> FeatureSet[Any]:
        """What the columns are computed with."""
        return resolve_feature_set("intraday_31", {}, [self.bars])

    def sheet(self, bars: Bars) -> Sheet:
        """Return what a file of bars gives."""
        tables = [build_table(self.features, each) for each in (bars, mirrored(bars))]
        return Sheet(bars.time, *(each.astype(np.float64) for each in tables), bars.interval)

    @cached_property
    def right(self) -> Sheet:
        """What the client's own bars give."""
        return self.sheet(self.bars)

    @cached_property
    def scale(self) -> Scale:
        """In which differences are counted."""
        table = self.right.values
        return Scale.of(table[np.isfinite(table).all(axis=1)])

    @cached_property
    def reach(self) -> IntArray:
        """In how many rows a bar shows."""
        return measure_reach(self.features, self.scale.deviation)

    @cached_property
    def places(self) -> list[int]:
        """Where the first row of a job is."""
        first = self.features.memory + 100
        return np.linspace(first, len(self.bars) - max(LENGTHS), PLACES).astype(int).tolist()

    def judge(self, sent: FloatArray, place: int, rows: int, sheet: Sheet) -> Comparison:
        """Hold rows that were sent against a file of bars."""
        some = slice(place, place + rows)
        symbol = np.full(rows, self.bars.symbol, dtype=object)
        client = np.full(rows, "", dtype=object)
        given = Sent(sent[some].astype(np.float32), self.bars.time[some], symbol, client)
        sheets = {self.bars.symbol: sheet}
        pairs, _ = lay_beside(given, sheets, self.features.names, self.scale, self.reach)
        return compare(pairs)


def revised(bars: Bars, share: float, size: float, rng: np.random.Generator) -> Bars:
    """Return bars of which some were corrected since: prices by a size, volumes by a tenth."""
    who = rng.random(len(bars)) < share
    close = bars.close * np.where(who, np.exp(rng.normal(0, size, len(bars))), 1)
    high = np.maximum(bars.high, np.maximum(bars.open, close))
    low = np.minimum(bars.low, np.minimum(bars.open, close))
    volume = bars.volume * np.where(who, np.exp(rng.normal(0, 0.1, len(bars))), 1)
    return replace(bars, high=high, low=low, close=close, volume=volume)


def faults(market: Market, rng: np.random.Generator) -> Iterator[tuple[str, set[str], FloatArray]]:
    """Yield what a client sends of every bar, and what it may be called."""
    table, scale = market.right.values, market.scale
    width = table.shape[1]

    def some(columns: int, change: Callable[[FloatArray, np.ndarray], FloatArray]) -> FloatArray:
        sent, who = table.copy(), rng.choice(width - 6, columns, replace=False)
        sent[:, who] = change(table[:, who], who)
        return sent

    another = {"another"}
    yield "1 bar late", another, np.roll(table, 1, axis=0)
    yield "48 bars late", another, np.roll(table, 48, axis=0)
    yield "1 bar early", another, np.roll(table, -1, axis=0)
    yield "price inverted", another, build_table(market.features, mirrored(market.bars))
    yield "all × 1.5", {"scaled"}, table * 1.5
    yield "3 columns × 1.5", {"scaled"}, some(3, lambda x, _: 1.5 * x)
    yield "1 column × 100", {"unit"}, some(1, lambda x, _: 100 * x)
    yield "1 column + 2 sd", {"shifted"}, some(1, lambda x, j: x + 2 * scale.deviation[j])
    yield "2 columns negated", {"sign"}, some(2, lambda x, _: -x)
    yield "standardised", {"standardised"}, (table - scale.mean) / scale.deviation
    yield "8 columns permuted", {"permuted"}, some(8, lambda x, _: np.roll(x, 1, axis=1))
    yield "4 columns zero", {"blank"}, some(4, lambda x, _: 0 * x)
    yield "2 columns mean", {"blank"}, some(2, lambda x, j: 0 * x + scale.mean[j])
    noise = rng.normal(size=(len(table), 1))
    yield "1 column noisy", {"noise", "other"}, some(1, lambda x, j: x + noise * scale.deviation[j])


def measure(name: str, market: Market, rng: np.random.Generator) -> None:
    """Print one series' table."""
    print(f"\n{name}: {len(market.bars)} bars, {PLACES} places, rows {LENGTHS}")
    right = market.right.values
    tried = [(place, rows) for place in market.places for rows in LENGTHS]
    accused = sum(bool(market.judge(right, *one, market.right).wrong) for one in tried)
    print(f"  sound clients accused: {accused} of {len(tried)}")
    for share, size in ((0.003, 0.02), (0.01, 0.0001), (0.01, 0.02), (0.05, 0.001)):
        sheet = market.sheet(revised(market.bars, share, size, rng))
        accused = sum(bool(market.judge(right, *one, sheet).wrong) for one in tried)
        print(f"  {share:.1%} of bars revised by {size:.2%}: accused {accused} of {len(tried)}")
    print(f"  {'fault':22s}" + "".join(f"{rows:>14d} rows" for rows in LENGTHS))
    for fault, kinds, sent in faults(market, rng):
        cells = []
        for rows in LENGTHS:
            found = [market.judge(sent, place, rows, market.right) for place in market.places]
            said = [Counter(each.kind for each in one.wrong).most_common(1) for one in found]
            named = sum(bool(each) and each[0][0] in kinds for each in said)
            cells.append(f"{sum(map(bool, said)):3d} ({named:2d} named)")
        print(f"  {fault:22s}" + "".join(f"{cell:>19s}" for cell in cells))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None)
    given = parser.parse_args()
    for name, (file, symbol) in SERIES.items():
        if name != "EUR/USD hours" and given.data is None:
            continue
        path = file if given.data is None or "." not in file else str(given.data / file)
        (bars,) = read_bars(resolve(path, symbol=symbol, time_format=None))
        measure(name, Market(bars.take(slice(-BARS, None))), np.random.default_rng(0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
