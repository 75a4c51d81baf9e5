"""Every metric of the monitor, in a registry of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from plumbline.bundle.finding import Verdict
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.watching.audit.tally import CHECKS, Tally
from plumbline.monitoring.watching.skill.report import SkillReport
from plumbline.store.build import build_labels
from plumbline.store.incident import Incident
from plumbline.store.observed import OPERATIONS

COMPONENT = "monitor"
_STORE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0)
_INCIDENT_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_JOB_SECONDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)


class Metrics:
    """The metrics of one monitor process.

    Gauges describe the model as this monitor sees it; of several monitors, ask the one for which
    ``plumbline_monitoring_leader`` is 1.

    Parameters
    ----------
    model
        Which it watches; jobs are counted under its name.
    """

    def __init__(self, *, model: str = "") -> None:
        disable_created_metrics()  # a second series for each counter, which the service's have not
        self.registry = CollectorRegistry()
        self._model = model
        self._left: dict[str, datetime] = {}
        self._audited: dict[tuple[str, str], Tally] = {}
        self._declare_watch()
        self._declare_repair()
        self._declare_process()

    def _declare_watch(self) -> None:
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
        self.skill_moments = self._gauge(
            "plumbline_monitoring_skill_moments",
            "Moments with an outcome behind a figure.",
            ("model", "version", "output", "figure"),
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
            "plumbline_monitoring_skill_outcomes",
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
        self.drifted = self._gauge(
            "plumbline_monitoring_drifted_columns",
            "Columns distributed as in no window of the reference, at the newest look.",
            ("model", "version"),
        )
        self.columns = self._gauge(
            "plumbline_monitoring_input_columns", "Columns of the input.", ("model", "version")
        )
        self.audited = self._counter(
            "plumbline_monitoring_audited_rows_total",
            "Logged rows that were checked by arithmetic.",
            ("model", "version", "check"),
        )
        self.mismatches = self._counter(
            "plumbline_monitoring_audit_mismatches_total",
            "Checks that came out otherwise, by whose fault it is.",
            ("model", "version", "check", "side"),
        )

    def _declare_repair(self) -> None:
        self.open_incident = self._gauge(
            "plumbline_monitoring_open_incident",
            "1 while an incident is open.",
            ("model", "version", "verdict", "status"),
        )
        self.incident_start = self._gauge(
            "plumbline_monitoring_incident_start_timestamp_seconds",
            "When the newest open incident was opened; absent while none is.",
            ("model",),
        )
        self.incident_attempts = self._gauge(
            "plumbline_monitoring_incident_attempts",
            "Attempts made for the newest open incident; 0 while none is.",
            ("model",),
        )
        self.attempts_left = self._gauge(
            "plumbline_monitoring_attempts_left",
            "Attempts that may still be made before a person is called.",
            ("model",),
        )
        self.incident_seconds = self._histogram(
            "plumbline_monitoring_incident_seconds",
            "From the opening of an incident to its end.",
            ("model", "verdict", "result"),
            _INCIDENT_SECONDS,
        )
        self.job_running = self._gauge(
            "plumbline_monitoring_job_running", "Jobs that run now.", ("model", "kind")
        )
        self.job_seconds = self._histogram(
            "plumbline_monitoring_job_seconds",
            "How long jobs took, by how they ended.",
            ("model", "kind", "result"),
            _JOB_SECONDS,
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
        self.person_awaited = self._gauge(
            "plumbline_monitoring_person_awaited",
            "1 while a person was called and has not acted.",
            ("model", "version", "reason"),
        )
        self.messages = self._counter(
            "plumbline_monitoring_messages_total",
            "Attempts to send a message to people, by what came of them.",
            ("model", "result"),
        )
        self.messages_waiting = self._gauge(
            "plumbline_monitoring_messages_waiting",
            "Messages that are still to be sent.",
            ("model",),
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

    def _declare_process(self) -> None:
        build = build_labels(COMPONENT)
        self.build = self._gauge("plumbline_build_info", "The program that runs.", tuple(build))
        self.build.labels(**build).set(1)
        self.operations = self._histogram(
            "plumbline_store_operation_seconds",
            "How long operations on the store took.",
            ("component", "operation"),
            _STORE_SECONDS,
        )
        self.store_errors = self._counter(
            "plumbline_store_errors_total",
            "Operations in which the store failed.",
            ("component", "operation"),
        )
        for operation in OPERATIONS:
            self.operations.labels(COMPONENT, operation)
            self.store_errors.labels(COMPONENT, operation)
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)

    def show_drift(self, model: str, version: str, columns: int, drifted: int | None) -> None:
        """Set how many columns there are and how many drifted; None before that was looked at."""
        for gauge in (self.columns, self.drifted):
            _forget_other_versions(gauge, version)
        self.columns.labels(model, version).set(columns)
        if drifted is not None:
            self.drifted.labels(model, version).set(drifted)

    def count_audit(self, model: str, version: str, tally: Tally) -> None:
        """Count what has been checked since the last call; a watch that began anew begins at 0."""
        before = self._audited.get((model, version), Tally.empty())
        again = any(tally.rows[check] < before.rows[check] for check in CHECKS)
        before = Tally.empty() if again else before
        for check, side in CHECKS.items():
            rows = tally.rows[check] - before.rows[check]
            self.audited.labels(model, version, check).inc(rows)
            wrong = tally.mismatches[check] - before.mismatches[check]
            self.mismatches.labels(model, version, check, side).inc(wrong)
        self._audited[model, version] = Tally(dict(tally.rows), dict(tally.mismatches))

    def show_incidents(self, model: str, opened: Sequence[Incident], *, allowed: int) -> None:
        """Show the incidents about which something may still be done, oldest first.

        Parameters
        ----------
        model, opened
            Whose, and which.
        allowed
            Attempts that the newest has; those of a next one while none is open.
        """
        present = {(model, each.version, each.verdict.value, each.status.value) for each in opened}
        for labels in _labels_of(self.open_incident) - present:
            self.open_incident.remove(*labels)
        for labels in present:
            self.open_incident.labels(*labels).set(1)
        newest = opened[-1] if opened else None
        attempts = newest.attempts if newest else 0
        self.incident_attempts.labels(model).set(attempts)
        self.attempts_left.labels(model).set(max(allowed - attempts, 0))
        if newest is not None:
            self.incident_start.labels(model).set(newest.opened.timestamp())
        elif (model,) in _labels_of(self.incident_start):
            self.incident_start.remove(model)

    def show_awaited(self, model: str, version: str, reasons: Iterable[str]) -> None:
        """Show for which reasons a person was called about what serves, and has yet to act."""
        present = {(model, version, reason) for reason in reasons}
        for labels in _labels_of(self.person_awaited) - present:
            self.person_awaited.remove(*labels)
        for labels in present:
            self.person_awaited.labels(*labels).set(1)

    def count_incident_end(self, incident: Incident) -> None:
        """Count how long an incident that has just ended took."""
        lasted = (incident.closed or incident.opened) - incident.opened
        labels = incident.model, incident.verdict.value, incident.status.value
        self.incident_seconds.labels(*labels).observe(lasted.total_seconds())

    def show_jobs(self, kind: str, running: int) -> None:
        """Set how many jobs of a kind run."""
        self.job_running.labels(self._model, kind).set(running)

    def record_job(self, kind: str, seconds: float, result: str) -> None:
        """Count a job that has ended."""
        self.job_seconds.labels(self._model, kind, result).observe(seconds)

    def record_operation(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Count one operation on the store."""
        self.operations.labels(COMPONENT, operation).observe(seconds)
        if failed:
            self.store_errors.labels(COMPONENT, operation).inc()

    def forget_versions(self, serving: Iterable[str], now: datetime, retention: float) -> None:
        """Drop the counters of versions that have not served for so many seconds."""
        self._left |= dict.fromkeys(serving, now)
        gone = {
            version
            for version, last in self._left.items()
            if (now - last).total_seconds() > retention
        }
        for counter in (self.audited, self.mismatches):
            for labels in _labels_of(counter):
                if labels[1] in gone:
                    counter.remove(*labels)
        for version in gone:
            del self._left[version]

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
        own = (
            *(self.skill, self.skill_moments, self.skill_outcomes),
            *(self.skill_evidence, self.skill_threshold),
        )
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
                self.skill_moments.labels(*labels, figure.name).set(figure.n)
                for end, number in ends.items():
                    if number is not None:
                        self.skill.labels(*labels, figure.name, end).set(number)
            for item in output.evidence:
                self.skill_evidence.labels(*labels, item.verdict).set(item.log_e)
                self.skill_threshold.labels(*labels, item.verdict).set(item.threshold)

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return the text that Prometheus reads, in the form it accepts, and its content type."""
        encode, content_type = choose_encoder(accept)
        return bytes(encode(self.registry)), content_type

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)


def _forget_other_versions(gauge: Gauge, version: str | None) -> None:
    for stale in _labels_of(gauge):
        if stale[1] != version:
            gauge.remove(*stale)


def _labels_of(metric: Gauge | Counter) -> set[tuple[str, ...]]:
    samples = [sample for family in metric.collect() for sample in family.samples]
    return {tuple(sample.labels.values()) for sample in samples}
