"""The judge of verdicts is as its documentation says, and its harness is sound."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.truth.kind import CALM, Kind
from benchmarks.truth.kinds import KINDS
from benchmarks.truth.plan import PLACES, seed_of
from benchmarks.truth.recipe import RECIPES
from benchmarks.truth.scene import Scene
from plumbline.bundle.verdict import Side, verdict_named


def _bars(moves: list[float]) -> np.ndarray:
    close = 100 * np.exp(np.cumsum(moves))
    opened = np.append(100.0, close[:-1])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    time = 3600.0 * np.arange(len(close))
    return np.stack([time, opened, high, low, close, np.full(len(close), 10.0)], axis=1)


def test_at_least_half_of_sixty_kinds_and_more_were_written_blind() -> None:
    """As long as was asked for, and half of it from before detectors were read."""
    blind = [kind for kind in KINDS.values() if kind.blind]

    assert len(KINDS) >= 60
    assert 2 * len(blind) >= len(KINDS)


def test_there_are_twelve_places_and_five_markets_beside_the_demo() -> None:
    """As many as were asked for."""
    assert PLACES == 12
    assert len(RECIPES) == 6


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_what_is_right_of_a_kind_are_verdicts_that_exist(kind: Kind) -> None:
    """Every right verdict is one of ours; what is harmless accuses nobody."""
    verdicts = [verdict_named(name) for name in kind.right | kind.also]

    assert kind.side in set(Side)
    assert all(each.facts.sized for each in verdicts) == kind.harmless
    assert not kind.harmless or kind.right == CALM


def test_seeds_depend_on_the_case_alone() -> None:
    """A case is the same whatever else is played."""
    seeds = {seed_of("m", kind, place) for kind in KINDS for place in range(PLACES)}

    assert len(seeds) == len(KINDS) * PLACES
    assert seed_of("btc-1h", "halt", 3) == seed_of("btc-1h", "halt", 3)


def test_moves_are_rescaled_in_their_stretch_and_nowhere_else() -> None:
    """Quiet days are quiet, the days after as wild as they were, and prices join."""
    bars = _bars([0.01, -0.02, 0.01, 0.03, -0.01])

    quiet = Scene.rescaled(bars, 1, 3, moves=0.1, volume=0.5)
    found = np.diff(np.log(quiet[:, 4]))

    np.testing.assert_allclose(found, [-0.002, 0.001, 0.03, -0.01], atol=1e-12)
    np.testing.assert_allclose(quiet[1:, 1], quiet[:-1, 4])
    np.testing.assert_allclose(quiet[:, 5], [10, 5, 5, 10, 10])
    assert (quiet[:, 2] >= quiet[:, [1, 4]].max(axis=1)).all()


def test_a_push_moves_every_bar_of_its_stretch_by_its_step() -> None:
    """A crash of five bars is five steps down, and highs stay above what they bound."""
    bars = _bars([0.0] * 8)

    pushed = Scene.pushed(bars, 2, 5, step=-0.1, volume=3.0)
    found = np.diff(np.log(pushed[:, 4]))

    np.testing.assert_allclose(found, [0, -0.1, -0.1, -0.1, 0, 0, 0], atol=1e-12)
    assert (pushed[:, 2] >= pushed[:, [1, 4]].max(axis=1)).all()
    assert (pushed[:, 3] <= pushed[:, [1, 4]].min(axis=1)).all()


def test_bars_that_move_one_way_never_fall() -> None:
    """Every step of the stretch has the sign asked for, and its size is what it was."""
    bars = _bars([0.01, -0.02, 0.01, -0.03, -0.01])

    rising = Scene.one_way(bars, 1, 4, 1.0)

    np.testing.assert_allclose(np.diff(np.log(rising[:, 4])), [0.02, 0.01, 0.03, -0.01], atol=1e-12)
