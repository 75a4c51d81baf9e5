"""Whether a graph is the one its reference was taken from, and whether it responds."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from plumbline.bundle.archive import Bundle
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.reference import ReferenceProfile
from plumbline.monitoring.watching.audit.replay import Replay
from tests.support.answered import windows_of
from tests.support.bundles import choice_output, linear_onnx, score_output, small_bundle
from tests.support.graphs import bars_bundle, several_bundle, with_file

FEATURES, WINDOW = 4, 3


def one(**how: object) -> Bundle:
    """Return a small bundle of this kind."""
    return Bundle(*small_bundle(**how))  # type: ignore[arg-type]


def with_weights(bundle: Bundle, factor: float, *, kept: bool) -> Bundle:
    """Return the bundle with a graph whose answers are so many times as large.

    Its golden rows are its own; they lie in the reference, or nowhere near it.
    """
    rng = np.random.default_rng(0)
    inputs = bundle.golden.inputs["features"]
    window = inputs.shape[1]
    weights = factor * rng.normal(0, 0.5, (window * FEATURES, 3)).astype(np.float32)
    if not kept:
        inputs = windows_of(bundle, 10, seed=9)["features"]
    raw = inputs.reshape(len(inputs), -1) @ weights
    golden = GoldenRows({"features": inputs}, {"h6": raw}, bundle.golden.group)
    changed = with_file(bundle, "model.onnx", linear_onnx(weights, window, FEATURES))
    return with_file(changed, "golden.npz", golden.to_bytes())


def with_reference(bundle: Bundle, **columns: np.ndarray) -> Bundle:
    """Return the bundle with other columns of its reference."""
    held = bundle.reference
    names = held.__dataclass_fields__
    made = ReferenceProfile(**{name: columns.get(name, getattr(held, name)) for name in names})
    return with_file(bundle, "reference.npz", made.to_bytes())


@pytest.mark.parametrize("kept", [True, False])
def test_a_graph_that_gives_its_reference_is_intact(kept: bool) -> None:
    """Golden rows that lie in the reference say so, and windows rebuilt from its rows."""
    replay = Replay(with_weights(one(), 1.0, kept=kept))

    assert replay.intact is True
    assert replay.examined.windows >= 8
    assert replay.examined.alive["h6"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("kept", [True, False])
def test_a_graph_that_does_not_give_its_reference_is_named(kept: bool) -> None:
    """It is not what the gate saw, and how it differs is said."""
    bundle = with_weights(one(), 1e-3, kept=kept)
    examined = Replay(bundle).examined

    assert examined.intact is False
    assert f"version {bundle.version} is not the one its reference" in examined.said
    assert "they are 0.001 times the right ones" in examined.said
    assert examined.alive["h6"] == pytest.approx(1e-3, rel=0.05)


def test_an_ensemble_and_a_graph_of_cross_sections_are_intact() -> None:
    """Members lie beside each other; a cross-section is asked about whole."""
    assert Replay(one(outputs=(choice_output(members=3),))).intact is True
    assert Replay(one(outputs=(score_output(),))).intact is True


@pytest.mark.parametrize("made", [bars_bundle, several_bundle])
def test_a_reference_without_windows_leaves_it_open(made: object) -> None:
    """Bars are not in the reference, nor is the log; nothing is claimed of such a graph."""
    examined = Replay(Bundle(*made())).examined  # type: ignore[operator]

    assert examined.intact is None
    assert "not known" in examined.said
    assert examined.alive["h6"] > 0


def test_rows_that_do_not_follow_each_other_make_no_window() -> None:
    """A reference of every other bar cannot accuse its graph."""
    bundle = with_weights(one(), 1.0, kept=False)
    times = bundle.reference.bar_time[0] + 7_200_000_000 * np.arange(len(bundle.reference))

    assert Replay(with_reference(bundle, bar_time=times)).intact is None


def test_holes_of_the_reference_are_stepped_over() -> None:
    """Windows that span a missing bar are not the ones that were answered: most of them do."""
    bundle = with_weights(one(window=24), 1.0, kept=False)
    keep = np.arange(len(bundle.reference)) % 30 != 17
    holed = bundle.reference.take(np.flatnonzero(keep))
    replay = Replay(with_file(bundle, "reference.npz", holed.to_bytes()))

    assert replay.intact is True


def test_a_graph_that_cannot_be_run_leaves_it_open() -> None:
    """And says why."""
    examined = Replay(with_file(one(), "model.onnx", b"no graph")).examined

    assert examined.intact is None
    assert "cannot be run" in examined.said


def test_a_probe_measures_the_gain_around_live_windows() -> None:
    """A linear graph responds alike everywhere; one that is cut off beyond its range does not."""
    bundle = one()
    windows = windows_of(bundle, 64)
    probed = Replay(bundle).probe(windows)
    assert probed is not None

    there = probed["h6"]

    assert there.ratio == pytest.approx(1.0, abs=0.25)
    assert there.live > 0
    assert there.reference > 0


def test_a_probe_finds_where_probabilities_are_pinned() -> None:
    """Far from where it was judged a softmax of a clipped number answers the same to everything."""
    bundle = clipped(one())
    near = windows_of(bundle, 64)
    far = {name: each + np.float32(1_000.0) for name, each in near.items()}
    replay = Replay(bundle)

    here, there = replay.probe(near), replay.probe(far)

    assert here is not None
    assert there is not None
    assert here["h6"].ratio > 0.5
    assert there["h6"].ratio < 0.01


@pytest.mark.parametrize("made", [several_bundle, bars_bundle])
def test_a_probe_moves_what_the_reference_has_steps_of(made: object) -> None:
    """Columns of several inputs move together; bars are left alone."""
    bundle = Bundle(*made())  # type: ignore[operator]
    if made is bars_bundle:
        assert Replay(bundle).probe({"bars": bundle.golden.inputs["bars"]}) is None
        return

    probed = Replay(bundle).probe(windows_of(bundle, 32))

    assert probed is not None
    assert probed["h6"].live > 0


def test_a_probe_moves_a_cross_section_together() -> None:
    """Ranks move when their rows do."""
    bundle = one(outputs=(score_output(),))
    group = np.repeat(np.arange(4), 10)

    probed = Replay(bundle).probe(windows_of(bundle, 40), group)

    assert probed is not None
    assert probed["s6"].ratio > 0.3


def clipped(bundle: Bundle) -> Bundle:
    """Return the bundle with a graph that clips its inputs to ±3."""
    model = onnx.load_from_string(bundle.files["model.onnx"])
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(-3.0), "least"),
            numpy_helper.from_array(np.float32(3.0), "most"),
        ]
    )
    first = model.graph.node[0]
    first.input[0] = "within"
    model.graph.node.insert(0, helper.make_node("Clip", ["features", "least", "most"], ["within"]))
    graph = model.SerializeToString()
    weights = np.random.default_rng(0).normal(0, 0.5, (WINDOW * FEATURES, 3)).astype(np.float32)
    inputs = bundle.golden.inputs["features"]
    raw = np.clip(inputs, -3, 3).reshape(len(inputs), -1) @ weights
    golden = GoldenRows({"features": inputs}, {"h6": raw}, bundle.golden.group)
    return with_file(with_file(bundle, "model.onnx", graph), "golden.npz", golden.to_bytes())
