"""One market under two names is refused, whatever was done to hide it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.training.bars import COLUMNS
from plumbline.training.errors import DataError
from plumbline.training.twins import refuse_twins
from tests.support.markets import walk
from tests.support.planted import planted

ONE = planted(600, strength=0, seed=1, symbol="ONE")


def scaled(bars, factor):
    return replace(bars, **{name: getattr(bars, name) * factor for name in COLUMNS})


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, symbol="TWO"),
        replace(scaled(ONE, 1_000.0), symbol="TWO"),
        replace(ONE.take(slice(200, None)), symbol="TWO"),
        replace(ONE.take(np.flatnonzero(np.arange(600) % 9 > 0)), symbol="TWO"),
    ],
)
def test_the_same_bars_under_another_name_are_refused(other):
    """As they are, in another unit, a part of them, and with holes."""
    between = planted(600, strength=0, seed=2, symbol="BETWEEN")

    with pytest.raises(DataError, match="ONE and TWO are one market under two names"):
        refuse_twins([ONE, between, other])


def test_different_markets_are_taken():
    """Also those that move together: nine tenths of a return in common is no twin."""
    own = planted(600, strength=0, seed=3, symbol="OWN")
    mixed = 0.95 * np.diff(np.log(ONE.close)) + 0.3 * np.diff(np.log(own.close))
    close = np.exp(np.cumsum(np.concatenate([[0.0], mixed])))
    like = replace(ONE, symbol="LIKE", close=close)
    alike = np.corrcoef(np.diff(np.log(like.close)), np.diff(np.log(ONE.close)))[0, 1]
    refuse_twins([ONE, like, own, replace(walk(600), symbol="WALK")])
    refuse_twins([ONE])

    assert alike > 0.9
