"""What the page draws of the validation rows, for outputs of every kind."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.training.picture import draw_validation, equity, reliability
from plumbline.training.report import render_report
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.runs import begun, ended


def test_equity_adds_up_what_was_held_and_pays_for_it():
    """In order of time; rows without an outcome are left out; the market alone beside it."""
    found = equity(
        np.array([2, 0, 1, 3]) * 1_000_000,
        np.array([0.5, 1.0, -1.0, 1.0]),
        np.array([0.02, 0.01, 0.01, np.nan]),
        cost=0.001,
    )
    model, market = found.lines

    assert model.values == pytest.approx([0.009, -0.002, 0.0075])
    assert market.values[-1] == pytest.approx(2.5 / 3 * (0.04 - 0.003))
    assert found.turnover == 2.5
    assert found.break_even == pytest.approx(0.01 / 2.5)
    assert equity(np.zeros(1), np.ones(1), np.array([np.nan]), cost=0.0) is None


def test_reliability_has_bins_of_equally_many_rows():
    """Ordered by what was said; each with its mean and what was."""
    said = np.linspace(0, 1, 100)
    bins = reliability(said, said > 0.5)

    assert [each.rows for each in bins] == [10] * 10
    assert [each.was for each in bins] == [0.0] * 5 + [1.0] * 5
    assert bins[0].said == pytest.approx(said[:10].mean())
    assert reliability(said[:0], said[:0]) == ()


@pytest.mark.parametrize(
    ("output", "names", "ends"),
    [
        (choice_output(5), 5, (0.0, 1.0)),
        (value_output(), 1, None),
        (score_output(), 1, None),
    ],
    ids=["choice", "value", "score"],
)
def test_every_kind_of_output_has_its_page(output, names, ends):
    """Plots that any browser draws, whatever the kind; actions only where there are any."""
    manifest, files = small_bundle(outputs=(output,))
    bundle = Bundle(manifest, files)
    reference = bundle.reference
    returns = np.random.default_rng(0).normal(0, 0.01, len(reference))
    picture = draw_validation(
        reference, np.arange(len(reference)), bundle.outputs, forward_return=returns, cost=0.0
    )
    record = ended(begun()).model_copy(update={"picture": picture})
    page = render_report(record)
    plots = re.findall(r"<svg.*?</svg>", page, re.S)

    assert len(picture.names) == names
    assert ends is None or picture.ends == ends
    assert picture.actions == manifest.actions
    assert all(sum(counts) == len(reference) for counts in picture.histogram.values())
    assert len([ET.fromstring(plot) for plot in plots]) == 3
    assert ('id="actions"' in page) == bool(manifest.actions)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S).lower()


def test_names_that_come_back_sorted_keep_their_colours():
    """JSON has no order of keys; the choices have."""
    manifest, files = small_bundle()
    bundle = Bundle(manifest, files)
    rows = np.arange(len(bundle.reference))
    picture = draw_validation(
        bundle.reference, rows, bundle.outputs, forward_return=np.zeros(len(rows)), cost=None
    )
    record = ended(begun()).model_copy(update={"picture": picture})
    again = type(record).from_json(record.to_json())

    assert render_report(again) == render_report(record)
