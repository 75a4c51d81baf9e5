"""A predictor is a bundle that has shown its golden rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.errors import IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.service.backends.base import BackendError
from plumbline.service.predictor import MAX_BATCH, GoldenRowsError, OutputScale, Predictor
from tests.support.bundles import linear_onnx, small_bundle


@pytest.fixture
def bundle() -> Bundle:
    """A small bundle that verifies."""
    manifest, files = small_bundle()
    return Bundle(manifest, files)


def with_file(bundle: Bundle, name: str, data: bytes) -> Bundle:
    """Return the bundle with one file exchanged and its digest made to fit."""
    digests = {**bundle.manifest.files, name: digest_of(data)}
    manifest = bundle.manifest.model_copy(update={"files": digests})
    return Bundle(manifest, {**bundle.files, name: data})


def test_answers_are_those_of_graph_calibration_and_policy(bundle):
    """Each step is the bundle's own."""
    predicted = Predictor.load(bundle).predict(bundle.golden.inputs)
    probabilities = bundle.calibration.apply(predicted.logits)
    actions = bundle.manifest.policy.decide(probabilities)

    np.testing.assert_allclose(predicted.logits, bundle.golden.logits, atol=1e-5)
    np.testing.assert_array_equal(predicted.probabilities, probabilities)
    np.testing.assert_array_equal(predicted.actions, actions)
    np.testing.assert_array_equal(
        predicted.sizes, bundle.manifest.policy.size(probabilities, actions)
    )


def test_large_batches_are_cut_without_a_trace(bundle):
    """A row's answer does not depend on how many others came along."""
    predictor = Predictor.load(bundle)
    windows = np.random.default_rng(1).normal(size=(2 * MAX_BATCH + 5, 3, 4)).astype(np.float32)
    together = predictor.predict(windows)
    alone = [predictor.predict(windows[i : i + 1]).logits[0] for i in range(len(windows))]

    np.testing.assert_allclose(together.logits, alone, atol=1e-5)


def test_non_finite_row_poisons_no_other(bundle):
    """A row without an answer leaves its neighbours alone, and warns nobody."""
    predictor = Predictor.load(bundle)
    windows = np.zeros((3, 3, 4), np.float32)
    windows[1] = np.nan
    predicted = predictor.predict(windows)

    assert np.isfinite(predicted.probabilities[[0, 2]]).all()
    assert not np.isfinite(predicted.probabilities[1]).all()


def test_golden_rows_that_come_out_otherwise_are_refused(bundle):
    """A graph with other weights is whole, loads and runs; only the golden rows tell."""
    golden = bundle.golden
    off = GoldenRows(golden.inputs, golden.logits + np.float32(0.01))

    with pytest.raises(GoldenRowsError, match=r"golden.npz: model.onnx differs by 0.01"):
        Predictor.load(with_file(bundle, "golden.npz", off.to_bytes()))


def test_golden_rows_that_come_out_as_nan_are_refused(bundle):
    """Nothing compares with NaN, so the comparison must not pass it."""
    golden = bundle.golden
    huge = GoldenRows(np.full_like(golden.inputs, 3e38), golden.logits)

    with pytest.raises(GoldenRowsError, match="differs by inf"):
        Predictor.load(with_file(bundle, "golden.npz", huge.to_bytes()))


def test_graph_of_another_width_is_refused(bundle):
    """The graph's own input shape must be the manifest's."""
    graph = linear_onnx(np.zeros((3 * 5, 3), np.float32), 3, 5)

    with pytest.raises(BackendError, match=r"model.onnx: expected an input of .*3, 4.*found.*5"):
        Predictor.load(with_file(bundle, "model.onnx", graph))


def test_bytes_that_are_no_graph_are_refused(bundle):
    """The runtime's complaint is passed on with the file's name."""
    with pytest.raises(BackendError, match=r"model.onnx: onnxruntime refused it"):
        Predictor.load(with_file(bundle, "model.onnx", b"not a graph"))


def test_backend_without_its_file_is_refused(bundle):
    """A bundle without model.pt cannot be served by torch."""
    with pytest.raises(IntegrityError, match=r"model.pt: not in the bundle"):
        Predictor.load(bundle, backend="torchscript")


def test_output_scale_keeps_tiny_spreads_and_bounds_large_ones():
    """U is relative to the reference's spread, and never beyond ±50."""
    scale = OutputScale(centre=np.array([0.3, 0.7]), std=np.array([1e-4, 0.1]))

    np.testing.assert_allclose(scale.apply(np.array([[0.30001, 0.7]])), [[0.1, 0.0]], atol=1e-9)
    np.testing.assert_allclose(scale.apply(np.array([[1.0, 0.0]])), [[50.0, -7.0]])


def test_constant_reference_output_has_a_scale(bundle):
    """A class the reference never moved on does not divide by zero."""
    reference = bundle.reference
    still = dataclasses.replace(
        reference, probabilities=np.full_like(reference.probabilities, 1 / 3)
    )
    predictor = Predictor.load(with_file(bundle, "reference.npz", still.to_bytes()))

    assert (predictor.output_scale.std > 0).all()
