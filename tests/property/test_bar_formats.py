"""The same bars are the same, whoever wrote them down."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.training.bars import COLUMNS
from plumbline.training.data import Source, read_bars
from tests.support.bar_files import FORMATS
from tests.support.markets import HOUR, walk

EARLY = 1_000_000_000_000_000
"""September 2001, in microseconds."""


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(2, 40),
    seed=st.integers(0, 1000),
    hour=st.integers(0, 400_000),
    size=st.sampled_from([1e-6, 1.0, 1e5]),
)
def test_every_format_gives_the_same_bars(rows, seed, hour, size):
    """Times to the microsecond and numbers to the last bit, in 24 formats."""
    bars = walk(rows, seed=seed, start=EARLY // HOUR * HOUR + hour * HOUR)
    scaled = {name: getattr(bars, name) * size for name in COLUMNS}
    bars = replace(bars, **scaled)
    with tempfile.TemporaryDirectory() as folder:
        for title, (name, write) in FORMATS.items():
            path = Path(folder) / name
            path.write_bytes(write(bars))
            (found,) = read_bars(Source(str(path), symbol="WALK"))

            assert found.symbol == "WALK", title
            assert np.array_equal(found.time, bars.time), title
            for column in COLUMNS:
                assert np.array_equal(getattr(found, column), getattr(bars, column)), title
