"""Zeros of the market's own, and zeros of a client that does not have a column."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log

import numpy as np
import pytest

from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.zero_padded import LONGER, SPARE, ZeroPadded
from tests.contract.test_detectors import measured, reference
from tests.support.streams import healthy

LEVEL = log(4e6)
LONGEST = 2
"""Rows that zeros of the first column last in the reference."""


@cache
def learnt() -> Measures:
    """A reference in whose first column there are zeros now and then, two rows long at most."""
    known = reference("zero_padded")
    runs = known.zero_run.copy()
    runs[50:-50:200, 0] = 1
    runs[90:-50:800, 0], runs[91:-50:800, 0] = 1, LONGEST
    return replace(known, zero_run=runs)


def shown(columns: list[int], rows: int) -> tuple[ZeroPadded, bool, set[int]]:
    """Show sound rows and then some with columns of zeros; whether it alarms, and what it names."""
    detector = ZeroPadded(learnt(), ZeroPadded.Params(), log_a=LEVEL)
    sound = measured(healthy(300, 41))
    runs = sound.zero_run.copy()
    runs[-rows:, columns] = np.arange(1, rows + 1)[:, None]
    padded = replace(sound, zero_run=runs)
    named = detector.columns(padded.take(slice(-1, None)))[0]
    return detector, detector.update(padded).alarmed, set(np.flatnonzero(named).tolist())


@pytest.mark.parametrize("column", [0, 3])
def test_one_column_may_be_zero_for_three_times_as_long_as_any_ever_was(column: int) -> None:
    """One that never was zero in the reference, too: by chance it was not."""
    assert not shown([column], int(LONGER * LONGEST) + SPARE)[1]
    assert shown([column], int(LONGER * LONGEST) + SPARE + 8)[1:] == (True, {column})


def test_several_columns_that_never_were_zero_are_told_at_once() -> None:
    """And named, those that sometimes were as soon as they are zero for too long."""
    assert shown([3, 4, 5], 5)[1:] == (True, {3, 4, 5})
    assert not shown([3, 4], 5)[1]
    assert shown([0, 3, 4, 5], 20)[2] == {0, 3, 4, 5}
