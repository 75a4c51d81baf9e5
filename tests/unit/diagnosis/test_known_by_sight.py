"""A market under stress is known by sight however its rows come: one symbol, or many in turn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.diagnosis.verdicts import schema_skew
from plumbline.training.bars import PRICES, Bars
from plumbline.training.feature_table import build_table, resolve_feature_set
from plumbline.training.stress import stress
from tests.support.planted import planted
from tests.support.streams import OUTPUT, OUTPUTS

SYMBOLS, BARS, FALL = 20, 900, 700
MARKET = [planted(BARS, strength=0.0, seed=i, symbol=f"S{i:02d}") for i in range(SYMBOLS)]
FEATURES = resolve_feature_set("multi_scale", {"widths": [4, 8, 16, 48]}, MARKET)
OLD = slice(FEATURES.memory, 600)


def fallen(bars: Bars, share: float, *, within: bool) -> Bars:
    """Return bars of which one loses so much of its price, within it or before it opens."""
    later = np.arange(len(bars)) >= FALL
    prices = {name: np.where(later, 1 - share, 1) * getattr(bars, name) for name in PRICES}
    if within:
        prices["open"][FALL] = prices["high"][FALL] = bars.close[FALL - 1]
    return replace(bars, **prices)


def in_turn(tables: list[np.ndarray], rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns, symbols and times of some bars, moment by moment."""
    values = np.stack([table[rows] for table in tables], axis=1)
    moments, symbols, width = values.shape
    names = np.tile([f"S{i:02d}" for i in range(symbols)], moments)
    times = np.repeat(MARKET[0].time[rows], symbols)
    return values.reshape(-1, width), names, times


@cache
def context() -> Context:
    """Return what the reference and stressed bars say of this market."""
    tables = [build_table(FEATURES, each) for each in MARKET]
    features, symbol, time = in_turn(tables, OLD)
    order, n = np.lexsort((time, symbol)), len(symbol)
    zeros, centre = np.zeros((n, 1), np.float32), np.full((n, 3), 1 / 3, np.float32)
    reference = ReferenceProfile(
        bar_time=time[order],
        symbol=symbol[order],
        group=np.arange(n),
        features=features[order],
        raw=np.zeros((n, 3), np.float32),
        centre=centre,
        epistemic=zeros,
        action=np.ones(n, np.int8),
        position=zeros[:, 0],
        size=zeros[:, 0],
        truth=zeros.astype(np.float64),
    )
    return Context(OUTPUTS, FEATURES.names, reference, stress(FEATURES, MARKET))


def foreign(features: np.ndarray, symbol: np.ndarray) -> bool:
    """Whether the columns of rows that a detector doubts are said to be foreign."""
    n = len(features)
    readings = OUTPUTS.restore(np.full((n, 3), 1 / 3), np.zeros((n, 1)))
    sample = Sample(readings=readings, features=features, symbol=symbol)
    return schema_skew.rule(Case(sample, context(), Thresholds(), OUTPUT)).holds


@pytest.mark.parametrize("age", [3, 12, 40])
@pytest.mark.parametrize(("share", "within"), [(0.4, True), (0.4, False), (0.15, True)])
def test_a_fall_of_twenty_symbols_in_turn_is_the_market(
    share: float, within: bool, age: int
) -> None:
    """A hundred and twenty rows are six bars, each of which remembers the fall in some columns."""
    tables = [build_table(FEATURES, fallen(each, share, within=within)) for each in MARKET]
    features, symbol, _ = in_turn(tables, slice(FALL + age, FALL + age + 6))

    assert not foreign(features, symbol)


@pytest.mark.parametrize("only", [3, 11])
def test_a_fall_of_one_symbol_is_the_market(only: int) -> None:
    """Its rows alone, a hundred and twenty bars from before the fall on."""
    table = build_table(FEATURES, fallen(MARKET[only], 0.4, within=True))
    rows = slice(FALL - 20, FALL + 100)

    assert not foreign(table[rows], np.full(120, f"S{only:02d}"))


def test_columns_in_another_unit_are_still_foreign_in_so_few_bars() -> None:
    """What bends in no market bends in six bars of twenty symbols, too."""
    tables = [build_table(FEATURES, each).copy() for each in MARKET]
    features, symbol, _ = in_turn(tables, slice(FALL, FALL + 6))
    wrong = [i for i, name in enumerate(FEATURES.names) if name.startswith("momentum")][:2]
    features[:, wrong] *= 100.0

    assert foreign(features, symbol)
