"""The reference, measured: surrogate, columns, envelopes."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.heads.choice import clr
from plumbline.bundle.reading import Reading
from plumbline.bundle.reference import NO_ACTION, ReferenceProfile
from plumbline.diagnosis.baseline import MIN_REFERENCE, fit_baseline
from plumbline.diagnosis.bootstrap import block_indices, mean_interval
from plumbline.diagnosis.column import fit_columns, repeat_share, zero_share
from plumbline.diagnosis.guarantee import guarantee
from plumbline.diagnosis.movement import previous_rows
from plumbline.diagnosis.probe import probe
from plumbline.diagnosis.sample import read_reference
from plumbline.diagnosis.surrogate import cross_fit, explained, fit_surrogate
from tests.support.streams import LONG, OUTPUTS, SHORT, context, healthy, profile


def test_the_surrogate_repeats_the_reference_head() -> None:
    """On rows it was not fitted on, of a head that is nearly linear."""
    reference, live = healthy(1_500, 1_000), healthy(500, 5)
    fitted = fit_surrogate(reference.features, clr(reference.probabilities), 1.0)
    residuals = clr(live.probabilities) - fitted.predict(live.features)

    assert np.abs(residuals.mean(axis=0)).max() < 0.02
    assert (explained(residuals, clr(live.probabilities)) or 0) > 0.9


def test_a_model_of_noise_has_no_surrogate() -> None:
    """Cross-fitted, nothing is explained, and a constant explains nothing by definition."""
    rng = np.random.default_rng(0)
    features, noise = rng.normal(size=(400, 5)), rng.normal(size=(400, 3))
    residuals, _ = cross_fit(features, noise)

    assert (explained(residuals, noise) or 0) < 0.05
    assert explained(np.zeros((4, 3)), np.zeros((4, 3))) is None


def test_relations_survive_a_volatile_week_and_not_a_wrong_unit() -> None:
    """Twice the size of everything keeps the slopes; thrice the size of one column does not."""
    live = healthy(200, 5).features
    columns = fit_columns(healthy(1_500, 1_000).features)
    usual, wild = columns.relate(live), columns.relate(2.0 * live[:, :])
    wrong = live.copy()
    wrong[:, 6] *= 3.0
    related = columns.related

    assert np.abs(usual.slope[related] - 1).max() < 0.35
    assert np.abs(wild.slope[5:11] - 1).max() < 0.35
    assert columns.relate(wrong).slope[6] > 2.0


def test_shares_of_zero_and_of_kept_values() -> None:
    """By column."""
    features = np.array([[0.0, 1.0], [0.0, 2.0], [3.0, 2.0]])

    assert zero_share(features) == pytest.approx([2 / 3, 0.0])
    assert repeat_share(features, previous_rows(None, 3)) == pytest.approx([0.5, 0.5])


def test_the_envelope_is_of_windows_a_tenth_of_the_reference_at_most() -> None:
    """The widest of three windows says little about the next one."""
    short, long = context(SHORT).baseline, context(LONG).baseline

    assert short is not None
    assert long is not None
    assert short.envelope(2_000).length == 100
    assert short.envelope(70).length == 60
    assert long.envelope(2_000).length == 400
    assert short.envelope(2_000) is short.envelope(150)


def two_symbols() -> ReferenceProfile:
    """Two symbols at levels of their own, one after the other; the last column is daily."""
    rng, n = np.random.default_rng(0), 600
    features = np.zeros((2, n, 4))
    for row in range(1, n):
        features[:, row] = 0.9 * features[:, row - 1] + rng.normal(0, 0.4, (2, 4))
    features[1] = 3 + 2.5 * features[1]
    features[:, :, 3] = features[:, np.arange(n) // 24 * 24, 3]
    said = features.mean(axis=2).reshape(-1, 1)
    return ReferenceProfile(
        bar_time=np.tile(np.arange(n), 2),
        symbol=np.repeat(["A", "B"], n),
        group=np.arange(2 * n),
        features=features.reshape(-1, 4).astype(np.float32),
        raw=said.astype(np.float32),
        centre=said.astype(np.float32),
        epistemic=np.zeros((2 * n, 1), np.float32),
        action=np.full(2 * n, NO_ACTION, np.int8),
        position=np.zeros(2 * n, np.float32),
        size=np.zeros(2 * n, np.float32),
        truth=np.full((2 * n, 1), np.nan),
    )


def test_windows_of_several_symbols_hold_moments_of_all_of_them() -> None:
    """One symbol held against another is outside of all it knows: nothing would be skew then."""
    reference = two_symbols()
    said = np.asarray(reference.centre, np.float64)
    baseline = fit_baseline(reference, {"r6": Reading(said, np.zeros(len(said)), said)})
    assert baseline is not None
    envelope = baseline.envelope(200)

    assert envelope.outside.max() < 0.05
    assert envelope.psi[:3].max() < 2
    assert envelope.repeat[3] > 0.9


def test_a_tiny_reference_is_no_reference() -> None:
    """Rather none than one that everything differs from."""
    few = profile(healthy(MIN_REFERENCE - 1, 1))

    assert isinstance(few, ReferenceProfile)
    assert fit_baseline(few, read_reference(few, OUTPUTS)) is None


def test_a_short_reference_promises_nothing() -> None:
    """It says how many rows would do."""
    refused = guarantee(context(SHORT).baseline, run_length=1e6)
    given = guarantee(context(LONG).baseline, run_length=1e6)

    assert refused.value is None
    assert "Not guaranteed: 1500 reference rows; 12000" in refused.message
    assert given.value == 1e6


def test_block_bootstrap_keeps_neighbours_together() -> None:
    """Most rows are followed by the row that followed them."""
    path = block_indices(1_000, 5_000, 50, np.random.default_rng(0))

    assert (np.diff(path) == 1).mean() > 0.95
    assert path.min() >= 0
    assert path.max() < 1_000


def test_interval_of_a_mean_widens_with_memory() -> None:
    """Five hundred rows of a slow series know its mean less well than independent ones."""
    rng = np.random.default_rng(0)
    independent = rng.normal(size=500)
    slow = np.convolve(rng.normal(size=520), np.ones(21) / np.sqrt(21), "valid")
    narrow, wide = mean_interval(independent), mean_interval(slow)

    assert narrow is not None
    assert wide is not None
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
    assert mean_interval(np.zeros(1)) is None


def test_a_probe_cannot_learn_shuffled_labels() -> None:
    """But it learns true ones that the features tell."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 3))
    found = probe(features, (features[:, 0] > 0).astype(int), classes=2)

    assert found is not None
    assert found.correct / found.n > 0.9
    assert found.shuffled_correct / found.n < 0.65
    assert probe(features[:50], np.zeros(50, int), classes=2) is None
