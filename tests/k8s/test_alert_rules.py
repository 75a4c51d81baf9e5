"""The rules: what the code prints, firing when they should, and made of names that exist."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from plumbline.bundle.verdict import Verdict
from plumbline.rules.rule import Links
from plumbline.rules.ruleset import render
from tests.support.alert_stories import STORIES
from tests.support.declared import OPERATOR_RULES, RULES, alerts, declared_metrics, rules
from tests.support.programs import require_program

OF_PROMETHEUS = {"job", "namespace", "service", "pod", "instance"}
OUR_METRIC = r"plumbline_(?:service|monitoring|store)_[a-z_]+"


@pytest.mark.parametrize(
    ("path", "form"),
    [(RULES, "prometheus"), (OPERATOR_RULES, "operator")],
    ids=["file", "operator"],
)
def test_the_files_are_what_the_code_prints(path, form):
    """`plumbline rules` has the one source; both files are its output."""
    assert path.read_text() == render(Links(), form)


def test_the_operator_gets_the_same_rules():
    """A PrometheusRule holds the groups of the rule file."""
    groups = yaml.safe_load(OPERATOR_RULES.read_text())["spec"]["groups"]

    assert groups == yaml.safe_load(RULES.read_text())["groups"]


def test_links_are_those_that_were_asked_for():
    """Each alert leads to its page in the given folder, and to a dashboard of the given Grafana."""
    own = Links("https://wiki.example/ops/", "https://grafana.example/")
    groups = yaml.safe_load(render(own))["groups"]
    told = [rule for group in groups for rule in group["rules"] if "alert" in rule]

    assert len(told) == len(alerts())
    for alert in told:
        notes = alert["annotations"]
        assert notes["runbook_url"] == f"https://wiki.example/ops/{alert['alert']}.md"
        assert notes["dashboard"].startswith("https://grafana.example/d/plumbline-")


@pytest.mark.tools
def test_prometheus_accepts_the_rules():
    """Syntax, templates and durations are right."""
    result = subprocess.run(
        [require_program("promtool"), "check", "rules", "--lint-fatal", str(RULES)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.tools
@pytest.mark.parametrize("name", STORIES)
def test_an_alert_keeps_its_time(name, tmp_path):
    """Silent just before it is due, firing just after, and no other fires with it."""
    STORIES[name]().check(tmp_path)


def test_every_alert_has_a_story():
    """In which it is silent at one moment and fires at another."""
    told: dict[str, set[bool]] = {}
    for name, story in STORIES.items():
        alert = name.split(",")[0]
        firing = [{text.split()[0] for text in texts} for texts in story().firing.values()]
        told.setdefault(alert, set()).update(alert in names for names in firing)

    assert all(told[name] == {True, False} for name in alerts())
    assert set(told) == set(alerts())


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_use_names_that_exist(rule):
    """Each metric of a rule is declared in the code, and each label is one of that metric's."""
    series = {name: metric for metric in declared_metrics().values() for name in metric.series}
    recorded = {other["record"] for other in rules() if "record" in other}
    expression = rule["expr"]

    used = set(re.findall(rf"\b{OUR_METRIC}\b", expression))
    assert used <= set(series)
    assert set(re.findall(r"\bplumbline:\w+:\w+", expression)) <= recorded
    for name, selector in re.findall(rf"\b({OUR_METRIC})\{{([^}}]*)\}}", expression):
        labels = set(re.findall(r"(\w+)\s*[=!]", selector))
        assert labels <= {*series[name].labels, "le"} | OF_PROMETHEUS


@pytest.mark.parametrize("alert", alerts().values(), ids=alerts())
def test_an_alert_says_what_a_person_needs(alert):
    """A severity, one line, a paragraph, the page with its name and the dashboard that shows it."""
    notes = alert["annotations"]

    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert list(notes) == ["summary", "description", "runbook_url", "dashboard"]
    assert notes["runbook_url"] == f"{Links().runbooks}/{alert['alert']}.md"
    assert re.match(
        r"https?://\S+/d/plumbline-(fleet|model|incident|service)\b", notes["dashboard"]
    )


@pytest.mark.parametrize("alert", alerts().values(), ids=alerts())
def test_an_alert_names_labels_that_it_has(alert):
    """What a summary or link fills in is kept by the expression, by name."""
    text = " ".join(alert["annotations"].values())
    kept = whole_expression(alert)

    for label in re.findall(r"\$labels\.(\w+)", text):
        assert re.search(rf"\b{label}\b", kept), label


def whole_expression(rule: dict) -> str:
    """Return the expression of a rule with all that it is made of, and the labels put on it."""
    parts = [r for r in rules() if "record" in r and r["record"] in rule["expr"] and r is not rule]
    made_of = (whole_expression(part) for part in parts)
    return " ".join([rule["expr"], *rule.get("labels", ()), *made_of])


def test_verdicts_in_rules_exist():
    """A verdict that a rule waits for is one the monitor can publish."""
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
