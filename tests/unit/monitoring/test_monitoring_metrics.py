"""Metrics of the monitor: one verdict at a time, and no series of versions that are gone."""

from __future__ import annotations

from plumbline.bundle.finding import Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.metrics import Metrics


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
