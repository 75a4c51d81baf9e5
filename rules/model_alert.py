"""Alerts about what a model answers and what it is asked.

Those over the monitor's verdict need not wait: its tests are sequential and have a false-alarm
bound of their own. Those over counters work without a monitor, and look at the window that fits
the bars.
"""

from __future__ import annotations

from plumbline.rules.blame import verdicts_of
from plumbline.rules.rule import AlertingRule

_N = "on (namespace, model, version)"


def output_alerts() -> tuple[AlertingRule, ...]:
    """Return the alerts about what a model answers."""
    return (*_judged(), *_counted(), _drift())


def _said(alert: str) -> str:
    return f'plumbline:verdict:info{{verdict=~"{verdicts_of(alert)}"}} == 1'


def _enough(alone: int, reference: str) -> str:
    """Return that there were predictions enough: fewer do where the reference has bands."""
    return (
        f"and {_N}\n"
        "(\n"
        f"  plumbline:predictions:window >= {alone}\n"
        "  or\n"
        f"  plumbline:predictions:window >= 50 and {_N} {reference}\n"
        ")"
    )


def _judged() -> tuple[AlertingRule, ...]:
    return (
        AlertingRule(
            name="CollapseEvidence",
            expression=_said("CollapseEvidence"),
            severity="critical",
            hold="10m",
            retrain=True,
            summary="{{ $labels.model }}: the model has collapsed ({{ $labels.verdict }})",
            description="""Version {{ $labels.version }} no longer follows its inputs, and the
            inputs are sound. Sizes are answered as 0 until a healthy version serves; a retrain is
            under way.""",
        ),
        AlertingRule(
            name="CalibrationOff",
            expression=_said("CalibrationOff"),
            severity="warning",
            hold="10m",
            summary="{{ $labels.model }}: the calibration is off ({{ $labels.verdict }})",
            description="""What version {{ $labels.version }} says points the right way and is too
            much or too little. Sizes are answered as 0; the calibration is being fitted again,
            without a retrain.""",
        ),
        AlertingRule(
            name="SkillLost",
            expression=_said("SkillLost"),
            severity="critical",
            hold="10m",
            summary="{{ $labels.model }}: the predictions have no worth ({{ $labels.verdict }})",
            description="""Outcomes speak against version {{ $labels.version }}. Sizes are answered
            as 0; a retrain on the same data would not help, so a person is called.""",
        ),
        AlertingRule(
            name="OutputsUnexplained",
            expression=_said("OutputsUnexplained"),
            severity="critical",
            hold="10m",
            summary="{{ $labels.model }}: the answers have changed and nothing says why",
            description="""Version {{ $labels.version }} ({{ $labels.verdict }}). Sizes are answered
            as 0 and nothing is retrained until a person has looked.""",
        ),
        AlertingRule(
            name="ArtefactFault",
            expression=_said("ArtefactFault"),
            severity="critical",
            hold="10m",
            summary="{{ $labels.model }}: the answers are not those of the version",
            description="""Version {{ $labels.version }}: what is answered is not what its bundle
            says of the same inputs. Its runtime, its scaler or its file is not the one that was
            tested. The monitor rolls back.""",
        ),
    )


def _counted() -> tuple[AlertingRule, ...]:
    return (
        AlertingRule(
            name="Flat",
            expression=f"""\
max by (namespace, model, version, output) (plumbline:output_std:ratio) < 1e-4
and {_N} plumbline:predictions:window >= 50""",
            severity="critical",
            wait="2m",
            hold="10m",
            retrain=True,
            summary="{{ $labels.model }}: output {{ $labels.output }} does not move",
            description="""In its window no coordinate of version {{ $labels.version }} varied by
            more than {{ $value | printf "%.1e" }} (standard deviation, all replicas together).""",
        ),
        AlertingRule(
            name="OneClass",
            expression=f"""\
plumbline:action_share:ratio > 0.95
{_enough(500, "plumbline_service_reference_action_share_ratio")}
unless on (namespace, model, version, action)
plumbline:action_share:ratio
<= on (namespace, model, version, action)
max by (namespace, model, version, action) (
  plumbline_service_reference_action_share_ratio{{band="high"}}
)
unless {_N} plumbline:verdict:info{{verdict="regime"}}""",
            severity="warning",
            wait="10m",
            hold="10m",
            summary="{{ $labels.model }}: {{ $value | humanizePercentage }} of the answers are "
            "{{ $labels.action }}",
            description="""Version {{ $labels.version }}, in its window, and more than its reference
            ever had. A quiet market looks the same: read the monitor's verdict before anything is
            done.""",
            why="A share alone is no proof (a trend is not a fault), so this one only warns, "
            'and the monitor\'s word "regime" silences it.',
        ),
        AlertingRule(
            name="Saturated",
            expression=f"""\
plumbline:confidence_mean:ratio >= 0.97
and {_N} plumbline:predictions:window >= 50""",
            severity="warning",
            wait="5m",
            hold="10m",
            summary="{{ $labels.model }}: mean confidence {{ $value | humanizePercentage }}",
            description="""Output {{ $labels.output }} of version {{ $labels.version }} is nearly
            certain of everything it says. Markets are not.""",
        ),
        AlertingRule(
            name="MutualInformationLow",
            expression=f"""\
plumbline:mutual_information:nats < 0.02
{_enough(200, "plumbline_service_reference_spread_ratio")}
unless on (namespace, model, version, output)
plumbline:output_spread:ratio
>= on (namespace, model, version, output, coordinate)
max by (namespace, model, version, output, coordinate) (
  plumbline_service_reference_spread_ratio{{band="low"}}
)""",
            severity="warning",
            wait="10m",
            hold="10m",
            summary="{{ $labels.model }}: the answer hardly depends on the question",
            description="""{{ $value | printf "%.4f" }} nats between input and answer of output
            {{ $labels.output }} of version {{ $labels.version }}, in its window.""",
            why="A weak model comes near zero by nature; one that moves as its reference did is "
            "let go.",
        ),
    )


def _drift() -> AlertingRule:
    return AlertingRule(
        name="InputDrift",
        expression=_said("InputDrift"),
        severity="info",
        wait="15m",
        hold="10m",
        summary="{{ $labels.model }}: the inputs have moved",
        description="""The market is not what version {{ $labels.version }} learnt from; it still
        responds to its inputs, and sizes go on. A drift report has been written.""",
    )


def input_alerts() -> tuple[AlertingRule, ...]:
    """Return the alerts about what a model is asked."""
    return (
        AlertingRule(
            name="InputBroken",
            expression=_said("InputBroken"),
            severity="critical",
            wait="1m",
            hold="5m",
            summary="{{ $labels.model }}: broken inputs ({{ $labels.verdict }})",
            description="""What the clients send is not what version {{ $labels.version }} was
            trained on. A retrain cannot repair that, and none is started while it lasts.""",
        ),
        AlertingRule(
            name="RepeatedInputs",
            expression=f"""\
plumbline:repeated_inputs:ratio > 0.5
and {_N} plumbline:predictions:window >= 50""",
            severity="warning",
            wait="5m",
            hold="5m",
            summary="{{ $labels.model }}: {{ $value | humanizePercentage }} of the windows are "
            "repeated",
            description="A frozen feed, or a client that asks the same question again and again.",
            why="Counted by the service itself, so it is seen without a monitor.",
        ),
    )
