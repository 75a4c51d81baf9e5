"""Metrics of the monitor: one verdict at a time, and no series of versions that are gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.watching.audit.tally import CHECKS, Tally
from plumbline.store.incident import Incident, IncidentStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NONE = dict.fromkeys(CHECKS, 0)
ROWS = dict(NONE)


def evidence(log_e: float) -> Evidence:
    """Return the state of one detector."""
    return Evidence(
        detector="gain",
        accuses=Side.MODEL,
        log_e=log_e,
        threshold=13.8,
        alarmed=False,
        onset=0,
        n=10,
        output="h6",
    )


def shown(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a metric by their labels."""
    samples = [s for family in metrics.registry.collect() for s in family.samples]
    return {tuple(s.labels.values()): s.value for s in samples if s.name == name}


def test_exactly_one_verdict_holds():
    """All others are 0, so that a dashboard can add them up."""
    metrics = Metrics()
    metrics.show_verdict("m", "v1", Verdict.HEALTHY)
    metrics.show_verdict("m", "v1", Verdict.FLAT)
    values = shown(metrics, "plumbline_monitoring_verdict")

    assert len(values) == len(Verdict)
    assert {key for key, value in values.items() if value} == {("m", "v1", "flat")}


def test_versions_that_no_longer_serve_are_dropped():
    """An alert on an old verdict would never end, and series would pile up."""
    metrics = Metrics()
    for number in range(50):
        metrics.show_verdict("m", f"v{number}", Verdict.FLAT)
        metrics.show_evidence("m", f"v{number}", [evidence(1.0)])

    assert {key[1] for key in shown(metrics, "plumbline_monitoring_verdict")} == {"v49"}
    assert shown(metrics, "plumbline_monitoring_evidence_nats") == {("m", "v49", "gain", "h6"): 1.0}


def test_evidence_for_the_model_counts_as_none():
    """Minus 690 nats would flatten every chart."""
    metrics = Metrics()
    metrics.show_evidence("m", "v", [evidence(-690.8)])

    assert shown(metrics, "plumbline_monitoring_evidence_nats") == {("m", "v", "gain", "h6"): 0.0}
    assert shown(metrics, "plumbline_monitoring_threshold_nats") == {("m", "v", "gain", "h6"): 13.8}


def test_two_monitors_in_one_process_count_apart():
    """Nothing is registered globally."""
    first, second = Metrics(), Metrics()
    first.rows.labels("m").inc(3)

    assert "plumbline_monitoring_rows_total" in first.exposition()[0].decode()
    assert shown(second, "plumbline_monitoring_rows_total") == {}


def test_counters_of_versions_that_serve_no_more_go_after_their_time():
    """Not at once, since a version may come back; and never those of one that serves."""
    metrics = Metrics(model="m")
    audited = "plumbline_monitoring_audited_rows_total"
    for version in ("old", "new"):
        metrics.count_audit("m", version, Tally({**ROWS, "answers": 5}, dict(NONE)))
    metrics.forget_versions(["old"], NOW, 3600)
    metrics.forget_versions(["new"], NOW + timedelta(seconds=3600), 3600)
    within = {key[1] for key in shown(metrics, audited)}
    metrics.forget_versions(["new"], NOW + timedelta(seconds=3601), 3600)

    assert within == {"old", "new"}
    assert {key[1] for key in shown(metrics, audited)} == {"new"}


def test_audits_are_counted_by_side_and_go_on_when_a_watch_begins_anew():
    """Answers and readings are the model's, windows the client's."""
    metrics = Metrics(model="m")
    for rows, wrong in ((10, 1), (25, 2), (5, 0)):
        tally = Tally({**ROWS, "answers": rows}, {**NONE, "answers": wrong, "windows": wrong})
        metrics.count_audit("m", "v", tally)
    found = shown(metrics, "plumbline_monitoring_audit_mismatches_total")

    assert shown(metrics, "plumbline_monitoring_audited_rows_total")["m", "v", "answers"] == 30
    assert found["m", "v", "answers", "model"] == found["m", "v", "windows", "client"] == 2
    assert found["m", "v", "readings", "model"] == 0


def test_an_incident_is_shown_while_it_is_open_and_its_length_counted_once_it_ended():
    """With the attempts made and left."""
    metrics = Metrics(model="m")
    incident = Incident(
        id="i",
        model="m",
        version="v",
        verdict=Verdict.FLAT,
        status=IncidentStatus.RETRAINING,
        trigger="verdict",
        actor="verdict",
        opened=NOW,
        detected_after=1,
        attempts=1,
        diagnosis=Diagnosis(verdict=Verdict.FLAT, cause="It is flat.", n=1),
    )
    name = "plumbline_monitoring_"
    metrics.show_incidents("m", [incident], allowed=2)
    opened = shown(metrics, f"{name}open_incident")
    left = shown(metrics, f"{name}attempts_left")
    began = shown(metrics, f"{name}incident_start_timestamp_seconds")
    metrics.show_incidents("m", [], allowed=2)
    ended = {"closed": NOW + timedelta(seconds=90), "status": IncidentStatus.RESOLVED}
    metrics.count_incident_end(incident.model_copy(update=ended))

    assert opened == {("m", "v", "flat", "retraining"): 1}
    assert left == {("m",): 1}
    assert began == {("m",): NOW.timestamp()}
    assert shown(metrics, f"{name}open_incident") == {}
    assert shown(metrics, f"{name}incident_start_timestamp_seconds") == {}
    assert shown(metrics, f"{name}incident_seconds_sum") == {("m", "flat", "resolved"): 90}


def test_a_counter_is_one_series():
    """When it began is not a second one, in neither form."""
    metrics = Metrics(model="m")
    metrics.count_audit("m", "v1", Tally(dict(NONE), dict(NONE)))
    texts = [metrics.exposition(form)[0].decode() for form in ("", "application/openmetrics-text")]

    assert all("plumbline_monitoring_audited_rows_total{" in text for text in texts)
    assert not [text for text in texts if "_created" in text]
