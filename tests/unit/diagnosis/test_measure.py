"""What is measured of each row, whatever the batches."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import Sample
from tests.support.streams import OUTPUT, OUTPUTS, context, healthy


def meter() -> Meter:
    """Return one of the reference's."""
    baseline = context().baseline
    assert baseline is not None
    surrogates = {OUTPUT: baseline.outputs[OUTPUT].surrogate}
    return Meter(baseline.step_scale, surrogates, OUTPUTS.heads, OUTPUT)


def two_symbols() -> Sample:
    """Return rows of two symbols in turn."""
    sample = healthy(60, 3).sample()
    return replace(sample, symbol=np.array(["a", "b"] * 30))


def part(sample: Sample, rows: slice) -> Sample:
    """Return some of the rows."""
    chosen = {
        each.name: None if (value := getattr(sample, each.name)) is None else value[rows]
        for each in fields(Sample)
        if each.name != "readings"
    }
    return Sample({name: each.take(rows) for name, each in sample.readings.items()}, **chosen)


def test_batches_do_not_matter() -> None:
    """One row at a time gives what all at once give, to the last bit of every event."""
    whole = meter().measure(two_symbols())[OUTPUT]
    single = meter()
    parts = [single.measure(part(two_symbols(), slice(i, i + 1)))[OUTPUT] for i in range(60)]

    for each in fields(Measures):
        joined = np.concatenate([getattr(one, each.name) for one in parts])
        expected = getattr(whole, each.name)
        if joined.dtype.kind == "f":
            assert joined == pytest.approx(expected, nan_ok=True, abs=1e-12)
        else:
            assert (joined == expected).all()


def test_runs_of_zeros_and_of_kept_values_are_counted() -> None:
    """Each includes the row itself; a first row keeps nothing."""
    sample = healthy(5, 3).sample()
    features = np.array(sample.features)
    features[1:4, 0] = 0.0
    found = meter().measure(replace(sample, features=features))[OUTPUT]

    assert found.zero_run[:, 0].tolist() == [0, 1, 2, 3, 0]
    assert found.stale_run[:, 0].tolist() == [0, 0, 1, 2, 0]


def test_a_frozen_input_has_no_gain() -> None:
    """So the model cannot be blamed for the feed."""
    stream = healthy(5, 3)
    frozen = stream.shown(np.repeat(stream.features[:1], 5, axis=0))
    found = meter().measure(frozen.sample())[OUTPUT]

    assert found.still.tolist() == [False, True, True, True, True]
    assert np.isnan(found.gain).all()


def test_the_hash_of_the_window_decides_what_is_the_same_input() -> None:
    """The last step may repeat while the window moves on."""
    stream = healthy(3, 3)
    repeated = stream.shown(np.repeat(stream.features[:1], 3, axis=0)).sample()
    found = meter().measure(replace(repeated, inputs_hash=np.array(["x", "y", "y"])))[OUTPUT]

    assert found.still.tolist() == [False, False, True]


def test_features_are_needed() -> None:
    """A stream without inputs cannot be told from its inputs."""
    with pytest.raises(ValueError, match="measured by its features"):
        meter().measure(replace(two_symbols(), features=None))
