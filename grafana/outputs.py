"""What a model says, beside what its reference shows: whether it still follows its inputs."""

from __future__ import annotations

from grafana.frame import SCOPE
from grafana.panels import AnyPanel, banded, density, faint, lines
from grafana.query import ask, ask_buckets

SERVING = f"and on (namespace, model, version) plumbline:serving:info{{{SCOPE}}}"
"""Keeps the version that answers now, and of the reference of those before nothing."""
RECENT = "light-blue"


def _reference(metric: str, extra: str, by: str, band: str) -> str:
    matched = f'plumbline_service_reference_{metric}{{{SCOPE}, {extra}band="{band}"}}'
    return f"max by ({by}) ({matched} {SERVING})"


def recent(rule: str, by: str, extra: str = "") -> str:
    """Ask for a rule over five minutes, of the version that answers now."""
    matched = f"{SCOPE}, {extra}" if extra else SCOPE
    return f"max by ({by}) (plumbline:{rule}_5m{{{matched}}} {SERVING})"


def outputs() -> list[AnyPanel]:
    """Return the panels of this part."""
    return [_shares(), *_dependence(), _spread(), _probabilities(), _shift(), _confidence()]


def _shares() -> AnyPanel:
    chosen = 'action=~"$action"'
    panel = lines(
        "$action: share of the answers",
        "Share of one action, over the window that fits the bars and over five minutes. Grey: what "
        "windows of the reference show, from their 1st to their 99th percentile.",
        "percentunit",
        ask(f"plumbline:action_share:ratio{{{SCOPE}, {chosen}}}", "{{version}}", "A"),
        ask(recent("action_share:ratio", "action", chosen), "last 5 min", "B"),
        ask(_reference("action_share_ratio", f"{chosen}, ", "action", "low"), "low", "C"),
        ask(_reference("action_share_ratio", f"{chosen}, ", "action", "high"), "reference", "D"),
        size=(24, 8),
        low=0,
        high=1,
        shades=True,
    )
    faint(banded(panel, "C", "D"), "B", RECENT)
    return panel.repeat("action").repeat_direction("h").max_per_row(3)


def _dependence() -> list[AnyPanel]:
    information, confidence, entropy = (
        [
            ask(f"plumbline:{rule}{{{SCOPE}}}", f"{{{{version}}}}{label}", "A"),
            ask(recent(rule, "model, output"), f"last 5 min{label}", "B"),
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
            "suffix:nats",
            *information,
            low=0,
            limits={0.02: "red"},
            shades=True,
        ),
        lines(
            "Mean confidence",
            "Largest probability of each answer, on average; an alert above the dashed line.",
            "percentunit",
            *confidence,
            low=0,
            high=1,
            limits={0.97: "red"},
            shades=True,
        ),
        lines(
            "Variety of actions",
            "Entropy of the shares: 1 where all are as frequent, 0 where there is only one.",
            "none",
            *entropy,
            low=0,
            high=1,
            shades=True,
        ),
    ]
    return [faint(panel, "B", RECENT) for panel in panels]


def _spread() -> AnyPanel:
    labels = "namespace, model, version, output, coordinate"
    spread, recent = (
        f"plumbline:output_spread:ratio{window}{{{SCOPE}}} {SERVING}" for window in ("", "_5m")
    )
    panel = lines(
        "Spread of the outputs, of that in the reference",
        "100 % is as lively as in the reference; a flat model falls by orders of magnitude.",
        "percentunit",
        ask(f"clamp_min(max by (output, coordinate) ({spread}), 1e-6)", "{{coordinate}}", "A"),
        ask(f"clamp_min(max by (output) ({recent}), 1e-6)", "liveliest, last 5 min", "B"),
        ask(f"min by (model) ({_reference('spread_ratio', '', labels, 'low')})", "low", "C"),
        ask(f"max by (model) ({_reference('spread_ratio', '', labels, 'high')})", "reference", "D"),
        size=(12, 8),
        log=True,
    )
    return faint(banded(panel, "C", "D"), "B", RECENT)


def _probabilities() -> AnyPanel:
    panel = lines(
        "Mean probability of each choice",
        "Dashed: what the reference says on average.",
        "percentunit",
        ask(
            f"max by (output, choice) (plumbline:mean_probability:ratio{{{SCOPE}}} {SERVING})",
            "{{choice}}",
            "A",
        ),
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
    return lines(
        "How far the outputs have moved",
        "Mean of each coordinate, in standard deviations of the reference; 0 is where it was.",
        "suffix:σ",
        ask(
            f"max by (output, coordinate) (plumbline:output_shift:ratio{{{SCOPE}}} {SERVING})",
            "{{coordinate}}",
        ),
        size=(12, 8),
        low=-1,
        high=1,
    )


def _confidence() -> AnyPanel:
    buckets = f"plumbline_service_confidence_ratio_bucket{{{SCOPE}}}"
    return density(
        "Confidence of the answers",
        "How many answers of each confidence; a saturated model has all of them at the top, a flat "
        "one all in one line.",
        "percentunit",
        ask_buckets(f"sum by (le) (increase({buckets}[$__rate_interval]))"),
    )
