"""Alerts about the loop: whether somebody watches, and whether the remedies have helped."""

from __future__ import annotations

from plumbline.rules.blame import input_verdicts, sized_verdicts
from plumbline.rules.rule import AlertingRule

_M = "(namespace, model)"


def loop_alerts() -> tuple[AlertingRule, ...]:
    """Return them."""
    return (_exhausted(), _unhealthy(), *_watching(), _undelivered())


def _exhausted() -> AlertingRule:
    awaited = f'plumbline_monitoring_person_awaited{{reason!~"{input_verdicts()}"}}'
    return AlertingRule(
        name="RetrainExhausted",
        expression=f"group by (namespace, model, reason) ({awaited} == 1)",
        severity="critical",
        hold="5m",
        summary="{{ $labels.model }}: the loop has given up ({{ $labels.reason }})",
        description="""The automatic remedies did not help, and no more will be tried on this
        version: a person has to look.""",
        dashboard="incident",
        why="It lasts until a person has acted; a monitor that restarts meanwhile ends nothing.",
    )


def _unhealthy() -> AlertingRule:
    return AlertingRule(
        name="NoHealthyVersion",
        expression=f"""\
group by {_M} (plumbline:verdict:info{{verdict!~"{sized_verdicts()}"}}) == 1""",
        severity="critical",
        wait="30m",
        summary="{{ $labels.model }}: unhealthy for half an hour",
        description="""No version has been found under which a size may be suggested; clients have
        been told 0 all that time.""",
        dashboard="incident",
    )


def _watching() -> tuple[AlertingRule, ...]:
    return (
        AlertingRule(
            name="MonitorBlind",
            expression=f"""\
time() - max by {_M} (plumbline_monitoring_last_success_timestamp_seconds) > 120
or
max by {_M} (
  plumbline_monitoring_lag_seconds > 300 and changes(plumbline_monitoring_lag_seconds[10m]) >= 3
)
or
max by {_M} (plumbline_monitoring_leader) == 0
or
group by {_M} (plumbline:serving:info)
unless on {_M} plumbline_monitoring_last_success_timestamp_seconds""",
            severity="critical",
            wait="3m",
            summary="{{ $labels.model }}: nobody is watching",
            description="""The model answers, and its monitor is absent, stuck, without a leader, or
            minutes behind. The verdict in the answers is old.""",
            dashboard="incident",
            why="Minutes behind, and with one row after the other: a single late one is none of "
            "it.",
        ),
        AlertingRule(
            name="SeveralLeaders",
            expression=f"sum by {_M} (plumbline_monitoring_leader) > 1",
            severity="warning",
            wait="2m",
            summary="{{ $labels.model }}: {{ $value }} monitors believe that they lead",
            description="""Claims in the store still let one of them launch a retrain, but their
            clocks differ by more than a lease lasts.""",
            dashboard="incident",
        ),
    )


def _undelivered() -> AlertingRule:
    attempts = "plumbline_monitoring_messages_total"
    return AlertingRule(
        name="MessagesUndelivered",
        expression=f"""\
(
  max by {_M} (plumbline_monitoring_messages_waiting) > 0
  unless
  sum by {_M} (increase({attempts}{{result="sent"}}[15m])) > 0
)
or
sum by {_M} (increase({attempts}{{result="given_up"}}[30m])) > 0""",
        severity="warning",
        wait="15m",
        hold="5m",
        summary="{{ $labels.model }}: messages to people do not arrive",
        description="""The receiver of the monitor's messages does not answer or does not take them:
        people hear of this model from alerts alone.""",
        dashboard="incident",
    )
