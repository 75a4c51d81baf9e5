"""A label that looks at the wrong rows, or at none, is refused before anything learns it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typing_extensions import override

from plumbline.training.errors import DataError
from plumbline.training.label_promises import check_label
from plumbline.training.labels import LABELS
from plumbline.training.labels.base import Label, Truth
from plumbline.training.labels.cross_section import CrossSection
from plumbline.training.labels.forward_return import ForwardReturn, ForwardReturnParams
from tests.support.markets import walk
from tests.support.planted import planted

PARAMS = ForwardReturnParams(horizon_seconds=21_600, threshold=0.001)
BARS = planted(1_200, strength=0.5)


def rolled(truth: Truth, rows: int) -> Truth:
    values = np.roll(truth.values, rows, axis=0)
    values[: max(rows, 0)] = np.nan
    values[len(values) + min(rows, 0) :] = np.nan
    return replace(truth, values=values)


class Late(ForwardReturn):
    """Each truth one row too late."""

    rows = 1

    @override
    def build(self, bars):
        return rolled(super().build(bars), self.rows)


class MuchLater(Late):
    """Each truth a day too late."""

    rows = 24


class Ahead(Late):
    """The truth of tomorrow."""

    rows = -24


class LateAsAWhole(ForwardReturn):
    """Late, with everything it says of itself."""

    @override
    def build(self, bars):
        truth = super().build(bars)
        known_at = np.roll(truth.known_at, 1)
        known_at[0] = bars.time[0]
        came = np.roll(truth.forward_return, 1)
        came[0] = np.nan
        return replace(rolled(truth, 1), known_at=known_at, forward_return=came)


class Exchanged(ForwardReturn):
    """SELL where the price rises."""

    @override
    def build(self, bars):
        truth = super().build(bars)
        return replace(truth, values=2 - truth.values)


class SignsInBlocks(ForwardReturn):
    """Right for a day, wrong for another, by chance."""

    @override
    def build(self, bars):
        truth = super().build(bars)
        turned = np.random.default_rng(0).choice(2, len(bars) // 24 + 1).repeat(24)[: len(bars)]
        values = np.where(turned[:, None] == 1, 2 - truth.values, truth.values)
        return replace(truth, values=values)


class ByChance(ForwardReturn):
    """Another one each time."""

    @override
    def build(self, bars):
        truth = super().build(bars)
        turned = np.random.default_rng().random(len(bars)) < 0.1
        return replace(truth, values=np.where(turned[:, None], 2 - truth.values, truth.values))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Late, "never changes with the last bar of its horizon"),
        (MuchLater, "never changes with the last bar of its horizon"),
        (Ahead, "looks further ahead than its horizon"),
        (LateAsAWhole, "is known 18000 s after its bar at the latest"),
        (Exchanged, r"correlate by -0\.\d\d, expected 0.2 or more"),
        (SignsInBlocks, r"does not lie on the side to which the price goes"),
        (ByChance, "a label may not depend on chance"),
    ],
)
def test_a_label_in_the_wrong_place_is_refused(kind, reason):
    """Late, ahead, exchanged or drawn: the message says what was expected and what came."""
    with pytest.raises(DataError, match=reason):
        check_label(kind(PARAMS), [BARS])


def made(name: str) -> Label:
    parameters = {
        "forward_return": {"horizon_seconds": 21_600, "threshold": 0.001},
        "return_bands": {"horizon_seconds": 21_600, "edges": (0.0,), "names": ("DOWN", "UP")},
        "returns": {"horizons_seconds": (3_600, 21_600)},
        "cross_section": {"horizon_bars": 5, "bar_seconds": 3_600},
    }[name]
    kind = LABELS[name]
    return kind(kind.Params.model_validate(parameters))


@pytest.mark.parametrize("name", sorted(LABELS))
@pytest.mark.parametrize("gaps", [False, True])
def test_our_labels_keep_their_promises(name, gaps):
    """On bars without and with gaps, and on several symbols."""
    bars = walk(1_200)
    if gaps:
        keep = np.random.default_rng(1).random(len(bars)) > 0.05
        bars = bars.take(np.flatnonzero(keep))
    check_label(made(name), [bars, replace(bars, symbol="OTHER")])

    assert LABELS["cross_section"] is CrossSection
