"""All rules, as Prometheus or its operator reads them.

Who serves and what is said of it comes first, then the figures of its answers, then the alerts,
which hold nothing but comparisons of what was recorded.
"""

from __future__ import annotations

from textwrap import indent
from typing import Literal

from plumbline.rules.budget import budget_records
from plumbline.rules.figure import figure_records, long_records, window_records
from plumbline.rules.loop_alert import loop_alerts
from plumbline.rules.model_alert import input_alerts, output_alerts
from plumbline.rules.rule import Links, RuleGroup
from plumbline.rules.service_alert import service_alerts
from plumbline.rules.state import freshness_records, serving_records, verdict_records

Format = Literal["prometheus", "operator"]

_HEAD = """\
# The rules of Plumbline{reader}.
# Written by `plumbline rules{option}`; a test holds it to the code in rules/.
"""
_OPERATOR = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: plumbline
spec:
"""


def rule_groups() -> tuple[RuleGroup, ...]:
    """Return the groups, in the order in which they build upon each other."""
    figures = (*serving_records(), *window_records(), *figure_records())
    return (
        RuleGroup("plumbline-long-windows", tuple(long_records()), interval="4m"),
        RuleGroup("plumbline-figures", figures),
        RuleGroup("plumbline-state", (*verdict_records(), *freshness_records())),
        RuleGroup("plumbline-budgets", tuple(budget_records())),
        RuleGroup("plumbline-outputs", output_alerts()),
        RuleGroup("plumbline-inputs", input_alerts()),
        RuleGroup("plumbline-loop", loop_alerts()),
        RuleGroup("plumbline-service", service_alerts()),
    )


def render(links: Links, form: Format = "prometheus") -> str:
    """Return all rules in YAML.

    Parameters
    ----------
    links
        Where the annotations lead.
    form
        ``prometheus`` is a file of rules, ``operator`` a PrometheusRule.
    """
    groups = "groups:\n" + indent("".join(group.text(links) for group in rule_groups()), "  ")
    if form == "operator":
        head = _HEAD.format(reader=" for the Prometheus operator", option=" --format operator")
        return head + _OPERATOR + indent(groups, "  ")
    return _HEAD.format(reader=", for any Prometheus >= 2.42", option="") + groups
