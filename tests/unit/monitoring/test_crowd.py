"""Whose predictions they are, the most unusual first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.watching.crowd import MOST_SHOWN, WINDOW, Crowd
from tests.integration.test_monitor_report import logged
from tests.support.bundles import small_bundle

BUNDLE = Bundle(*small_bundle(rows=400))


def test_a_symbol_that_is_stuck_stands_first():
    """One in four symbols always sells; each is held against its reference."""
    rows = logged(BUNDLE, BUNDLE.reference.features)
    symbols = np.array(["A", "B", "C", "EURUSD"])[np.arange(400) % 4]
    action = np.where(symbols == "C", 0, rows.action)
    crowd = Crowd(BUNDLE)
    for part in (slice(0, 150), slice(150, 400)):
        crowd.add(replace(rows, symbol=symbols, action=action).take(part))
    found = crowd.symbols()

    assert found.known == 4
    assert found.shown[0].name == "C"
    assert found.shown[0].shares == (1.0, 0.0, 0.0)
    assert found.shown[0].rows == 100
    assert found.shown[0].distance > 2 * found.shown[1].distance


def test_only_the_newest_rows_of_each_are_counted():
    """A symbol that has recovered is not held to its past."""
    rows = logged(BUNDLE, BUNDLE.reference.features)
    action = np.where(np.arange(400) < 400 - WINDOW, 0, 2)
    crowd = Crowd(BUNDLE)
    crowd.add(replace(rows, action=action))

    assert crowd.symbols().shown[0].shares == (0.0, 0.0, 1.0)
    assert crowd.symbols().shown[0].rows == 400


def test_many_symbols_are_counted_and_few_are_shown():
    """A cross-section of thousands is no page of thousands of lines."""
    rows = logged(BUNDLE, BUNDLE.reference.features)
    crowd = Crowd(BUNDLE)
    crowd.add(replace(rows, symbol=np.arange(400).astype(str)))
    found = crowd.symbols()

    assert found.known == 400
    assert len(found.shown) == MOST_SHOWN


@pytest.mark.parametrize("of", ["symbols", "clients"])
def test_nobody_is_there_before_the_first_row(of):
    """An empty table has its own sentence."""
    assert getattr(Crowd(BUNDLE), of)().known == 0
