"""A predictor is a bundle that has shown its golden rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import FormatError, IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.spec import InputSpec, OutputSpec
from plumbline.service.backends.base import BackendError
from plumbline.service.predictor import MAX_BATCH, GoldenRowsError, OutputScale, Predictor
from tests.support.bundles import (
    choice_output,
    linear_onnx,
    score_output,
    small_bundle,
    value_output,
)
from tests.support.graphs import (
    LOGS,
    SEVERAL,
    bars_bundle,
    bundle_of,
    graph_of,
    several_bundle,
    with_file,
)

KINDS: dict[str, tuple[OutputSpec, ...]] = {
    "three classes": (choice_output(),),
    "five classes": (choice_output(5),),
    "binary": (choice_output(2),),
    "eight members": (choice_output(members=8),),
    "forecast": (value_output(),),
    "forecast with deviation and members": (value_output(width=2, members=3),),
    "cross-section": (score_output(),),
    "cross-section of an ensemble": (score_output(members=2),),
    "four horizons": tuple(value_output(name=f"r{h}") for h in (1, 6, 24, 120)),
    "choice and forecast": (choice_output(), value_output(width=2)),
}
WINDOW = (InputSpec(name="features", shape=(3, 4), names=("a", "b", "c", "d")),)


@pytest.fixture
def bundle() -> Bundle:
    """A small bundle that verifies."""
    return Bundle(*small_bundle())


@pytest.mark.parametrize("outputs", KINDS.values(), ids=KINDS)
def test_answers_are_those_of_graph_heads_and_policy(outputs):
    """Each step is the bundle's own, whatever it gives."""
    bundle = Bundle(*small_bundle(outputs=outputs))
    golden, reading = bundle.golden, bundle.outputs
    predicted = Predictor.load(bundle).predict(golden.inputs, golden.group)
    readings = reading.read(predicted.raw, golden.group)
    decision = reading.decide(readings, golden.group)
    expected = np.concatenate([golden.outputs[spec.name] for spec in outputs], axis=1)

    np.testing.assert_allclose(predicted.raw, expected, atol=1e-5)
    for name, found in predicted.readings.items():
        np.testing.assert_array_equal(found.centre, readings[name].centre)
        np.testing.assert_array_equal(found.coordinates, readings[name].coordinates)
    np.testing.assert_array_equal(predicted.decision.position, decision.position)
    np.testing.assert_array_equal(predicted.decision.size, decision.size)
    np.testing.assert_array_equal(predicted.features, golden.inputs["features"][:, -1])


def test_large_batches_are_cut_without_a_trace(bundle):
    """A row's answer does not depend on how many others came along."""
    predictor = Predictor.load(bundle)
    windows = np.random.default_rng(1).normal(size=(2 * MAX_BATCH + 5, 3, 4)).astype(np.float32)
    together = predictor.predict({"features": windows})
    alone = [predictor.predict({"features": row[None]}).raw[0] for row in windows]

    np.testing.assert_allclose(together.raw, alone, atol=1e-5)


def centred_cross_section() -> Bundle:
    """Return a bundle whose graph takes the batch's own mean out: a batch is a cross-section."""
    nodes = [
        helper.make_node("Flatten", ["features"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["said"]),
        helper.make_node("ReduceMean", ["said"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["said", "mean"], ["h6"]),
    ]
    rng = np.random.default_rng(0)
    weights = {"weights": rng.normal(size=(12, 3)).astype(np.float32)}
    golden = {"features": rng.normal(size=(40, 3, 4)).astype(np.float32)}
    made = bundle_of("m", graph_of(nodes, weights, WINDOW, {"h6": 3}), WINDOW, golden)
    bundle = Bundle(*made)
    rows = bundle.golden
    whole = GoldenRows(rows.inputs, rows.outputs, np.zeros(40, np.int64))
    manifest = bundle.manifest.model_copy(update={"unit": "cross_section"})
    return with_file(Bundle(manifest, bundle.files), "golden.npz", whole.to_bytes())


def test_a_cross_section_is_asked_about_whole_alone_and_in_order():
    """More rows than a batch are not cut, and two groups in one request do not mix."""
    predictor = Predictor.load(centred_cross_section())
    windows = np.random.default_rng(1).normal(size=(2 * MAX_BATCH + 6, 3, 4)).astype(np.float32)
    group = np.array(["b", "a"] * (MAX_BATCH + 3))
    together = predictor.predict({"features": windows}, group)

    for name in ("a", "b"):
        own = predictor.predict({"features": windows[group == name]})
        assert len(own) == MAX_BATCH + 3
        np.testing.assert_allclose(together.raw[group == name], own.raw, atol=1e-5)
        np.testing.assert_allclose(own.raw.mean(axis=0), 0, atol=1e-5)


def test_a_golden_group_is_never_split():
    """A graph that depends on its batch passes as a cross-section and fails row by row."""
    bundle = centred_cross_section()
    alone = Bundle(bundle.manifest.model_copy(update={"unit": "row"}), bundle.files)

    assert Predictor.load(bundle).takes_cross_sections
    with pytest.raises(GoldenRowsError, match=r"golden.npz: model.onnx differs by"):
        Predictor.load(alone)


def test_non_finite_row_poisons_no_other(bundle):
    """A row without an answer leaves its neighbours alone, and warns nobody."""
    predictor = Predictor.load(bundle)
    windows = np.zeros((3, 3, 4), np.float32)
    windows[1] = np.nan
    centre = predictor.predict({"features": windows}).readings["h6"].centre

    assert np.isfinite(centre[[0, 2]]).all()
    assert not np.isfinite(centre[1]).all()


@pytest.mark.parametrize("place", [0, 1, 9])
def test_golden_rows_that_come_out_otherwise_are_refused(bundle, place):
    """A graph with other weights is whole, loads and runs; only the golden rows tell."""
    golden = bundle.golden
    raw = golden.outputs["h6"].copy()
    raw[place] += 0.01
    off = GoldenRows(golden.inputs, {"h6": raw}, golden.group)

    with pytest.raises(GoldenRowsError, match=r"golden.npz: model.onnx differs by 0.01"):
        Predictor.load(with_file(bundle, "golden.npz", off.to_bytes()))


def test_golden_rows_of_every_output_count():
    """A second output is held to its golden rows like the first."""
    bundle = Bundle(*small_bundle(outputs=(choice_output(), value_output())))
    golden = bundle.golden
    outputs = {**golden.outputs, "r6": golden.outputs["r6"] + np.float32(1)}
    off = GoldenRows(golden.inputs, outputs, golden.group)

    with pytest.raises(GoldenRowsError, match="differs by 1 in a raw number"):
        Predictor.load(with_file(bundle, "golden.npz", off.to_bytes()))


def test_golden_rows_that_come_out_as_nan_are_refused(bundle):
    """Nothing compares with NaN, so the comparison must not pass it."""
    golden = bundle.golden
    huge = {"features": np.full_like(golden.inputs["features"], 3e38)}
    off = GoldenRows(huge, golden.outputs, golden.group)

    with pytest.raises(GoldenRowsError, match="differs by inf"):
        Predictor.load(with_file(bundle, "golden.npz", off.to_bytes()))


def test_a_batch_that_is_fixed_inside_the_graph_is_refused():
    """Its input says any number of rows; the golden rows are asked about one by one and by two."""
    nodes = [
        helper.make_node("Reshape", ["features", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["h6"]),
    ]
    constants = {
        "shape": np.array([1, 12]),
        "weights": np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32),
    }
    rows = {"features": np.ones((1, 3, 4), np.float32)}
    made = bundle_of("m", graph_of(nodes, constants, WINDOW, {"h6": 3}), WINDOW, rows)
    one = Bundle(*made)
    two = GoldenRows(
        {"features": np.ones((2, 3, 4), np.float32)},
        {"h6": np.repeat(one.golden.outputs["h6"], 2, axis=0)},
        np.arange(2),
    )

    with pytest.raises(GoldenRowsError, match=r"golden.npz: model.onnx cannot answer 2 of them"):
        Predictor.load(with_file(one, "golden.npz", two.to_bytes()))


def test_graph_of_another_width_is_refused(bundle):
    """The graph's own input shape must be the manifest's."""
    graph = linear_onnx(np.zeros((3 * 5, 3), np.float32), 3, 5)

    with pytest.raises(BackendError, match=r"model.onnx: input features: .*3, 4.*found.*5"):
        Predictor.load(with_file(bundle, "model.onnx", graph))


def test_graph_with_another_output_is_refused(bundle):
    """The outputs are found by their names, and a row of each has so many numbers."""
    other = linear_onnx(np.zeros((12, 3), np.float32), 3, 4, (choice_output(name="h9"),))
    wider = linear_onnx(np.zeros((12, 4), np.float32), 3, 4, (choice_output(4),))

    with pytest.raises(BackendError, match=r"expected the outputs \['h6'\], there is no \['h6'\]"):
        Predictor.load(with_file(bundle, "model.onnx", other))
    with pytest.raises(BackendError, match=r"output h6: expected a row of \(3,\) .*found \(4,\)"):
        Predictor.load(with_file(bundle, "model.onnx", wider))


def test_bytes_that_are_no_graph_are_refused(bundle):
    """The runtime's complaint is passed on with the file's name."""
    with pytest.raises(BackendError, match=r"model.onnx: onnxruntime refused it"):
        Predictor.load(with_file(bundle, "model.onnx", b"not a graph"))


def test_backend_without_its_file_is_refused(bundle):
    """A bundle without model.pt cannot be served by torch."""
    with pytest.raises(IntegrityError, match=r"model.pt: not in the bundle"):
        Predictor.load(bundle, backend="torchscript")


def test_bars_make_their_own_columns():
    """What the graph has computed of the last bar is what is watched."""
    predictor = Predictor.load(Bundle(*bars_bundle()))
    bundle = Bundle(*bars_bundle())
    predicted = predictor.predict(bundle.golden.inputs)

    assert predictor.manifest.feature_names == LOGS
    np.testing.assert_allclose(
        predicted.features, np.log(bundle.golden.inputs["bars"][:, -1, 1:5]), atol=1e-6
    )


def test_several_inputs_are_watched_beside_each_other():
    """Columns of every feature input; the bundle's constant reaches the graph by itself."""
    bundle = Bundle(*several_bundle())
    predicted = Predictor.load(bundle).predict(bundle.golden.inputs)
    inputs = bundle.golden.inputs

    np.testing.assert_allclose(predicted.raw, bundle.golden.outputs["h6"], atol=1e-5)
    assert bundle.manifest.feature_names == ("window.a", "window.b", "extra.b", "extra.c")
    np.testing.assert_allclose(
        predicted.features, np.hstack([inputs["window"][:, -1], inputs["extra"]]), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"names": ("action", "mood")}, r"the log has the columns .*, not \['mood'\]"),
        ({"shape": (2000, 2)}, "2000 steps, and a worker remembers 1024"),
    ],
)
def test_a_past_that_nobody_remembers_is_refused_at_load(change, fault):
    """Not at every request."""
    bundle = Bundle(*several_bundle())
    past = InputSpec(**{**SEVERAL[-1].model_dump(), **change})
    manifest = bundle.manifest.model_copy(update={"inputs": (*SEVERAL[:-1], past)})

    with pytest.raises(FormatError, match=rf"manifest.json: input past: {fault}"):
        Predictor.load(Bundle(manifest, bundle.files))


def test_output_scale_keeps_tiny_spreads_and_bounds_large_ones():
    """U is relative to the reference's spread, and never beyond ±50."""
    scale = OutputScale(centre=np.array([0.3, 0.7]), std=np.array([1e-4, 0.1]))

    np.testing.assert_allclose(scale.apply(np.array([[0.30001, 0.7]])), [[0.1, 0.0]], atol=1e-9)
    np.testing.assert_allclose(scale.apply(np.array([[1.0, 0.0]])), [[50.0, -7.0]])


def test_constant_reference_output_has_a_scale(bundle):
    """A class the reference never moved on does not divide by zero."""
    reference = bundle.reference
    still = dataclasses.replace(reference, centre=np.full_like(reference.centre, 1 / 3))
    predictor = Predictor.load(with_file(bundle, "reference.npz", still.to_bytes()))

    assert (predictor.scales["h6"].std > 0).all()


def test_golden_returns_are_told_as_exactly_as_logits():
    """A graph that says zero is not within 1e-4 of returns that are no larger themselves."""
    bundle = Bundle(*small_bundle(outputs=(value_output(),)))
    golden, graph = bundle.golden, onnx.load_from_string(bundle.files["model.onnx"])
    (output,) = graph.graph.output
    for node in graph.graph.node:
        node.output[:] = ["large" if each == output.name else each for each in node.output]
    graph.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    graph.graph.node.append(helper.make_node("Mul", ["large", "zero"], [output.name]))
    returns = {name: (5e-5 * each).astype(np.float32) for name, each in golden.outputs.items()}
    said = GoldenRows(golden.inputs, returns, golden.group).to_bytes()
    dead = with_file(with_file(bundle, "golden.npz", said), "model.onnx", graph.SerializeToString())

    with pytest.raises(GoldenRowsError, match="differs by 1 in a raw number"):
        Predictor.load(dead)
