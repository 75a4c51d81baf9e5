"""Markets under stress, made from real bars: what they are, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.array import write_arrays
from plumbline.bundle.errors import FormatError
from plumbline.bundle.stress import StressRows
from plumbline.diagnosis.stress import Stress
from plumbline.training.feature_table import build_table, resolve_feature_set
from plumbline.training.stress import AFTER, BENT, ROWS, SCENARIOS, stress
from tests.support.planted import planted

BARS = planted(1_500, strength=0.0)
FEATURES = resolve_feature_set("intraday_31", {}, [BARS])
NAMES = FEATURES.names


def rows() -> StressRows:
    """Return the rows of every scenario."""
    return stress(FEATURES, [BARS])


def column(name: str, scenario: str) -> np.ndarray:
    """Return one column of the first stretch of a scenario."""
    return rows().stretches(scenario)[0][:ROWS, NAMES.index(name)]


def test_every_scenario_is_there_and_finite() -> None:
    """Two stretches each, as far as columns are defined in them."""
    found = rows()

    assert set(found.names) == set(SCENARIOS)
    assert np.isfinite(found.features).all()
    assert len(found) <= 2 * ROWS * len(SCENARIOS)


def test_nothing_moves_while_nobody_trades_and_all_moves_again_afterwards() -> None:
    """The market goes on from where it stood."""
    standing = column("return_1", "standing")

    assert (standing[1:BENT] == 0).all()
    assert (standing[BENT + 1 :] != 0).mean() > 0.9
    assert np.abs(standing[BENT:]).max() < 0.02
    assert AFTER > 12


def test_a_wild_market_moves_as_many_times_as_far() -> None:
    """As the bars it was made from."""
    calm, wild = column("return_1", "busy")[:BENT], column("return_1", "wild")[:BENT]

    assert np.allclose(wild, 15 * calm, rtol=0.01, atol=1e-6)


def test_a_market_that_stands_still_is_known_from_its_first_bar() -> None:
    """Columns that keep their value in it are excused, zeros among them; in real bars none is."""
    known = Stress.of(rows(), build_table(FEATURES, BARS)[FEATURES.memory :])
    standing = rows().stretches("standing")[0][:BENT]
    zero, still = NAMES.index("return_1"), NAMES.index("position_24")
    real = build_table(FEATURES, BARS)[FEATURES.memory :].astype(np.float64)

    assert known.pinned(standing)[2:, zero].all()
    assert known.pinned(standing)[2:, still].all()
    assert known.pinned(real).mean() < 0.01


def test_columns_that_were_left_out_are_not_taken_for_such_a_market() -> None:
    """Zeros in a client's last eleven columns are in no market's company."""
    real = build_table(FEATURES, BARS)[FEATURES.memory :].astype(np.float64)
    known = Stress.of(rows(), real)
    padded = real.copy()
    padded[:, -11:] = 0.0

    assert known.pinned(padded)[:, -11:].mean() < 0.01


def test_rows_without_a_scenario_each_are_refused() -> None:
    """A file that is not what it says."""
    with pytest.raises(FormatError, match="expected features"):
        StressRows(np.zeros((3, 2), np.float32), np.array(["a"]), np.zeros(3, np.int64))


def test_each_stretch_is_known_by_its_ages_and_older_files_have_one() -> None:
    """What a file of before does not say is taken for one stretch of each scenario."""
    found = rows()
    older = write_arrays({"features": found.features, "scenario": found.scenario})
    again = StressRows.from_bytes(found.to_bytes())

    assert [len(each) for each in again.stretches("wild")] == [ROWS, ROWS]
    assert [len(each) for each in StressRows.from_bytes(older).stretches("wild")] == [2 * ROWS]
    assert (again.age == found.age).all()
