"""What counts as drift: learnt from stretches of the reference, not from rows at random."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.drift_threshold import (
    FLOOR,
    action_distance,
    distance,
    fit_thresholds,
    in_time_order,
)
from tests.support.bundles import small_bundle


def persistent(rows: int, seed: int, memory: float = 0.995) -> np.ndarray:
    """Return one column that remembers ``(rows, 1)``."""
    noise = np.random.default_rng(seed).normal(size=rows)
    for i in range(1, rows):
        noise[i] += memory * noise[i - 1]
    return noise[:, None]


NOBODY = np.full(4_000, -1)


def test_a_column_that_remembers_may_go_farther() -> None:
    """Its stretches lie far apart; those of noise do not."""
    slow = fit_thresholds(persistent(4_000, 0), NOBODY, 200)
    fast = fit_thresholds(persistent(4_000, 0, memory=0.0), NOBODY, 200)

    assert slow.numbers[0] > 3 * fast.numbers[0]
    assert (slow.length, slow.stretches) == (200, 12)
    assert "12 stretches of 200 rows" in slow.sentence


def test_longer_samples_are_held_to_narrower_limits() -> None:
    """As long as half of the reference at most."""
    limits = [fit_thresholds(persistent(4_000, 0), NOBODY, rows) for rows in (50, 1_000, 9_000)]

    assert limits[0].numbers[0] > limits[1].numbers[0] > limits[2].numbers[0]
    assert limits[2].length == 2_000


def test_new_stretches_of_the_same_market_are_within() -> None:
    """Which the usual tests of independent rows find drifted."""
    reference = persistent(4_000, 0)
    limit = fit_thresholds(reference, NOBODY, 300).numbers[0]
    apart = [distance(reference[:, 0], persistent(300, seed)[:, 0]) for seed in range(1, 21)]

    assert max(apart) < limit
    assert distance(reference[:, 0], reference[:300, 0] + 4 * reference.std()) > limit


def test_a_column_that_stands_still_has_the_floor() -> None:
    """And so have actions that never change."""
    limits = fit_thresholds(np.ones((400, 1)), np.ones(400, np.int8), 50)

    assert (limits.numbers[0], limits.action) == (FLOOR, FLOOR)


@pytest.mark.parametrize(
    ("current", "expected"),
    [([0, 1, 1, 2], 0.0), ([0, 0, 0, 0], 0.6168), ([5, 5, 5, 5], 0.8326)],
)
def test_actions_are_as_far_as_their_shares(current: list[int], expected: float) -> None:
    """Zero for the same shares, the root of log 2 for none in common."""
    found = action_distance(np.array([0, 1, 1, 2]), np.array(current))

    assert found == pytest.approx(expected, abs=1e-3)


def test_the_reference_comes_as_live_rows_do() -> None:
    """Symbol by symbol in the file, bar by bar on the wire; of those that were asked about."""
    past = Bundle(*small_bundle(rows=300)).reference
    symbol = np.repeat(["A", "B"], 150)
    both = type(past)(
        **{
            name: getattr(past, name)
            for name in past.__dataclass_fields__
            if name not in ("symbol", "bar_time")
        },
        symbol=symbol,
        bar_time=np.tile(past.bar_time[:150], 2),
    )
    mixed = in_time_order(both, np.array(["A", "B"]))

    assert mixed.symbol[:4].tolist() == ["A", "B", "A", "B"]
    assert set(in_time_order(both, np.array(["B"])).symbol) == {"B"}
    assert len(in_time_order(both, np.array(["B", "C"]))) == 300
