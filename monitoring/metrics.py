"""Every metric of the monitor, in a registry of its own."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from plumbline.bundle.finding import Verdict
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.watching.skill.report import SkillReport


class Metrics:
    """The metrics of one monitor process.

    Gauges describe the model as this monitor sees it; of several monitors, ask the one for which
    ``plumbline_monitoring_leader`` is 1.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.verdict = self._gauge(
            "plumbline_monitoring_verdict",
            "1 for the present verdict, 0 for all others.",
            ("model", "version", "verdict"),
        )
        self.evidence = self._gauge(
            "plumbline_monitoring_evidence_nats",
            "Evidence of a detector against a healthy model.",
            ("model", "version", "detector", "output"),
        )
        self.threshold = self._gauge(
            "plumbline_monitoring_threshold_nats",
            "Evidence at which a detector alarms.",
            ("model", "version", "detector", "output"),
        )
        self.skill = self._gauge(
            "plumbline_monitoring_skill_value",
            "What outcomes have shown of an output: a figure in its own unit, and its interval.",
            ("model", "version", "output", "figure", "end"),
        )
        self.skill_evidence = self._gauge(
            "plumbline_monitoring_skill_evidence_nats",
            "Evidence of outcomes for a verdict.",
            ("model", "version", "output", "verdict"),
        )
        self.skill_threshold = self._gauge(
            "plumbline_monitoring_skill_threshold_nats",
            "Evidence of outcomes at which that verdict is reached.",
            ("model", "version", "output", "verdict"),
        )
        self.skill_outcomes = self._gauge(
            "plumbline_monitoring_skill_outcomes_count",
            "Outcomes of the version read, by what became of them.",
            ("model", "version", "result"),
        )
        self.lag = self._gauge(
            "plumbline_monitoring_lag_seconds", "From an answer to its being judged.", ("model",)
        )
        self.last_success = self._gauge(
            "plumbline_monitoring_last_success_timestamp_seconds",
            "When the control loop last went round without an error.",
            ("model",),
        )
        self.leader = self._gauge(
            "plumbline_monitoring_leader", "1 if this monitor acts, 0 if it stands by.", ("model",)
        )
        self.rows = self._counter(
            "plumbline_monitoring_rows_total", "Predictions judged.", ("model",)
        )
        self.incidents = self._counter(
            "plumbline_monitoring_incidents_total", "Incidents opened.", ("model", "verdict")
        )
        self.retrains = self._counter(
            "plumbline_monitoring_retrains_total",
            "Retrains, by how they ended.",
            ("model", "result"),
        )
        self.recalibrations = self._counter(
            "plumbline_monitoring_recalibrations_total",
            "Refits, by how they ended.",
            ("model", "result"),
        )
        self.calls = self._counter(
            "plumbline_monitoring_calls_total", "Times a person was called.", ("model", "reason")
        )
        self.webhooks = self._counter(
            "plumbline_monitoring_webhooks_total",
            "Alerts received, by what became of them.",
            ("result",),
        )
        self.canaries = self._counter(
            "plumbline_monitoring_canaries_total", "Canaries sent, by result.", ("model", "result")
        )
        self.reports = self._counter(
            "plumbline_monitoring_reports_total",
            "Drift reports, by how they ended.",
            ("model", "result"),
        )
        self.recomputations = self._counter(
            "plumbline_monitoring_recomputations_total",
            "Times the newest inputs were computed again, by what came of it.",
            ("model", "result"),
        )
        self.shadows = self._counter(
            "plumbline_monitoring_shadows_total", "Shadows, by how they ended.", ("model", "result")
        )
        self.shadow_rows = self._gauge(
            "plumbline_monitoring_shadow_rows",
            "Answers of the version in shadow that were judged.",
            ("model", "version"),
        )
        self.shadow_agreement = self._gauge(
            "plumbline_monitoring_shadow_agreement_ratio",
            "Share of requests to which the version in shadow does as the champion does.",
            ("model", "version"),
        )
        self.errors = self._counter(
            "plumbline_monitoring_errors_total",
            "Rounds of the control loop that failed.",
            ("model",),
        )

    def show_verdict(self, model: str, version: str, present: Verdict) -> None:
        """Set the verdict of a version, and drop the gauges of the versions before."""
        for gauge in (self.verdict, self.evidence, self.threshold):
            _forget_other_versions(gauge, version)
        for verdict in dict.fromkeys((*Verdict, present)):
            self.verdict.labels(model, version, verdict.value).set(float(verdict is present))

    def show_evidence(self, model: str, version: str, evidence: Iterable[Evidence]) -> None:
        """Set what each detector has gathered, 0 where that speaks for the model, and needs."""
        for item in evidence:
            labels = model, version, item.detector, item.output
            self.evidence.labels(*labels).set(max(item.log_e, 0.0))
            self.threshold.labels(*labels).set(item.threshold)

    def show_shadow(
        self, model: str, version: str | None, rows: int, agreement: float | None
    ) -> None:
        """Set what is known of the version in shadow, and drop the gauges of those before."""
        for gauge in (self.shadow_rows, self.shadow_agreement):
            _forget_other_versions(gauge, version)
        if version is None:
            return
        self.shadow_rows.labels(model, version).set(rows)
        if agreement is not None:
            self.shadow_agreement.labels(model, version).set(agreement)

    def show_skill(self, model: str, report: SkillReport | None) -> None:
        """Set what outcomes have shown of a version, and drop what they showed of others."""
        if report is None:
            return
        own = (self.skill, self.skill_evidence, self.skill_threshold, self.skill_outcomes)
        for gauge in own:
            _forget_other_versions(gauge, report.version)
        for result, count in report.counts.items():
            self.skill_outcomes.labels(model, report.version, result).set(count)
        for output in report.outputs:
            labels = model, report.version, output.output
            for figure in output.figures:
                ends = {"value": figure.value}
                if figure.interval is not None:
                    ends |= {"low": figure.interval.low, "high": figure.interval.high}
                for end, number in ends.items():
                    if number is not None:
                        self.skill.labels(*labels, figure.name, end).set(number)
            for item in output.evidence:
                self.skill_evidence.labels(*labels, item.verdict).set(item.log_e)
                self.skill_threshold.labels(*labels, item.verdict).set(item.threshold)

    def exposition(self) -> bytes:
        """Return the text that Prometheus reads."""
        text: bytes = generate_latest(self.registry)
        return text

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)


def _forget_other_versions(gauge: Gauge, version: str | None) -> None:
    samples = [sample for metric in gauge.collect() for sample in metric.samples]
    for stale in {tuple(sample.labels.values()) for sample in samples}:
        if stale[1] != version:
            gauge.remove(*stale)
