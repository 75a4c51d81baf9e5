"""The charts' past: bounded, and the same statistics as everywhere."""

from __future__ import annotations

import uuid

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.watching.chart import POINTS, WINDOW, Chart, progress
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from tests.support.bundles import small_bundle
from tests.support.monitored import log_rows

BUNDLE = Bundle(*small_bundle())
DIAGNOSIS = Diagnosis(verdict=Verdict.HEALTHY, cause="a test", n=1)


def evidence(log_e: float, threshold: float = 10.0) -> Evidence:
    """Return the state of one detector."""
    return Evidence(
        detector="gain",
        accuses=Side.MODEL,
        log_e=log_e,
        threshold=threshold,
        alarmed=False,
        onset=0,
        n=1,
    )


JUDGEMENT = Judgement(DIAGNOSIS, "row", 0, 1, (evidence(5.0),))


@pytest.fixture(scope="module")
def rows() -> PredictionBatch:
    """Rows of the reference stream, as they come out of the log."""
    objects = Objects(f"memory://{uuid.uuid4()}")
    log_rows(objects, BUNDLE, rows=300)
    return PredictionLog(objects, BUNDLE.manifest.name).read()


def test_a_point_is_about_the_newest_rows(rows):
    """Shares and spread of the last 200, however they were cut into batches."""
    chart = Chart(BUNDLE)
    for start in range(0, 300, 25):
        chart.add(rows.take(slice(start, start + 25)), JUDGEMENT)
    newest = rows.take(slice(300 - WINDOW, 300))
    point = chart.points[-1]

    assert point.row == 300
    assert point.shares == pytest.approx(np.bincount(newest.action, minlength=3) / WINDOW)
    assert point.spread == pytest.approx(newest.centre.std(axis=0).max(), rel=1e-5)
    assert point.evidence == {"gain": 0.5}


def test_the_past_is_bounded(rows):
    """A monitor that runs for months holds no more than one that runs for a day."""
    chart = Chart(BUNDLE)
    one = rows.take(slice(0, 1))
    for _ in range(POINTS + 50):
        chart.add(one, JUDGEMENT)

    assert len(chart.points) == POINTS
    assert chart.points[-1].row == POINTS + 50


def test_the_spread_of_one_row_is_undefined(rows):
    """Undefined, not zero: a single row once passed for a collapse."""
    chart = Chart(BUNDLE)
    chart.add(rows.take(slice(0, 1)), JUDGEMENT)

    assert chart.points[0].spread is None


@pytest.mark.parametrize(
    ("log_e", "threshold", "share"),
    [(5.0, 10.0, 0.5), (-690.0, 10.0, 0.0), (99.0, 10.0, 2.0), (1.0, 0.0, 0.0)],
)
def test_progress_is_a_share_of_what_an_alarm_needs(log_e, threshold, share):
    """Between nothing and twice the level."""
    assert progress(evidence(log_e, threshold)) == share


@pytest.mark.parametrize("log_e", [float("nan"), float("-inf")])
def test_undefined_evidence_is_no_progress(log_e):
    """JSON could not hold it either."""
    assert progress(evidence(log_e)) == 0.0
