"""Bands of the reference: the figures of the rules, in stretches as long as their window."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.service.band import ReferenceBands
from tests.support.bundles import small_bundle


def bands():
    """Return those of a small bundle, with its reference and readings."""
    bundle = Bundle(*small_bundle())
    reference = bundle.reference
    readings = bundle.outputs.restore(reference.centre, reference.epistemic, reference.group)
    return bundle, readings, ReferenceBands.of(bundle.manifest, reference, readings)


def test_bands_are_those_of_every_stretch():
    """Computed once more, stretch by stretch."""
    bundle, readings, found = bands()
    order = np.argsort(bundle.reference.bar_time, kind="stable")
    rows = len(order) // 2  # 150 hours: a week of them is more than half
    starts = range(len(order) - rows + 1)
    reading = readings["h6"]
    spread = [
        reading.coordinates[order][i : i + rows].std(axis=0) / reading.coordinates.std(axis=0)
        for i in starts
    ]
    chosen = [reading.centre[order][i : i + rows].mean(axis=0) for i in starts]
    action = bundle.reference.action[order]
    shares = [np.bincount(action[i : i + rows], minlength=3) / rows for i in starts]
    for given, stretches in (
        (found.spreads["h6"], spread),
        (found.probabilities["h6"], chosen),
        (found.actions, shares),
    ):
        assert given == pytest.approx(np.percentile(stretches, [1, 50, 99], axis=0), abs=1e-9)


def test_low_is_below_high_and_the_whole_lies_between():
    """The mean of all is no stranger to its own stretches."""
    bundle, _, found = bands()
    whole = bundle.reference.action_shares(3)

    assert (found.actions[0] <= whole + 0.05).all()
    assert (found.actions[2] >= whole - 0.05).all()
    assert (found.spreads["h6"][0] < found.spreads["h6"][2]).all()
