"""Skill is judged on as many trials as there are moments, however many rows share each."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.calibration import ScoreCalibration
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.policies.rank import RankParams, RankPolicy
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.diagnosis.verdicts import no_signal
from tests.support.bundles import score_output

SYMBOLS, MOMENTS = 20, 300


def ranking(seed: int, *, symbols: int = SYMBOLS, market: float = 1.0, skill: float = 0.0) -> Case:
    """Rank symbols by a style that the market rewards or punishes by chance, symbol by symbol."""
    rng = np.random.default_rng(seed)
    style, reward = rng.normal(size=symbols), market * rng.normal(size=MOMENTS)
    said = style[:, None] + rng.normal(0, 0.3, (symbols, MOMENTS))
    truth = style[:, None] * reward + rng.normal(0, 0.5, said.shape) + skill * said
    moment = np.tile(np.arange(MOMENTS), symbols)
    spec, calibration = score_output(), ScoreCalibration(rows=100)
    outputs = Outputs((spec,), {spec.name: calibration}, RankPolicy(RankParams(), spec))
    sample = Sample(
        readings=outputs.read(said.reshape(-1, 1), moment),
        truth=truth.reshape(-1, 1),
        group=moment,
        bar_time=moment,
        symbol=np.repeat([f"S{i:02}" for i in range(symbols)], MOMENTS),
    )
    return Case(sample, Context(outputs, ()), Thresholds(), spec.name)


def test_symbols_that_move_together_are_one_trial():
    """By its rows every fifth of these models would have skill, and none has."""
    skilled = [not no_signal.rule(ranking(seed)).holds for seed in range(40)]

    assert np.mean(skilled) <= 0.15


def test_skill_that_is_there_is_seen():
    """The same market, and a ranking that is right a little more often than not."""
    assert not no_signal.rule(ranking(0, skill=0.3)).holds


def test_moments_have_the_mean_of_the_rows():
    """However many rows each has; of one symbol they are the rows."""
    many, one = ranking(1), ranking(1, symbols=1)
    rows, moments = many.gains, many.gains_by_moment

    assert rows is not None
    assert moments is not None
    assert (len(rows), len(moments)) == (SYMBOLS * MOMENTS, MOMENTS)
    assert moments.mean() == pytest.approx(rows.mean())
    assert one.gains_by_moment == pytest.approx(one.gains)
