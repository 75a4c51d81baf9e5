"""Drift reports: real ones, by Evidently."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.drift_report import build_drift_report
from plumbline.store.prediction import PredictionBatch
from plumbline.store.report import list_reports, read_report
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, value
from tests.support.monitored import log_rows
from tests.support.watched import build, stepping, until

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def bundle() -> Bundle:
    """A bundle with a reference."""
    return Bundle(*small_bundle(MODEL, rows=400))


def logged(bundle: Bundle, features: np.ndarray, rows: int = 400) -> PredictionBatch:
    """Return the reference as the log would give it out, with other features."""
    past, n = bundle.reference, rows
    return PredictionBatch(
        prediction_id=np.arange(n).astype(str),
        seq=np.arange(n),
        time=np.arange(n),
        bar_time=past.bar_time[:n],
        symbol=past.symbol[:n],
        group=np.full(n, ""),
        client=np.full(n, ""),
        version=np.full(n, bundle.version),
        action=past.action[:n],
        position=past.position[:n],
        size=past.size[:n],
        raw=past.raw[:n],
        centre=past.centre[:n],
        epistemic=past.epistemic[:n],
        features=features[:n].astype(np.float32),
        inputs_hash=np.full(n, ""),
        window=np.full(n, None),
    )


def test_the_report_names_the_columns_that_moved(bundle):
    """One feature is shifted by three standard deviations; the others are the reference itself."""
    past = bundle.reference
    moved = past.features + np.array([0, 3, 0, 0]) * past.features.std(axis=0)
    report = build_drift_report(bundle, logged(bundle, moved))

    assert report.drifted == ("feature_1",)
    assert report.columns == 8
    assert "<html" in report.page[:2000].lower()


def test_nothing_is_loaded_from_elsewhere(bundle):
    """The page works where there is no network."""
    past = bundle.reference
    report = build_drift_report(bundle, logged(bundle, past.features))

    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=.https?:", report.page) == []
    assert report.drifted == ()


def test_markup_in_a_feature_name_stays_text(bundle):
    """Names come from whoever trained the model."""
    names = (HOSTILE, "b", "c", "d")
    (given,) = bundle.manifest.inputs
    inputs = (given.model_copy(update={"names": names}),)
    manifest = bundle.manifest.model_copy(update={"inputs": inputs})
    hostile = Bundle(manifest, bundle.files)
    past = hostile.reference
    report = build_drift_report(hostile, logged(hostile, past.features + 9))

    assert HOSTILE in report.drifted
    assert HOSTILE not in report.page


def test_rows_are_bounded(bundle):
    """The newest are taken."""
    past = bundle.reference
    report = build_drift_report(bundle, logged(bundle, past.features), max_rows=100)

    assert report.rows == 100


def test_too_few_rows_make_no_report(bundle):
    """The message says how many there are."""
    past = bundle.reference

    with pytest.raises(ValueError, match="12 predictions"):
        build_drift_report(bundle, logged(bundle, past.features, 12))


def test_a_verdict_change_makes_a_report_and_the_loop_goes_on(tmp_path: Path):
    """By a process of its own: this one never imports Evidently for it."""
    control = Control(tmp_path)
    version = control.registry.write(*small_bundle(MODEL, rows=900)).version
    control.registry.promote(version, actor="a person", reason="a test")
    loaded = "evidently" in sys.modules
    monitor = build(control)
    with stepping(monitor):
        until(lambda: monitor.status.watch is not None)
        log_rows(control.objects, control.registry.open(version), rows=200, ago_seconds=-1)
        until(lambda: bool(list_reports(control.objects, MODEL)), seconds=90)
        until(lambda: monitor.status.drift is not None)
        until(lambda: bool(monitor.status.reports))
    name = monitor.status.reports[0].name

    assert read_report(control.objects, MODEL, name).lstrip().startswith("<")
    assert monitor.status.drift.columns == 8
    assert value(monitor.metrics, "monitoring_reports_total", model=MODEL, result="written") == 1
    assert ("evidently" in sys.modules) == loaded
