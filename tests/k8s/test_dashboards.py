"""Names in the dashboards exist: metrics and labels in the code, rules, runbooks and ConfigMaps."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from grafana.frame import RUNBOOKS
from tests.support.dashboards import FOLDER, NAMES, named, page, questions
from tests.support.declared import ROOT, declared_metrics, rules
from tests.support.manifests import build
from tests.support.story.telling import tell

TARGET = {"namespace", "job", "service", "instance"}
NOT_OURS = {"up", "ALERTS", "ALERTS_FOR_STATE"}


def series():
    """The labels of each series that we expose, by its name."""
    found = {}
    for metric in declared_metrics().values():
        for name in metric.series:
            extra = {"le"} if name.endswith("_bucket") else set()
            found[name] = set(metric.labels) | extra
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dashboard_asks_for_exists(name):
    """Every metric is declared in the code, every rule in the rule file."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {word for question in questions(name) for word in named(question.expression)}

    assert asked
    assert asked <= set(series()) | recorded | NOT_OURS


def test_the_story_exposes_what_the_code_exposes():
    """A series of the scripted collapse has the name and the labels that the code gives it."""
    declared = series()
    for name, labels, *_ in tell().series:
        if name not in NOT_OURS:
            assert set(labels) - TARGET == declared[name], name


def test_the_runbooks_are_where_the_alerts_look_for_them():
    """The default address of the dashboards is that of the alerts' annotations."""
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{rule['alert']}.md"


def test_an_alert_leads_to_a_dashboard_that_is_there():
    """Its annotation names one of the four, and variables that this one has."""
    boards = {page(name)["uid"]: page(name) for name in NAMES}
    for rule in rules():
        if "alert" in rule:
            link = urlsplit(rule["annotations"]["dashboard"])
            board = boards[link.path.removeprefix("/d/")]
            known = {f"var-{each['name']}" for each in board["templating"]["list"]}

            assert {part.split("=")[0] for part in link.query.split("&") if part} <= known


def test_the_status_page_has_what_the_links_name():
    """The part of the page that a dashboard links to is in its templates."""
    templates = (ROOT / "monitoring" / "page" / "templates").glob("*.html")
    text = "".join(path.read_text() for path in templates)
    links = [link["url"] for link in page("fleet")["links"] if "#" in link.get("url", "")]

    assert links
    for link in links:
        assert f'id="{link.partition("#")[2]}"' in text


@pytest.mark.tools
def test_the_sidecar_finds_each_dashboard(tmp_path):
    """One ConfigMap for each, with the label that it looks for and a name that stays."""
    made = {manifest["metadata"]["name"]: manifest for manifest in build("components/grafana")}

    assert set(made) == {f"plumbline-dashboard-{name}" for name in NAMES}
    for name in NAMES:
        manifest = made[f"plumbline-dashboard-{name}"]
        assert manifest["kind"] == "ConfigMap"
        assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert manifest["data"] == {f"{name}.json": (FOLDER / f"{name}.json").read_text()}


def test_the_component_carries_every_dashboard():
    """Each file is named in the kustomization."""
    text = (ROOT / "k8s" / "components" / "grafana" / "kustomization.yaml").read_text()

    assert sorted(re.findall(r"dashboards/(\w+)\.json", text)) == sorted(NAMES)
