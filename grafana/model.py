"""One model: what is the matter with it, what happens next, and what the verdict rests on."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana import states
from grafana.frame import SCOPE, Page, Section, hidden
from grafana.panels import (
    AnyPanel,
    ask,
    ask_buckets,
    ask_now,
    ask_rows,
    banded,
    bars,
    density,
    faint,
    lines,
    number,
    rows,
    stacked,
    timeline,
    worded,
)

VERSION = "on (namespace, model, version)"
SERVING = f"and {VERSION} plumbline:predictions:window{{{SCOPE}}} > 0"
"""Keeps the version that answers now: the window of one that was replaced is absent."""
SHARE_OF_THRESHOLD = {None: "green", 0.5: "orange", 1.0: "red"}


def build() -> Dashboard:
    """Return the dashboard."""
    return Page(
        uid="plumbline-model",
        title="Plumbline / One model",
        description="What is the matter with one model, what happens next, and why.",
        models="one",
        extra=[
            hidden("action", f"label_values(plumbline_service_decisions_total{{{SCOPE}}}, action)")
        ],
        sections=[
            Section("", _now()),
            Section("Does it still follow its inputs?", _outputs()),
            Section("What the verdict rests on", _evidence()),
            Section("What it is fed", _inputs()),
            Section("What it was worth", _skill()),
        ],
    ).build()


def _now() -> list[AnyPanel]:
    verdict = states.verdict("namespace, model", SCOPE)
    unknown = states.State("a verdict of a plug-in", states.OTHER)
    order = states.ordered_verdicts()
    sentences = rows(
        "What is the matter, and what happens next",
        "The verdict in sentences, as the status page has it.",
        {
            "version": "Version",
            "Value #A": "What is the matter",
            "Value #B": "What the monitor does",
            "Value #C": "What you do",
        },
        *(ask_rows(states.verdict("version", SCOPE), ref) for ref in "ABC"),
        size=(18, 4),
        by="version",
    )
    says = (states.MEANINGS, states.REMEDIES, states.DOINGS)
    for column, texts in zip(
        ("What is the matter", "What the monitor does", "What you do"), says, strict=True
    ):
        worded(sentences, column, states.mappings(texts, order, unknown))
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
        sentences,
        *_strip(),
        timeline(
            "Verdict",
            "One line for each version: what the monitor said of it.",
            ask(states.verdict("version", SCOPE), "{{version}}"),
            words=states.mappings(states.VERDICTS, order, unknown),
            size=(24, 4),
        ),
    ]


def _strip() -> list[AnyPanel]:
    nothing = states.State("none open", states.GOOD)
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
            ask_now(f"max by (model) (plumbline_monitoring_attempts_left{{{SCOPE}}})"),
            size=(3, 3),
            colors={None: "red", 1: "orange", 2: "text"},
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


def _reference(metric: str, extra: str, by: str, band: str) -> str:
    matched = f'plumbline_service_reference_{metric}{{{SCOPE}, {extra}band="{band}"}}'
    return f"max by ({by}) ({matched} {SERVING})"


def _outputs() -> list[AnyPanel]:
    return [_shares(), *_dependence(), _spread(), _probabilities(), _shift(), _confidence()]


def _shares() -> AnyPanel:
    chosen = 'action=~"$action"'
    panel = lines(
        "$action: share of the answers",
        "Share of one action, over the window that fits the bars and over five minutes. Grey: what "
        "windows of the reference show, from their 1st to their 99th percentile.",
        "percentunit",
        ask(f"plumbline:action_share:ratio{{{SCOPE}, {chosen}}}", "{{version}}", "A"),
        ask(f"plumbline:action_share:ratio_5m{{{SCOPE}, {chosen}}}", "last 5 min", "B"),
        ask(_reference("action_share_ratio", f"{chosen}, ", "action", "low"), "low", "C"),
        ask(_reference("action_share_ratio", f"{chosen}, ", "action", "high"), "reference", "D"),
        size=(24, 8),
        low=0,
        high=1,
    )
    faint(banded(panel, "C", "D"), "B")
    return panel.repeat("action").repeat_direction("h").max_per_row(3)


def _dependence() -> list[AnyPanel]:
    information, confidence, entropy = (
        [
            ask(f"plumbline:{rule}{{{SCOPE}}}", f"{{{{version}}}}{label}", "A"),
            ask(f"plumbline:{rule}_5m{{{SCOPE}}}", f"last 5 min{label}", "B"),
        ]
        for rule, label in (
            ("mutual_information:nats", " {{output}}"),
            ("confidence_mean:ratio", " {{output}}"),
            ("action_entropy:ratio", ""),
        )
    )
    panels = [
        lines(
            "How much the answer depends on the question",
            "Mutual information of input and answer. Zero for a flat model and for one that always "
            "says the same; an alert below the dashed line (0.02 nats).",
            "suffix: nats",
            *information,
            low=0,
            limits={0.02: "red"},
        ),
        lines(
            "Mean confidence",
            "Largest probability of each answer, on average; an alert above the dashed line.",
            "percentunit",
            *confidence,
            low=0,
            high=1,
            limits={0.97: "red"},
        ),
        lines(
            "Variety of actions",
            "Entropy of the shares: 1 where all are as frequent, 0 where there is only one.",
            "none",
            *entropy,
            low=0,
            high=1,
        ),
    ]
    return [faint(panel, "B") for panel in panels]


def _spread() -> AnyPanel:
    labels = "namespace, model, version, output, coordinate"
    reference = f"max by ({labels}) (plumbline_service_reference_output_std_ratio{{{SCOPE}}})"
    panel = lines(
        "Spread of the outputs, over that of the reference",
        "1 is as lively as in the reference; a flat model falls by orders of magnitude.",
        "none",
        ask(
            f"clamp_min(plumbline:output_std:ratio{{{SCOPE}}} / {reference}, 1e-6)",
            "{{coordinate}}",
            "A",
        ),
        ask(
            f"clamp_min(plumbline:output_std:ratio_5m{{{SCOPE}}} / {reference}, 1e-6)",
            "{{coordinate}}, last 5 min",
            "B",
        ),
        ask(f"min by (model) ({_reference('spread_ratio', '', labels, 'low')})", "low", "C"),
        ask(f"max by (model) ({_reference('spread_ratio', '', labels, 'high')})", "reference", "D"),
        size=(12, 8),
        log=True,
    )
    return faint(banded(panel, "C", "D"), "B")


def _probabilities() -> AnyPanel:
    panel = lines(
        "Mean probability of each choice",
        "Dashed: what the reference says on average.",
        "percentunit",
        ask(f"plumbline:mean_probability:ratio{{{SCOPE}}}", "{{choice}}", "A"),
        ask(
            _reference("probability_ratio", "", "output, choice", "middle"),
            "{{choice}}, reference",
            "B",
        ),
        size=(12, 8),
        low=0,
        high=1,
    )
    return faint(panel, "B")


def _shift() -> AnyPanel:
    panel = lines(
        "How far the outputs have moved",
        "Mean of each coordinate, in standard deviations of the reference; 0 is where it was.",
        "suffix: σ",
        ask(f"plumbline:output_shift:ratio{{{SCOPE}}}", "{{coordinate}}", "A"),
        ask(f"plumbline:output_shift:ratio_5m{{{SCOPE}}}", "{{coordinate}}, last 5 min", "B"),
        size=(12, 8),
        low=-1,
        high=1,
    )
    return faint(panel, "B")


def _confidence() -> AnyPanel:
    buckets = f"plumbline_service_confidence_ratio_bucket{{{SCOPE}}}"
    return density(
        "Confidence of the answers",
        "How many answers of each confidence; a saturated model has all of them at the top, a flat "
        "one all in one line.",
        "percentunit",
        ask_buckets(f"sum by (le) (increase({buckets}[$__rate_interval]))"),
    )


def _evidence() -> list[AnyPanel]:
    per = "namespace, model, version, detector, output"
    evidence = f"max by ({per}) (plumbline_monitoring_evidence_nats{{{SCOPE}}})"
    threshold = f"max by ({per}) (plumbline_monitoring_threshold_nats{{{SCOPE}}})"
    share = f"{evidence} / {threshold}"
    return [
        bars(
            "Evidence now, as a share of what makes an alarm",
            "Each detector's evidence against the model or its input; a full bar is an alarm.",
            "percentunit",
            ask_now(f"sort_desc(max by (detector, output) ({share}))", "{{detector}} {{output}}"),
            colors=SHARE_OF_THRESHOLD,
            empty="no monitor",
        ),
        lines(
            "Evidence, as a share of what makes an alarm",
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
    predicted = f"plumbline:predictions:window_5m{{{SCOPE}}} > 0"
    zero = f"plumbline_service_zero_columns_total{{{SCOPE}}}"
    zeros = f"sum by (namespace, model, version) (increase({zero}[5m]))"
    columns = f"max by (version) (plumbline_monitoring_input_columns{{{SCOPE}}})"
    drifted = f"max by (version) (plumbline_monitoring_drifted_columns{{{SCOPE}}})"
    mismatches = f"plumbline_monitoring_audit_mismatches_total{{{SCOPE}}}"
    return [
        faint(
            lines(
                "Repeated inputs",
                "Share of inputs equal to those before, of the same symbol: a frozen feed, or a "
                "client that asks again. An alert above the dashed line.",
                "percentunit",
                ask(f"plumbline:repeated_inputs:ratio{{{SCOPE}}}", "{{version}}", "A"),
                ask(f"plumbline:repeated_inputs:ratio_5m{{{SCOPE}}}", "last 5 min", "B"),
                size=(6, 8),
                low=0,
                high=1,
                limits={0.5: "red"},
            ),
            "B",
        ),
        lines(
            "Columns of zeros",
            "Columns that are zero throughout a window, for each prediction.",
            "none",
            ask(f"{zeros}\n/ {VERSION} ({predicted})", "{{version}}"),
            size=(6, 8),
            low=0,
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
            empty="no drift report yet",
        ),
        stacked(
            lines(
                "Answers and inputs that are not what they should be",
                "Logged rows that came out otherwise when computed again, by whose fault it is.",
                "short",
                ask(
                    f"sum by (check, side) (increase({mismatches}[$__rate_interval]))",
                    "{{check}}: {{side}}",
                ),
                size=(6, 8),
                empty="nothing computed again yet",
            )
        ),
    ]


def _skill() -> list[AnyPanel]:
    value = f"plumbline_monitoring_skill_value{{{SCOPE}"
    gained = f'{value}, figure="gain_constant"'
    gain = lines(
        "Log loss gained over the best constant",
        "What outcomes have shown; above 0 the model is worth something. Grey: its interval, which "
        "holds at all times at once.",
        "suffix: nats",
        ask(f'max by (version, output) ({gained}, end="value"}})', "{{version}} {{output}}", "A"),
        ask(f'max by (output) ({gained}, end="low"}})', "low", "B"),
        ask(f'max by (output) ({gained}, end="high"}})', "interval", "C"),
        size=(12, 8),
        limits={0.0: "red"},
        empty="no outcomes yet",
    )
    evidence, threshold = (
        f"max by (output, verdict) (plumbline_monitoring_skill_{name}_nats{{{SCOPE}}})"
        for name in ("evidence", "threshold")
    )
    outcomes = f"max by (result) (plumbline_monitoring_skill_outcomes_count{{{SCOPE}}})"
    return [
        banded(gain, "B", "C"),
        bars(
            "Evidence of outcomes, as a share of what makes a verdict",
            "How near outcomes are to saying that the model is wrong about the market.",
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
            high=0,
            empty="no outcomes yet",
        ),
    ]
