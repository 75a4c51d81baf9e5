"""How much a reference has seen."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.coverage import Coverage, coverage, memory_of

HOUR = 3_600_000_000


def wandering(rows: int, keep: float, seed: int = 0) -> np.ndarray:
    """Return an autoregression ``(rows,)``."""
    kicks = np.random.default_rng(seed).normal(size=rows)
    values = np.zeros(rows)
    for row in range(1, rows):
        values[row] = keep * values[row - 1] + kicks[row]
    return values


def seen(rows: int, symbols: int = 1, keep: float = 0.5) -> Coverage:
    """Return the coverage of so many rows of each symbol, all at the same hours."""
    return coverage(
        np.tile(HOUR * np.arange(rows), symbols),
        np.repeat([f"S{each}" for each in range(symbols)], rows),
        np.concatenate([wandering(rows, keep, each) for each in range(symbols)])[:, None],
    )


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_memory_is_that_of_an_autoregression(keep: float) -> None:
    """Of which it is known: ``(1 + φ) / (1 - φ)``."""
    assert memory_of(wandering(40_000, keep)) == pytest.approx((1 + keep) / (1 - keep), rel=0.2)


def test_what_never_moves_has_no_memory() -> None:
    """Nor has nothing at all."""
    assert memory_of(np.full(50, 0.3, np.float32)) == 1.0
    assert memory_of(np.empty(0)) == 1.0


def test_rows_of_many_symbols_at_few_moments_are_not_enough() -> None:
    """Twelve thousand rows of six hundred hours are one summer."""
    many, one = seen(600, symbols=20), seen(12_000)

    assert many.rows == one.rows == 12_000
    assert many.missing == "600 reference moments; 4000"
    assert one.missing is None


def test_a_stream_that_hardly_moves_says_the_same_again_and_again() -> None:
    """A year of one mood is one stretch."""
    slow = seen(12_000, keep=0.999)

    assert slow.stretches < 20
    assert slow.missing == f"{slow.stretches} reference stretches; 20"


def test_rows_a_day_are_those_of_each_symbol() -> None:
    """By the calendar."""
    assert seen(2_401, symbols=3).rows_a_day == pytest.approx(24.0, rel=1e-3)
    assert coverage(np.zeros(5, np.int64), np.full(5, "a"), np.zeros((5, 1))).rows_a_day is None


def test_it_says_what_there_is() -> None:
    """In one line."""
    assert str(seen(2_401, symbols=3)).startswith(
        "7,203 rows of 3 symbols at 2,401 moments of 100 days, "
    )
