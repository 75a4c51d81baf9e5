"""Drift reports: real ones, by Evidently."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.drift_report import build_drift_report
from plumbline.monitoring.drift_threshold import action_distance, distance
from plumbline.monitoring.page.report import relation
from plumbline.store.board import Bulletin
from plumbline.store.prediction import PredictionBatch
from plumbline.store.report import forget_reports, list_reports, read_report, write_report
from tests.integration import test_watcher_bars as real_bars
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


def test_the_page_says_whose_it_is_and_how_it_goes_with_the_verdict(bundle):
    """Model, version, rows, when; a drifted column beside `healthy` is no contradiction."""
    past = bundle.reference
    moved = past.features + np.array([0, 3, 0, 0]) * past.features.std(axis=0)
    bulletin = Bulletin(
        version=bundle.version,
        diagnosis=Diagnosis(verdict=Verdict.HEALTHY, cause="outputs follow the inputs", n=400),
        time=datetime(2026, 1, 1, tzinfo=UTC),
        rows=400,
    )
    page = build_drift_report(bundle, logged(bundle, moved), bulletin=bulletin).page

    assert "<title>Drift of eurusd-1h" in page
    assert f"1 of 8 columns of {MODEL} have drifted" in page
    for text in (bundle.version, "400, 1970-01-01", 'href="../"', "The verdict is healthy"):
        assert text in page
    assert "That is no contradiction" in page
    assert page.index(">feature_1<") < page.index(">feature_0<")


@pytest.mark.parametrize(
    ("verdict", "drifted", "said"),
    [
        (Verdict.HEALTHY, 0, ""),
        (Verdict.DRIFT, 3, "say the same"),
        (Verdict.SCHEMA_SKEW, 3, "inputs are at fault"),
        (Verdict.FLAT, 0, "it is the answers that moved"),
    ],
)
def test_every_verdict_goes_with_what_was_found(verdict, drifted, said):
    """Or the page says nothing of it."""
    diagnosis = Diagnosis(verdict=verdict, cause="c", n=1)
    bulletin = Bulletin(version="v", diagnosis=diagnosis, time=datetime.now(UTC), rows=1)

    assert said in relation(bulletin, drifted)
    assert bool(said) == bool(relation(bulletin, drifted))


def test_a_page_is_small_and_runs_nothing(bundle):
    """Evidently's own had four megabytes of scripts."""
    page = build_drift_report(bundle, logged(bundle, bundle.reference.features)).page

    assert len(page) < 30_000
    assert "<script" not in page


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
    name = list_reports(control.objects, MODEL)[0].name

    assert read_report(control.objects, MODEL, name).lstrip().startswith("<")
    assert monitor.status.drift.columns == 8
    assert (
        value(monitor.metrics, "plumbline_monitoring_reports_total", model=MODEL, result="written")
        == 1
    )
    assert ("evidently" in sys.modules) == loaded


@pytest.mark.parametrize("rows", [300, 1_000, 2_000])
def test_a_healthy_stream_of_real_bars_has_hardly_a_drifted_column(rows: int) -> None:
    """Months that the reference has not seen; a test of independent rows finds 30 of 35."""
    report = build_drift_report(real_bars.bundle(), real_bars.served(real_bars.held_out()[:rows]))

    assert report.columns == 35
    assert len(report.drifted) <= 2


def test_a_market_that_moved_has_drifted() -> None:
    """Three times as wild: returns, volatilities and ranges are named, the clock is not."""
    bars = real_bars.held_out()[:1_000].copy()
    wild = [name.startswith(("return_", "volatility_", "range_")) for name in real_bars.NAMES]
    bars[:, wild] *= 3
    report = build_drift_report(real_bars.bundle(), real_bars.served(bars))
    clock = {name for name in real_bars.NAMES if name.startswith(("hour", "half_day", "week"))}

    assert {"return_1", "volatility_24", "range_24"} <= set(report.drifted)
    assert not clock & set(report.drifted)


def test_the_page_says_what_counted_as_drift(bundle: Bundle) -> None:
    """In a sentence; the numbers are beside each column."""
    report = build_drift_report(bundle, logged(bundle, bundle.reference.features))

    assert "times the largest that any of 12 stretches of 200 rows" in report.page
    assert report.thresholds.length == 200


@pytest.mark.filterwarnings("ignore")
def test_our_distances_are_evidently_s() -> None:
    """So that a threshold learnt with ours means the same there."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    rng = np.random.default_rng(0)
    past = pandas.DataFrame({"x": rng.normal(size=500), "a": rng.choice(["u", "v"], 500)})
    now = pandas.DataFrame({"x": rng.normal(1, 2, 300), "a": rng.choice(["u", "v", "w"], 300)})
    definition = DataDefinition(numerical_columns=["x"], categorical_columns=["a"])
    metrics = [
        ValueDrift(column="x", method="wasserstein"),
        ValueDrift(column="a", method="jensenshannon"),
    ]
    report = Report(metrics).run(
        Dataset.from_pandas(now, data_definition=definition),
        Dataset.from_pandas(past, data_definition=definition),
    )
    theirs = [float(each["value"]) for each in report.dict()["metrics"]]
    codes = [frame["a"].map({"u": 0, "v": 1, "w": 2}).to_numpy() for frame in (past, now)]

    assert theirs[0] == pytest.approx(distance(past["x"].to_numpy(), now["x"].to_numpy()))
    assert theirs[1] == pytest.approx(action_distance(*codes), abs=1e-6)


def test_the_newest_reports_are_kept(tmp_path: Path) -> None:
    """They are not kept for ever; reports of other kinds are none of this business."""
    objects = Control(tmp_path).objects
    for day in range(1, 6):
        for kind in ("drift", "gate"):
            moment = datetime(2026, 1, day, tzinfo=UTC)
            write_report(objects, MODEL, f"<p>{kind} {day}", moment, kind=kind)
    forget_reports(objects, MODEL, kind="drift", kept=2)
    left = [(report.kind, report.time.day) for report in list_reports(objects, MODEL)]

    assert sorted(left) == [("drift", 4), ("drift", 5), *(("gate", day) for day in range(1, 6))]
