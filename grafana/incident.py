"""Incidents and the control loop: what is being repaired, how long that takes, who watches."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import states
from grafana.fleet import alerts
from grafana.frame import PLACE, SCOPE, Board, Section
from grafana.panels import AnyPanel, counts, lines, number, timeline
from grafana.query import ask, ask_now, ask_rows
from grafana.tables import measured, rows

NOTHING = states.Face("none", states.QUIET)
MONITOR_FAULT = states.Face("a verdict of a plug-in", states.OTHER)


def build() -> Dashboard:
    """Return the dashboard."""
    return Board(
        uid="plumbline-incident",
        title="Plumbline / Incident and loop",
        description="What is being repaired, what comes next, and whether anybody watches.",
        sections=[
            Section("", [*_now(), *_course()]),
            Section("How repairs ended", _ends()),
            Section("The candidate in shadow", _shadow()),
            Section("Who watches the watcher", _loop()),
        ],
    ).build()


def _now() -> list[AnyPanel]:
    started = f"plumbline_monitoring_incident_start_timestamp_seconds{{{SCOPE}}}"
    lasted = f'plumbline_monitoring_incident_seconds_bucket{{{SCOPE}, result="resolved"}}'
    return [
        number(
            "Incident",
            "Where the open incident of each model stands.",
            "none",
            ask_now(f"max by (model) (\n{states.incident(SCOPE)}\n)", "{{model}}"),
            words=states.mappings(states.STEPS, states.STEPS, states.Face("none", states.GOOD)),
            size=(10, 5),
            empty="no monitor",
            filled=True,
            letters=18,
        ),
        number(
            "Open for",
            "Since the alarm.",
            "s",
            ask_now(f"time() - max by (model) ({started} > 0)", "{{model}}"),
            size=(4, 5),
            empty="none open",
        ),
        number(
            "Usually resolved within",
            "Nine in ten incidents of the last 30 days that were resolved took less.",
            "s",
            ask_now(f"histogram_quantile(0.9, sum by (le) (increase({lasted}[30d]))) >= 0"),
            size=(5, 5),
            empty="none resolved yet",
        ),
        number(
            "Attempts left",
            "Retrains or refits that may still be tried before a person is called.",
            "none",
            ask_now(states.attempts_left(SCOPE), "{{model}}"),
            size=(5, 5),
            colors={None: "red", 1: "orange", 2: "green"},
            empty="none open",
        ),
    ]


def _course() -> list[AnyPanel]:
    verdict = states.verdict("model", SCOPE)
    jobs = f"max by (model, kind) (plumbline_monitoring_job_running{{{SCOPE}}})"
    return [
        timeline(
            "Verdict over time",
            "What the monitor said of the version that served.",
            ask(verdict, "{{model}}"),
            words=states.mappings(states.VERDICTS, states.ordered_verdicts(), MONITOR_FAULT),
        ),
        timeline(
            "Incident over time",
            "What was being done; grey while none was open.",
            ask(f"max by (model) (\n{states.incident(SCOPE)}\n)", "{{model}}"),
            words=states.mappings(states.INCIDENTS, states.INCIDENTS, NOTHING),
        ),
        timeline(
            "Job over time",
            "When a job ran: a training, a refit, a report.",
            ask(jobs, "{{model}}: {{kind}}"),
            words=states.mappings(
                {"running": states.Face("running", states.MARKET)}, ["running"], NOTHING
            ),
            empty="no job yet",
        ),
    ]


def _counted(
    title: str, description: str, metric: str, label: str, size: tuple[int, int] = (6, 7)
) -> AnyPanel:
    counter = f"plumbline_monitoring_{metric}_total{{{SCOPE}}}"
    return counts(title, description, counter, label, size=size)


def _took(title: str, description: str, metric: str, by: dict[str, str]) -> AnyPanel:
    ended, summed = (
        f"sum by ({', '.join(by)}) "
        f"(increase(plumbline_monitoring_{metric}_seconds_{part}{{{SCOPE}}}[$__range]))"
        for part in ("count", "sum")
    )
    table = rows(
        title,
        description,
        {**by, "Value": "Mean duration"},
        ask_rows(f"{summed}\n/ ({ended} > 0)"),
        size=(12, 6),
        empty="none ended in this range of time",
    )
    return measured(table, "Mean duration", "s", width=160)


def _ends() -> list[AnyPanel]:
    return [
        _counted("Incidents opened", "By verdict.", "incidents", "verdict"),
        _counted("Retrains", "By how they ended.", "retrains", "result"),
        _counted("Refits", "By how they ended.", "recalibrations", "result"),
        _counted("People called", "By the reason.", "calls", "reason"),
        _took(
            "From alarm to end",
            "Mean duration of the incidents that ended in the range of time that is shown.",
            "incident",
            {"model": "Model", "verdict": "Verdict", "result": "Ended"},
        ),
        _took(
            "How long jobs took",
            "Mean duration of the jobs that ended in the range of time that is shown.",
            "job",
            {"model": "Model", "kind": "Job", "result": "Ended"},
        ),
    ]


def _shadow() -> list[AnyPanel]:
    return [
        lines(
            "Answers in shadow",
            "Requests that a candidate answered unseen and that were judged.",
            "short",
            ask(
                f"max by (model, version) (plumbline_monitoring_shadow_rows{{{SCOPE}}})",
                "{{model}} {{version}}",
            ),
            size=(8, 7),
            low=0,
            empty="no candidate in shadow",
        ),
        lines(
            "Agreement with the champion",
            "Share of requests to which the candidate does as the champion does.",
            "percentunit",
            ask(
                f"max by (model, version) (plumbline_monitoring_shadow_agreement_ratio{{{SCOPE}}})",
                "{{model}} {{version}}",
            ),
            size=(8, 7),
            low=0,
            high=1,
            empty="no candidate in shadow",
        ),
        _counted("Shadows", "By how they ended.", "shadows", "result", (8, 7)),
    ]


def _loop() -> list[AnyPanel]:
    last = f"plumbline_monitoring_last_success_timestamp_seconds{{{SCOPE}}}"
    judged = f"plumbline_monitoring_rows_total{{{SCOPE}}}"
    answered = f"plumbline_service_predictions_total{{{SCOPE}}}"
    size = (6, 7)
    return [
        alerts(),
        lines(
            "Judged and answered per second",
            "Both lines lie on each other while the monitor keeps up.",
            "reqps",
            ask(f"sum by (model) (rate({judged}[$__rate_interval]))", "{{model}}, judged", "A"),
            ask(f"sum by (model) (rate({answered}[$__rate_interval]))", "{{model}}, answered", "B"),
            size=(12, 7),
            low=0,
        ),
        lines(
            "Last round of the loop",
            "How long ago the control loop last went round; an alert above the dashed line.",
            "s",
            ask(f"time() - max by (model) ({last})", "{{model}}"),
            size=size,
            low=0,
            limits={120.0: "red"},
            empty="no monitor",
        ),
        lines(
            "Judged behind",
            "From an answer to its being judged; an alert above the dashed line.",
            "s",
            ask(f"max by (model) (plumbline_monitoring_lag_seconds{{{SCOPE}}})", "{{model}}"),
            size=size,
            low=0,
            limits={300.0: "red"},
            empty="no monitor",
        ),
        lines(
            "Leaders",
            "Monitors that act, for each model: one, always.",
            "none",
            ask(f"sum by (model) (plumbline_monitoring_leader{{{SCOPE}}})", "{{model}}"),
            size=size,
            low=0,
            high=2,
            empty="no monitor",
        ),
        _counted("Rounds that failed", "An outage of the store, mostly.", "errors", "model"),
        _counted("Canaries", "By how they came back.", "canaries", "result"),
        _counted("Drift reports", "By how they ended.", "reports", "result"),
        _counted("Inputs computed again", "By what came of it.", "recomputations", "result"),
        counts(
            "Alerts received",
            "Webhooks of Alertmanager, by what became of them.",
            f"plumbline_monitoring_webhooks_total{{{PLACE}}}",
            "result",
        ),
    ]
