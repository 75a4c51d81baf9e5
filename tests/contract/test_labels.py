"""What every label promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from plumbline.bundle.heads import build_head
from plumbline.training.bars import Bars
from plumbline.training.feature_table import mirrored
from plumbline.training.labels import LABELS, Label
from tests.support.markets import HOUR, walk

SIX = 6 * 3600
EDGES = (-0.004, -0.001, 0.001, 0.004)
FIVE = ("CRASH", "DOWN", "FLAT", "UP", "BOOM")
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "forward_return": ("forward_return", {"horizon_seconds": SIX, "threshold": 0.002}),
    "five bands": ("return_bands", {"horizon_seconds": SIX, "edges": EDGES, "names": FIVE}),
    "two bands": (
        "return_bands",
        {"horizon_seconds": SIX, "edges": (0.0,), "names": ("DOWN", "UP")},
    ),
    "uneven bands": (
        "return_bands",
        {"horizon_seconds": SIX, "edges": (-0.001, 0.004), "names": ("A", "B", "C")},
    ),
    "returns": ("returns", {"horizons_seconds": (3600, SIX, 4 * SIX, 2 * SIX)}),
    "cross_section": ("cross_section", {"horizon_bars": 6, "bar_seconds": 3600}),
}
IN_TIME = [name for name in CASES if name != "cross_section"]
ROWS = 400
HOLES = np.array([40, 41, 42, 100, 250, *range(300, 330)])


def made(name: str) -> Label[Any]:
    """Return a label of one of the cases."""
    kind, parameters = CASES[name]
    return LABELS[kind](LABELS[kind].Params.model_validate(parameters))


@pytest.fixture(params=CASES)
def label(request) -> Label[Any]:
    """Every label, with parameters for each of its uses."""
    return made(request.param)


def gappy() -> Bars:
    """Four hundred hours of which some are missing."""
    return walk(ROWS).take(np.setdiff1d(np.arange(ROWS), HOLES))


def test_every_label_is_tried():
    """A new one belongs in the cases above."""
    assert {kind for kind, _ in CASES.values()} == set(LABELS)


def test_its_outputs_are_what_heads_can_read(label):
    """Names are unique and say the horizon; kinds have heads; positions go from down to up."""
    outputs = label.outputs
    for spec in outputs:
        build_head(spec)

        assert spec.members == 1
        assert spec.horizon_seconds <= label.horizon / 1e6
        assert list(spec.positions) == sorted(spec.positions)
        assert len(spec.positions) == len(spec.choices)
    assert len({spec.name for spec in outputs}) == len(outputs)
    assert label.horizon == 1_000_000 * max(spec.horizon_seconds for spec in outputs)


@pytest.mark.parametrize(
    ("name", "names", "choices", "positions"),
    [
        ("forward_return", ["direction_6h"], ("SELL", "HOLD", "BUY"), (-1, 0, 1)),
        ("five bands", ["band_6h"], FIVE, (-1, -0.5, 0, 0.5, 1)),
        ("two bands", ["band_6h"], ("DOWN", "UP"), (-1, 1)),
        ("returns", ["return_1h", "return_6h", "return_1d", "return_12h"], (), ()),
        ("cross_section", ["score_6h"], (), ()),
    ],
)
def test_outputs_are_named_by_what_they_say(name, names, choices, positions):
    """What it is and how far ahead; the first is the primary one."""
    outputs = made(name).outputs

    assert [spec.name for spec in outputs] == names
    assert outputs[0].choices == choices
    assert outputs[0].positions == pytest.approx(positions)


def test_it_says_something_of_every_bar(label):
    """One row a bar and one column an output; what it says are truths of that kind."""
    bars = gappy()
    truth = label.build(bars)

    assert truth.values.shape == (len(bars), len(label.outputs))
    assert truth.known_at.shape == truth.forward_return.shape == (len(bars),)
    for place, spec in enumerate(label.outputs):
        assert build_head(spec).untrue(truth.values[:, place]) is None
        assert 0.5 < np.isfinite(truth.values[:, place]).mean() < 1
        if spec.kind == "choice":
            known = truth.values[np.isfinite(truth.values[:, place]), place]
            assert set(known) == set(range(len(spec.choices)))


@pytest.mark.parametrize("name", IN_TIME)
def test_where_the_bar_it_needs_is_missing_it_says_nothing(name):
    """Shifting by rows instead would give Friday evening Monday's price."""
    label, bars = made(name), gappy()
    truth = label.build(bars)
    for place, spec in enumerate(label.outputs):
        later = np.isin(bars.time + 1_000_000 * spec.horizon_seconds, bars.time)

        assert np.array_equal(np.isfinite(truth.values[:, place]), later)
    first = np.isin(bars.time + 1_000_000 * label.outputs[0].horizon_seconds, bars.time)
    assert np.array_equal(np.isfinite(truth.forward_return), first)


@pytest.mark.parametrize("name", IN_TIME)
def test_a_bar_that_is_missing_changes_no_other_row(name):
    """Every row that is still known has the truth it would have without the hole."""
    label, bars = made(name), gappy()
    whole, holed = label.build(walk(ROWS)), label.build(bars)
    kept = np.setdiff1d(np.arange(ROWS), HOLES)
    known = np.isfinite(holed.values)

    assert np.array_equal(holed.values[known], whole.values[kept][known])


def test_bars_are_counted_where_symbols_are_ranked():
    """The sixth bar on is the outcome, whatever holidays lie between."""
    bars = gappy()
    truth = made("cross_section").build(bars)
    expected = bars.close[6:] / bars.close[:-6] - 1

    assert np.array_equal(truth.values[:-6, 0], expected)
    assert np.isnan(truth.values[-6:]).all()
    assert np.array_equal(truth.known_at[:-6], bars.time[6:])


@pytest.mark.parametrize("factor", [0.01, 3.0])
def test_nothing_later_than_known_at_matters(label, factor):
    """Whatever prices come afterwards, the row keeps its truth, bit for bit."""
    bars = gappy()
    truth = label.build(bars)
    for row in (0, 37, 95, 200, 260):
        after = bars.time > truth.known_at[row]
        close = np.where(after, bars.close * factor, bars.close)
        other = label.build(replace(bars, close=close))

        assert np.array_equal(other.values[row], truth.values[row], equal_nan=True)
        assert other.known_at[row] == truth.known_at[row]


def test_known_at_is_no_later_than_needed(label):
    """The price of that very bar does matter, where the row knows anything."""
    bars = gappy()
    truth = label.build(bars)
    known = np.isfinite(truth.values).any(axis=1)

    assert (truth.known_at[~known] == bars.time[~known]).all()
    assert (truth.known_at[known] > bars.time[known]).all()
    for row in np.flatnonzero(known)[[0, 50, 150]]:
        at = bars.time == truth.known_at[row]
        assert at.sum() == 1
        changed = [
            label.build(replace(bars, close=np.where(at, bars.close * factor, bars.close)))
            for factor in (0.5, 2.0)
        ]
        assert not all(
            np.array_equal(other.values[row], truth.values[row], equal_nan=True)
            for other in changed
        )


@pytest.mark.parametrize("name", IN_TIME)
def test_it_looks_no_further_than_its_horizon(name):
    """Which is what the purge keeps free between two parts."""
    label, bars = made(name), gappy()

    assert (label.build(bars).known_at <= bars.time + label.horizon).all()


def test_the_past_does_not_matter(label):
    """A row's truth is the same when it is the oldest there is."""
    bars = gappy()
    whole, later = label.build(bars), label.build(bars.take(slice(100, None)))

    assert np.array_equal(whole.values[100:], later.values, equal_nan=True)
    assert np.array_equal(whole.known_at[100:], later.known_at)


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_too_few_bars_know_nothing(label, rows):
    """And break nothing."""
    truth = label.build(walk(10).take(slice(rows)))

    assert truth.values.shape == (rows, len(label.outputs))
    if len(label.outputs) == 1:
        assert np.isnan(truth.values).all()


def test_the_forward_return_is_the_primary_outputs(label):
    """Simple, from the row's close to that of the outcome."""
    bars = walk(ROWS)
    steps = label.outputs[0].horizon_seconds // 3600
    found = label.build(bars).forward_return

    assert np.array_equal(found[:-steps], bars.close[steps:] / bars.close[:-steps] - 1)
    assert np.isnan(found[-steps:]).all()


def test_mirrored_twice_is_the_same_or_there_is_no_mirror(label):
    """Masks stay; a label that has no mirror image says so."""
    values = label.build(gappy()).values
    if label.outputs[0].kind == "score" or getattr(label.params, "edges", EDGES)[0] == -0.001:
        with pytest.raises(ValueError, match="no mirror image"):
            label.mirrored(values)
        return
    once = label.mirrored(values)

    assert np.array_equal(np.isnan(once), np.isnan(values))
    assert np.allclose(label.mirrored(once), values, equal_nan=True, atol=1e-12)
    assert not np.allclose(once, values, equal_nan=True)


@pytest.mark.parametrize("name", ["uneven bands", "cross_section"])
def test_what_is_not_symmetric_has_no_mirror(name):
    """What lies in the lowest band lies in no band of the other market."""
    with pytest.raises(ValueError, match="no mirror image"):
        made(name).mirrored(np.zeros((3, 1)))


@pytest.mark.parametrize("name", ["forward_return", "five bands", "two bands", "returns"])
def test_the_mirror_is_the_truth_of_the_other_market(name):
    """Labelled anew on one over the price: the same, but for a hair at an edge."""
    label, bars = made(name), gappy()
    expected, found = label.build(mirrored(bars)).values, label.mirrored(label.build(bars).values)
    known = np.isfinite(expected)

    assert np.array_equal(known, np.isfinite(found))
    assert np.isclose(found[known], expected[known], atol=1e-12).mean() > 0.98


def market(*closes: float) -> Bars:
    """Return hours with these closing prices."""
    close = np.array(closes)
    return Bars("X", HOUR * np.arange(len(close)), *(close,) * 4, volume=np.ones(len(close)))


def test_a_return_at_the_threshold_is_a_hold():
    """Only what exceeds it is worth an action."""
    kind = LABELS["forward_return"]
    label = kind(kind.Params(horizon_seconds=3600, threshold=0.25))
    values = label.build(market(1.0, 1.25, 1.25 * 0.75, 1.25, 1.0, 0.5, 1.0)).values[:-1, 0]

    assert values.tolist() == [1, 1, 2, 1, 0, 2]


def test_a_return_on_an_edge_belongs_to_the_band_above():
    """So that each return lies in exactly one."""
    kind = LABELS["return_bands"]
    label = kind(kind.Params(horizon_seconds=3600, edges=(-0.5, 0.0, 1.0), names=tuple("ABCD")))
    values = label.build(market(1.0, 0.5, 1.0, 1.0, 0.25, 0.375, 0.3)).values[:-1, 0]

    assert values.tolist() == [1, 3, 2, 0, 2, 1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"edges": (0.1, 0.1)}, "edges must rise"),
        ({"edges": (0.1, -0.1)}, "edges must rise"),
        ({"names": ("A", "B")}, "2 edges make 3 bands: name each"),
        ({"positions": (-1.0, 1.0)}, "positions must have one number per band"),
        ({"edges": ()}, "edges"),
    ],
)
def test_bands_that_cannot_be_are_refused(changes, reason):
    """The message counts what was given."""
    sound = {"horizon_seconds": 3600, "edges": (-0.1, 0.1), "names": ("A", "B", "C")}
    with pytest.raises(ValidationError, match=reason):
        LABELS["return_bands"].Params.model_validate({**sound, **changes})
