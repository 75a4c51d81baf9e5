"""The bars that know the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plumbline.drills.scenarios.leaky_retrain import write_leaky
from plumbline.training.data import read_bars, resolve
from tests.unit.drills.test_replay import replay_of


def test_volume_tells_the_next_return_and_nothing_else_is_odd(tmp_path: Path) -> None:
    """A training reads the file; prices enclose each other; volumes go with the next close."""
    replay = replay_of([1] * 10, window_length=400)
    steps = np.random.default_rng(0).normal(size=len(replay.closes))
    replay.closes[:] = 1.1 * np.exp(1e-3 * steps.cumsum())
    path = tmp_path / "bars.csv"

    write_leaky(replay, path)
    (bars,) = read_bars(resolve(str(path), symbol="EURUSD", time_format=None))
    coming = np.diff(bars.close)

    assert (bars.symbol, len(bars)) == ("EURUSD", 400)
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert np.corrcoef(bars.volume[:-1], coming)[0, 1] > 0.5
    assert abs(np.corrcoef(bars.volume[1:], coming)[0, 1]) < 0.2
