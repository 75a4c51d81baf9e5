"""All models: which one is not well, and what is being done about it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import states
from grafana.frame import PLACE, SCOPE, Board, Section
from grafana.panels import AnyPanel, Steps, lines, number, timeline
from grafana.query import ask, ask_now, ask_rows
from grafana.tables import linked, measured, rows, worded

FIRING = f'ALERTS{{alertstate="firing", {PLACE}}}'
ONE_MODEL = (
    "/d/plumbline-model?${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}"
)


def build() -> Dashboard:
    """Return the dashboard."""
    return Board(
        uid="plumbline-fleet",
        title="Plumbline / Fleet",
        description="All models: which one is not well, and what is being done about it.",
        sections=[
            Section("", [*_counts(), _models(), _verdicts()]),
            Section("What calls for a person", [alerts(), _incidents()]),
            Section("Early signs", _signs()),
        ],
    ).build()


def _counts() -> list[AnyPanel]:
    verdicts = f"plumbline_monitoring_verdict{{{SCOPE}"
    unwell = f'max by (namespace, model) ({verdicts}, verdict=~"{states.UNWELL}"}})'
    opened = f"max by (namespace, model) (plumbline_monitoring_open_incident{{{SCOPE}}})"
    watched = f"max by (namespace, model) (plumbline_monitoring_leader{{{SCOPE}}})"
    awaited = f"max by (namespace, model) (plumbline_monitoring_person_awaited{{{SCOPE}}})"
    none: Steps = {None: "green", 1: "red"}
    return [
        number(
            "Models not well",
            "Models under whose verdict no size is suggested.",
            "none",
            ask_now(f"sum({unwell})"),
            colors=none,
            empty="no monitor",
        ),
        number(
            "Open incidents",
            "What the monitors are working on.",
            "none",
            ask_now(f"sum({opened} or 0 * {watched})"),
            colors={None: "green", 1: "orange"},
            empty="no monitor",
        ),
        number(
            "Alerts firing",
            "Prometheus' alerts in these namespaces, all severities.",
            "none",
            ask_now(f"count({FIRING}) or vector(0)"),
            colors=none,
        ),
        number(
            "Awaiting a person",
            "Models about which a person was called who has not acted.",
            "none",
            ask_now(f"sum({awaited}) or vector(0)"),
            colors=none,
        ),
        number(
            "Replicas up",
            "Of the service; red if one that should be there cannot be scraped.",
            "percentunit",
            ask_now(f'avg(up{{job=~".*plumbline-service.*", {PLACE}}})'),
            colors={None: "red", 1: "green"},
            empty="no service",
            decimals=0,
        ),
        number(
            "Answers per second",
            "Predictions of the last five minutes, all models.",
            "reqps",
            ask_now(f"sum(rate(plumbline_service_predictions_total{{{SCOPE}}}[5m]))"),
            empty="no traffic",
            decimals=1,
        ),
    ]


def _models() -> AnyPanel:
    predictions = f"sum by (model) (rate(plumbline_service_predictions_total{{{SCOPE}}}[5m]))"
    withheld = f"sum by (model) (rate(plumbline_service_sizes_withheld_total{{{SCOPE}}}[5m]))"
    started = f"max by (model) (plumbline_monitoring_incident_start_timestamp_seconds{{{SCOPE}}})"
    newest = f"max by (model) (plumbline_service_newest_bar_timestamp_seconds{{{SCOPE}}})"
    verdict = states.verdict("model", SCOPE)
    table = rows(
        "Models",
        "One line for each model; its name leads to its own dashboard.",
        {
            "model": "Model",
            "Value #A": "Verdict",
            "Value #B": "What is the matter",
            "Value #C": "What happens next",
            "Value #D": "Incident for",
            "Value #E": "Sizes withheld",
            "Value #F": "Answers/s",
            "Value #G": "Newest bar",
        },
        ask_rows(verdict, "A"),
        ask_rows(verdict, "B"),
        ask_rows(states.next_step(SCOPE), "C"),
        ask_rows(f"time() - ({started} > 0)", "D"),
        ask_rows(f"({withheld} or 0 * {predictions})\n/ {predictions}", "E"),
        ask_rows(predictions, "F"),
        ask_rows(f"time() - {newest}", "G"),
        by="model",
        first="Verdict",
        size=(24, 7),
    )
    order = states.ordered_verdicts()
    unknown = states.Face("a verdict of a plug-in", states.OTHER)
    worded(
        table, "Verdict", states.mappings(states.VERDICTS, order, unknown), colored=True, width=150
    )
    worded(table, "What is the matter", states.mappings(states.MEANINGS, order, unknown))
    worded(table, "What happens next", states.next_words(), width=310)
    linked(table, "Model", "Look at ${__value.text}", ONE_MODEL + "&var-model=${__value.text}")
    measured(table, "Incident for", "s", width=110, empty="–")
    measured(
        table,
        "Sizes withheld",
        "percentunit",
        colors={None: "green", 0.001: "red"},
        decimals=0,
        width=120,
    )
    measured(table, "Answers/s", "none", decimals=2, width=100)
    return measured(table, "Newest bar", "s", width=110)


def _verdicts() -> AnyPanel:
    unknown = states.Face("a verdict of a plug-in", states.OTHER)
    return timeline(
        "Verdict of each model",
        "What the monitor said of whichever version served.",
        ask(states.verdict("model", SCOPE), "{{model}}"),
        words=states.mappings(states.VERDICTS, states.ordered_verdicts(), unknown),
        size=(24, 6),
    )


def alerts() -> AnyPanel:
    """Return the table of alerts that fire, each with its runbook."""
    held = f"time() - max by (alertname, model, severity) (ALERTS_FOR_STATE{{{PLACE}}})"
    firing = f"max by (alertname, model, severity) ({FIRING})"
    table = rows(
        "Alerts that fire",
        "By Prometheus' rules; the name leads to the runbook.",
        {"alertname": "Alert", "model": "Model", "severity": "Severity", "Value": "For"},
        ask_rows(f"{held}\nand on (alertname, model, severity) {firing}"),
        size=(12, 7),
        empty="no alert fires",
    )
    linked(table, "Alert", "Runbook", "${runbooks}/${__value.text}.md")
    return measured(table, "For", "s", width=120)


def _incidents() -> AnyPanel:
    return timeline(
        "Incidents",
        "Where the incident of each model stood; grey while none was open.",
        ask(f"max by (model) (\n{states.incident(SCOPE)}\n)", "{{model}}"),
        words=states.mappings(
            states.INCIDENTS, states.INCIDENTS, states.Face("none", states.QUIET)
        ),
        size=(12, 7),
        empty="no monitor",
    )


def _signs() -> list[AnyPanel]:
    per = "namespace, model, version, detector, output"
    share = (
        f"max by ({per}) (plumbline_monitoring_evidence_nats{{{SCOPE}}})\n"
        f"/ max by ({per}) (plumbline_monitoring_threshold_nats{{{SCOPE}}})"
    )
    newest = (
        f"max by (namespace, model) (plumbline_service_newest_bar_timestamp_seconds{{{SCOPE}}})"
    )
    interval = f"max by (namespace, model) (plumbline_service_bar_interval_seconds{{{SCOPE}}})"
    gained = f'plumbline_monitoring_skill_value{{{SCOPE}, figure="gain_constant", end="value"}}'
    return [
        lines(
            "Evidence nearest to an alarm",
            "Of each model the detector that has most, as a share of what makes an alarm.",
            "percentunit",
            ask(f"max by (model) (\n{share}\n)", "{{model}}"),
            size=(12, 8),
            low=0,
            high=1.2,
            limits={1.0: "red"},
            empty="no monitor",
        ),
        lines(
            "Age of the newest bar, in bars",
            "How many intervals ago the newest bar began; between 1 and 2 while bars come.",
            "none",
            ask(f"(time() - {newest})\n/ {interval}", "{{model}}"),
            size=(12, 8),
            low=0,
            limits={3.0: "red"},
        ),
        lines(
            "Answers per second, by model",
            "Predictions of each model.",
            "reqps",
            ask(
                "sum by (model) (rate("
                f"plumbline_service_predictions_total{{{SCOPE}}}[$__rate_interval]))",
                "{{model}}",
            ),
            size=(12, 8),
            low=0,
        ),
        lines(
            "Log loss gained over the best constant",
            "What outcomes have shown of each model; above 0 it is worth something.",
            "suffix:nats",
            ask(f"max by (model, output) ({gained})", "{{model}} {{output}}"),
            size=(12, 8),
            limits={0.0: "red"},
            empty="no outcomes yet",
        ),
    ]
