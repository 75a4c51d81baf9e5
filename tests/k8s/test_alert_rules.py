"""The alert rules: tested by promtool, and made of names that exist in the code."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.support.declared import RULE_TESTS, RULES, alerts, declared_metrics, rules
from tests.support.programs import require_program

OF_PROMETHEUS = {"job", "namespace", "instance"}
OUR_METRIC = r"(?:service|monitoring)_[a-z_]+"


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = require_program("promtool")
    return subprocess.run(
        [program, *arguments], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.mark.tools
def test_prometheus_accepts_the_rules():
    """Syntax, templates and durations are right."""
    result = promtool("check", "rules", "--lint-fatal", str(RULES))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.tools
def test_every_alert_keeps_its_time():
    """Silent just before it is due, firing just after, silent on a healthy fleet."""
    result = promtool("test", "rules", str(RULE_TESTS))

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_tested_both_ways():
    """For each alert the unit tests hold a moment of silence and one of alarm."""
    cases = [
        case
        for test in yaml.safe_load(RULE_TESTS.read_text())["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    fires = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}

    assert fires == set(alerts())
    assert silent == set(alerts())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_use_names_that_exist(rule):
    """Each metric of a rule is declared in the code, and each label is one of that metric's."""
    series = {name: metric for metric in declared_metrics().values() for name in metric.series}
    recorded = {other["record"] for other in rules() if "record" in other}
    expression = rule["expr"]

    used = set(re.findall(rf"\b{OUR_METRIC}\b", expression))
    assert used <= set(series)
    assert set(re.findall(r"\bplumbline:[a-z_:]+", expression)) <= recorded
    for name, selector in re.findall(rf"\b({OUR_METRIC})\{{([^}}]*)\}}", expression):
        labels = set(re.findall(r"(\w+)\s*[=!]", selector))
        assert labels <= {*series[name].labels, "le"} | OF_PROMETHEUS


@pytest.mark.parametrize("alert", alerts().values(), ids=alerts())
def test_an_alert_says_what_a_person_needs(alert):
    """A severity, one line, a paragraph, and the page with its name."""
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert alert["annotations"]["runbook"] == f"docs/runbooks/{alert['alert']}.md"


def test_verdicts_in_rules_exist():
    """A verdict that a rule waits for is one the monitor can publish."""
    from plumbline.bundle.finding import Verdict

    named = {
        verdict
        for rule in rules()
        for match in re.findall(r'verdict[=!]~?"([^"]+)"', rule["expr"])
        for verdict in match.split("|")
    }

    assert named
    assert named <= {verdict.value for verdict in Verdict}


def test_only_collapse_asks_for_a_retrain():
    """An alert about inputs, the artefact or the service never reaches the retrain webhook."""
    asking = {name for name, alert in alerts().items() if alert["labels"].get("remedy")}

    assert asking == {"CollapseEvidence", "Flat"}
