"""Bundles broken on purpose are broken in the way they say, and only so."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import IntegrityError
from plumbline.drills.fault import (
    collapsed_graph,
    perturbed_graph,
    run_graph,
    shifted_graph,
    with_graph,
    write_corrupt,
)
from plumbline.store.errors import RefusedError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import choice_output, small_bundle, value_output

I1_MEAN, I1_STD = np.array([-5.64, 5.04, -1.51]), np.array([0.66, 1.01, 1.56])


@pytest.fixture
def champion() -> Bundle:
    return Bundle(*small_bundle())


def test_collapsed_logits_have_the_incidents_moments(champion):
    """Over the reference rows the logits vary as the incident's did, and HOLD always wins."""
    (given,) = champion.manifest.inputs
    rows = champion.reference.features
    windows = np.repeat(rows[:, None, :], given.steps, axis=1)

    graph = collapsed_graph(champion, I1_MEAN, I1_STD, seed=1)
    logits = run_graph(graph, champion, {given.name: windows})[champion.manifest.primary]

    assert np.allclose(logits.mean(axis=0), I1_MEAN, atol=0.02)
    assert np.allclose(logits.std(axis=0), I1_STD, rtol=0.02)
    assert (logits.argmax(axis=1) == 1).mean() > 0.99


def test_shifted_graph_adds_exactly_the_offset(champion):
    """The graph is the champion's own, plus a constant."""
    golden, primary = champion.golden, champion.manifest.primary
    offset = np.array([0.0, 0.0, 1.2])

    moved = run_graph(shifted_graph(champion, offset), champion, golden.inputs)

    assert np.allclose(moved[primary] - golden.outputs[primary], offset, atol=1e-4)


def test_another_output_is_left_as_it_is():
    """Only the primary one is shifted; the golden rows of both are those of the new graph."""
    champion = Bundle(*small_bundle(outputs=(choice_output(), value_output(members=2))))
    offset = np.array([0.0, 3.0, 0.0])
    graph = shifted_graph(champion, offset)
    broken = Bundle(*with_graph(champion, graph, drill="bias"))
    broken.check()
    before, after = champion.golden.outputs, broken.golden.outputs

    assert np.allclose(after["h6"] - before["h6"], offset, atol=1e-4)
    assert np.array_equal(after["r6"], before["r6"])


def test_a_broken_bundle_cannot_be_promoted_by_accident(champion):
    """It verifies, but its report did not pass."""
    registry = ModelRegistry(Objects("memory://fault-promote"), champion.manifest.name)
    graph = shifted_graph(champion, np.array([0.0, 0.0, 1.2]))
    broken = registry.write(*with_graph(champion, graph, drill="bias"))

    with pytest.raises(RefusedError, match="made by the drill bias on purpose"):
        registry.promote(broken.version, actor="test", reason="by accident")


def test_a_corrupt_bundle_is_refused_by_name(champion):
    """One flipped bit in the graph is found before anything is parsed."""
    objects = Objects("memory://fault-corrupt")
    manifest, files = with_graph(champion, champion.files["model.onnx"], drill="swap")
    version = write_corrupt(objects, manifest, files, name=manifest.name)

    with pytest.raises(IntegrityError, match=r"model\.onnx: changed"):
        ModelRegistry(objects, manifest.name).open(version)


def test_a_perturbed_graph_answers_much_alike_and_never_the_same():
    """As the weights of an earlier training would."""
    champion = Bundle(*small_bundle(features=40))
    inputs = champion.golden.inputs
    own = run_graph(champion.files["model.onnx"], champion, inputs)[champion.manifest.primary]
    graph = perturbed_graph(champion, share=0.05, seed=1)

    other = run_graph(graph, champion, inputs)[champion.manifest.primary]

    assert (np.abs(other - own).max(axis=1) > 1e-5).all()
    assert np.abs(other - own).mean() < own.std()
