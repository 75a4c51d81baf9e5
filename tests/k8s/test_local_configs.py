"""Prometheus and Alertmanager on a laptop: their files are right, and agree with the rules."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from plumbline.rules.rule import GRAFANA
from tests.support.declared import ROOT, alerts
from tests.support.programs import require_program

LOCAL = ROOT / "k8s" / "local"


def config(name: str) -> dict:
    return yaml.safe_load((LOCAL / name).read_text())


@pytest.mark.tools
@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("promtool", ("check", "config", "k8s/local/prometheus.yaml")),
        ("amtool", ("check-config", "k8s/local/alertmanager.yaml")),
    ],
)
def test_the_files_are_accepted(program, arguments):
    """Their own programs find nothing wrong with them."""
    command = [require_program(program), *arguments]
    result = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_targets_are_the_default_ports():
    """Started without options, service and monitor are found."""
    from plumbline.monitoring.settings import MonitoringSettings
    from plumbline.service.settings import ServiceSettings

    jobs = config("prometheus.yaml")["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}

    assert targets == {
        "plumbline-service": [f"127.0.0.1:{ServiceSettings.model_fields['port'].default}"],
        "plumbline-monitor": [f"127.0.0.1:{MonitoringSettings.model_fields['port'].default}"],
    }


@pytest.mark.tools
@pytest.mark.parametrize("name", alerts())
def test_people_hear_of_everything_and_the_monitor_of_collapse(name):
    """Alertmanager's own routing: each alert reaches people, collapse the monitor too."""
    labels = [f"{key}={value}" for key, value in alerts()[name]["labels"].items()]
    command = [
        *(require_program("amtool"), "config", "routes", "test"),
        *("--config.file", str(LOCAL / "alertmanager.yaml"), f"alertname={name}", *labels),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    receivers = set(result.stdout.strip().split(","))

    assert receivers == ({"monitor", "people"} if "remedy=retrain" in labels else {"people"})


def test_the_provisioned_folder_is_the_one_that_is_mounted():
    """Grafana reads its provisioning and the dashboards where compose puts them."""
    compose = yaml.safe_load((LOCAL / "compose.yaml").read_text())["services"]
    mounts = dict(each.split(":")[:2] for each in compose["grafana"]["volumes"])
    inside = {path: source for source, path in mounts.items()}
    (provider,) = config("grafana/dashboards/plumbline.yaml")["providers"]
    (source,) = config("grafana/datasources/prometheus.yaml")["datasources"]

    assert (LOCAL / inside["/etc/grafana/provisioning"]).resolve() == LOCAL / "grafana"
    assert inside[provider["options"]["path"]] == "../components/grafana/dashboards"
    assert (
        f"--web.listen-address={source['url'].removeprefix('http://')}"
        in (compose["prometheus"]["command"])
    )


def test_every_image_is_pinned():
    """By a version, so that two people see the same."""
    compose = yaml.safe_load((LOCAL / "compose.yaml").read_text())["services"]

    assert all(re.search(r":v?\d+\.\d+\.\d+$", each["image"]) for each in compose.values())


def test_the_links_lead_to_the_grafana_of_compose():
    """Where nobody said otherwise, alerts link to the port that compose gives it."""
    compose = yaml.safe_load((LOCAL / "compose.yaml").read_text())["services"]
    place = compose["grafana"]["environment"]

    assert f"http://{place['GF_SERVER_HTTP_ADDR']}:{place['GF_SERVER_HTTP_PORT']}" == GRAFANA


def test_inhibited_alerts_exist():
    """No inhibition names an alert that is gone."""
    for rule in config("alertmanager.yaml")["inhibit_rules"]:
        named = rule["source_matchers"] + rule["target_matchers"]
        for matcher in named:
            assert set(matcher.split('"')[1].split("|")) <= set(alerts())


def test_a_cluster_keeps_back_what_a_laptop_does():
    """The operator's inhibitions are those of the local file, in its own words."""

    def matchers(found: list[dict[str, str]]) -> list[str]:
        return [f'{m["name"]}{m.get("matchType", "=")}"{m["value"]}"' for m in found]

    path = ROOT / "k8s" / "components" / "people" / "routes.yaml"
    told = yaml.safe_load(path.read_text())["spec"]["inhibitRules"]

    assert config("alertmanager.yaml")["inhibit_rules"] == [
        {
            "source_matchers": matchers(rule["sourceMatch"]),
            "target_matchers": matchers(rule["targetMatch"]),
            "equal": rule["equal"],
        }
        for rule in told
    ]


def test_every_room_is_copied_into_an_image():
    """What the package links to is not left out of the build."""
    let_in = set((ROOT / ".dockerignore").read_text().splitlines())
    rooms = [path.name for path in (ROOT / "plumbline").iterdir() if path.is_symlink()]

    assert "rules" in rooms
    assert [room for room in rooms if f"!{room}" not in let_in] == []
