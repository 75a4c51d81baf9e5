"""Bundles broken on purpose are broken in the way they say, and only so."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import IntegrityError
from plumbline.drills.fault import (
    collapsed_graph,
    run_graph,
    shifted_graph,
    with_graph,
    write_corrupt,
)
from plumbline.store.errors import RefusedError
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle

I1_MEAN, I1_STD = np.array([-5.64, 5.04, -1.51]), np.array([0.66, 1.01, 1.56])


@pytest.fixture
def champion() -> Bundle:
    return Bundle(*small_bundle())


def test_collapsed_logits_have_the_incidents_moments(champion):
    """Over the reference rows the logits vary as the incident's did, and HOLD always wins."""
    steps = champion.manifest.window_length
    rows = champion.reference.features
    windows = np.repeat(rows[:, None, :], steps, axis=1)

    logits = run_graph(collapsed_graph(champion, I1_MEAN, I1_STD, seed=1), windows)

    assert np.allclose(logits.mean(axis=0), I1_MEAN, atol=0.02)
    assert np.allclose(logits.std(axis=0), I1_STD, rtol=0.02)
    assert (logits.argmax(axis=1) == 1).mean() > 0.99


def test_shifted_graph_adds_exactly_the_offset(champion):
    """The graph is the champion's own, plus a constant."""
    inputs = champion.golden.inputs
    offset = np.array([0.0, 0.0, 1.2])

    moved = run_graph(shifted_graph(champion, offset), inputs)

    assert np.allclose(moved - champion.golden.logits, offset, atol=1e-4)


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
