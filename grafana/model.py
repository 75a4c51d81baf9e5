"""One model: what is the matter with it, what happens next, and what the verdict rests on."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import states
from grafana.frame import SCOPE, Board, Section, hidden
from grafana.outputs import RECENT, outputs, recent
from grafana.panels import AnyPanel, banded, bars, counts, faint, lines, number, timeline
from grafana.query import ask, ask_now

SHARE_OF_THRESHOLD = {None: "green", 0.5: "orange", 1.0: "red"}


def build() -> Dashboard:
    """Return the dashboard."""
    return Board(
        uid="plumbline-model",
        title="Plumbline / One model",
        description="What is the matter with one model, what happens next, and why.",
        models="one",
        extra=[
            hidden("action", f"label_values(plumbline_service_decisions_total{{{SCOPE}}}, action)")
        ],
        sections=[
            Section("", _now()),
            Section("Does it still follow its inputs?", outputs()),
            Section("What the verdict rests on", _evidence()),
            Section("What it is fed", _inputs()),
            Section("What it was worth", _skill()),
        ],
    ).build()


def _now() -> list[AnyPanel]:
    verdict = states.verdict("namespace, model", SCOPE)
    unknown = states.Face("a verdict of a plug-in", states.OTHER)
    order = states.ordered_verdicts()
    sentences = [
        number(
            title,
            description,
            "none",
            ask_now(verdict),
            size=(6, 4),
            words=states.mappings(texts, order, unknown),
            empty="no monitor",
            letters=18,
        )
        for title, description, texts in (
            ("What is the matter", "What the verdict means.", states.MEANINGS),
            ("What the monitor does", "By itself, about this verdict.", states.REMEDIES),
            ("What you do", "What is left to a person.", states.DOINGS),
        )
    ]
    return [
        number(
            "Verdict now",
            "The monitor's word on the version that serves.",
            "none",
            ask_now(verdict, "{{model}}"),
            size=(6, 4),
            words=states.mappings(states.VERDICTS, order, unknown),
            filled=True,
            empty="no monitor",
        ),
        *sentences,
        *_strip(),
        timeline(
            "Verdict over time",
            "One line for each version: what the monitor said of it.",
            ask(states.verdict("version", SCOPE), "{{version}}"),
            words=states.mappings(states.VERDICTS, order, unknown),
            size=(24, 4),
        ),
    ]


def _strip() -> list[AnyPanel]:
    nothing = states.Face("none open", states.GOOD)
    predictions = f"sum by (model) (rate(plumbline_service_predictions_total{{{SCOPE}}}[5m]))"
    withheld = f"sum by (model) (rate(plumbline_service_sizes_withheld_total{{{SCOPE}}}[5m]))"
    newest = f"plumbline_service_newest_bar_timestamp_seconds{{{SCOPE}}}"
    return [
        number(
            "Incident",
            "Where the open incident stands.",
            "none",
            ask_now(states.incident(SCOPE)),
            words=states.mappings(states.STEPS, states.STEPS, nothing),
            size=(7, 3),
        ),
        number(
            "Attempts left",
            "Retrains or refits that the monitor may still try before it calls a person.",
            "none",
            ask_now(states.attempts_left(SCOPE)),
            size=(3, 3),
            colors={None: "red", 1: "orange", 2: "text"},
            empty="–",
        ),
        number(
            "Sizes withheld",
            "Share of the newest answers whose size was 0 because of the verdict.",
            "percentunit",
            ask_now(f"({withheld} or 0 * {predictions})\n/ {predictions}"),
            size=(4, 3),
            colors={None: "green", 0.001: "red"},
            empty="no traffic",
            decimals=0,
        ),
        number(
            "Answers per second",
            "Predictions of the last five minutes, all replicas together.",
            "reqps",
            ask_now(predictions),
            size=(4, 3),
            empty="no traffic",
            decimals=2,
        ),
        number(
            "Newest bar",
            "Age of the newest bar that was answered about.",
            "s",
            ask_now(f"time() - max by (model) ({newest})"),
            size=(3, 3),
            empty="no bar yet",
        ),
        number(
            "Judged behind",
            "From an answer to its being judged.",
            "s",
            ask_now(f"max by (model) (plumbline_monitoring_lag_seconds{{{SCOPE}}})"),
            size=(3, 3),
            colors={None: "text", 60: "orange", 300: "red"},
            empty="no monitor",
        ),
    ]


def _evidence() -> list[AnyPanel]:
    per = "namespace, model, version, detector, output"
    evidence = f"max by ({per}) (plumbline_monitoring_evidence_nats{{{SCOPE}}})"
    threshold = f"max by ({per}) (plumbline_monitoring_threshold_nats{{{SCOPE}}})"
    share = f"{evidence} / {threshold}"
    return [
        bars(
            "Evidence now, of what makes an alarm",
            "Each detector's evidence against the model or its input; a full bar is an alarm.",
            "percentunit",
            ask_now(f"sort_desc(max by (detector, output) ({share}))", "{{detector}} {{output}}"),
            colors=SHARE_OF_THRESHOLD,
            empty="no monitor",
        ),
        lines(
            "Evidence, of what makes an alarm",
            "Over time; an alarm above the dashed line.",
            "percentunit",
            ask(f"max by (detector, output) ({share})", "{{detector}} {{output}}"),
            size=(12, 8),
            low=0,
            high=1.2,
            limits={1.0: "red"},
            empty="no monitor",
        ),
    ]


def _inputs() -> list[AnyPanel]:
    columns = f"max by (version) (plumbline_monitoring_input_columns{{{SCOPE}}})"
    drifted = f"max by (version) (plumbline_monitoring_drifted_columns{{{SCOPE}}})"
    return [
        faint(
            lines(
                "Repeated inputs",
                "Share of inputs equal to those before, of the same symbol: a frozen feed, or a "
                "client that asks again. An alert above the dashed line.",
                "percentunit",
                ask(f"plumbline:repeated_inputs:ratio{{{SCOPE}}}", "{{version}}", "A"),
                ask(recent("repeated_inputs:ratio", "model"), "last 5 min", "B"),
                size=(6, 8),
                low=0,
                high=1,
                limits={0.5: "red"},
                shades=True,
            ),
            "B",
            RECENT,
        ),
        lines(
            "Columns of zeros",
            "Columns that are zero throughout a window, for each prediction.",
            "none",
            ask(f"plumbline:zero_columns:count{{{SCOPE}}}", "{{version}}"),
            size=(6, 8),
            low=0,
            shades=True,
        ),
        lines(
            "Columns that drifted",
            "Share of the input's columns that lie as in no window of the reference; from a half "
            "on the verdict is drift.",
            "percentunit",
            ask(f"{drifted} / {columns}", "{{version}}"),
            size=(6, 8),
            low=0,
            high=1,
            limits={0.5: "blue"},
            shades=True,
            empty="no drift report yet",
        ),
        counts(
            "Wrong when computed again",
            "Logged rows that came out otherwise when computed again, by whose fault it is.",
            f"plumbline_monitoring_audit_mismatches_total{{{SCOPE}}}",
            "check, side",
            size=(6, 8),
            empty="nothing computed again yet",
        ),
    ]


def _skill() -> list[AnyPanel]:
    value = f"plumbline_monitoring_skill_value{{{SCOPE}"
    gained = f'{value}, figure="gain_constant"'
    gain = lines(
        "Log loss gained over the best constant",
        "What outcomes have shown; above 0 the model is worth something. Grey: its interval, which "
        "holds at all times at once.",
        "suffix:nats",
        ask(f'max by (version, output) ({gained}, end="value"}})', "{{version}} {{output}}", "A"),
        ask(f'max by (output) ({gained}, end="low"}})', "low", "B"),
        ask(f'max by (output) ({gained}, end="high"}})', "interval", "C"),
        size=(12, 8),
        limits={0.0: "red"},
        empty="no outcomes yet",
        shades=True,
    )
    evidence, threshold = (
        f"max by (output, verdict) (plumbline_monitoring_skill_{name}_nats{{{SCOPE}}})"
        for name in ("evidence", "threshold")
    )
    outcomes = f"max by (result) (plumbline_monitoring_skill_outcomes{{{SCOPE}}})"
    return [
        banded(gain, "B", "C"),
        bars(
            "Evidence of outcomes",
            "How near outcomes are to a verdict of their own; a full bar is one.",
            "percentunit",
            ask_now(f"{evidence} / {threshold}", "{{verdict}} {{output}}"),
            colors=SHARE_OF_THRESHOLD,
            size=(6, 8),
            empty="no outcomes yet",
        ),
        bars(
            "Outcomes",
            "Outcomes of this version that were read, by what became of them; only those that were "
            "joined count.",
            "short",
            ask_now(f"sort_desc({outcomes})", "{{result}}"),
            colors={None: "blue"},
            size=(6, 8),
            high=None,
            empty="no outcomes yet",
        ),
    ]
