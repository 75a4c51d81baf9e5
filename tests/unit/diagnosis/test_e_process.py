"""Evidence that grows."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from plumbline.diagnosis.e_process import ALTERNATIVES, CAP, EProcess, peaks
from plumbline.diagnosis.null import LEVELS


def bounds(u: float, bets: int = 1) -> np.ndarray:
    """Return the same bound in every context."""
    return np.full((bets, 2, LEVELS), u)


def test_two_rows_by_hand() -> None:
    """``M <- e (M + 1)`` with ``e = (1 - (1 - u) / m) / u``, averaged over the alternatives."""
    process = EProcess(bounds(0.1))
    process.step("", [1])
    process.step("", [0])
    stakes = []
    for m in ALTERNATIVES:
        on = (1 - 0.9 / m) / 0.1
        stakes.append((on + 1) / m)

    assert process.log_e() == pytest.approx(log(sum(stakes) / 2))


def test_a_certain_bound_cannot_be_bet_against() -> None:
    """Where the reference always showed the event, its occurring says nothing."""
    process = EProcess(bounds(1.0))
    for _ in range(100):
        process.step("", [1])

    assert process.value() == 0.0


def test_onset_counts_from_where_the_evidence_began_to_grow() -> None:
    """Quiet rows before an episode are not part of it."""
    process = EProcess(bounds(0.05))
    for _ in range(200):
        process.step("", [0])
    for _ in range(7):
        process.step("", [1])

    assert process.onset() in {6, 7}
    assert process.n == 207


def test_evidence_is_averaged_over_symbols() -> None:
    """One of two symbols failing gives half the stake: valid under any dependence."""
    alone, among = EProcess(bounds(0.05)), EProcess(bounds(0.05))
    for _ in range(6):
        alone.step("a", [1])
        among.step("a", [1])
        among.step("b", [0])

    assert among.value() == pytest.approx(alone.value() / 2, rel=1e-3)


def test_reset_forgets_the_evidence_and_keeps_the_context() -> None:
    """After a reset the recent past is still the recent past."""
    process = EProcess(bounds(0.05))
    for _ in range(6):
        process.step("", [1])
    process.reset()

    assert process.value() == 0.0
    assert process._context[0, 1] == 1


def test_stakes_are_capped() -> None:
    """A long collapse does not overflow."""
    found = peaks(bounds(0.001), np.ones((1, 400, 1), np.int8), np.zeros((1, 400), bool))

    assert found[0] == pytest.approx(log(CAP))


def test_peaks_are_those_of_the_recursion_row_by_row() -> None:
    """Two ways to the same number: all bets of all paths at once, and one row at a time."""
    rng = np.random.default_rng(0)
    events = rng.choice([-1, 0, 1], (2, 300, 3), p=[0.1, 0.6, 0.3]).astype(np.int8)
    limits = rng.uniform(0.05, 1.0, (3, 2, LEVELS))
    expected = np.zeros(3)
    for path in events:
        for j in range(3):
            process = EProcess(limits[j : j + 1])
            for row in path[:, j].tolist():
                process.step("", [row])
                expected[j] = max(expected[j], process.value())

    assert peaks(limits, events, np.zeros((2, 300), bool)) == pytest.approx(np.log(expected))
