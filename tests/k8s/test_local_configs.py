"""Prometheus and Alertmanager on a laptop: their files are right, and agree with the rules."""

from __future__ import annotations

import subprocess

import pytest
import yaml

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


def test_inhibited_alerts_exist():
    """No inhibition names an alert that is gone."""
    for rule in config("alertmanager.yaml")["inhibit_rules"]:
        named = rule["source_matchers"] + rule["target_matchers"]
        for matcher in named:
            assert set(matcher.split('"')[1].split("|")) <= set(alerts())
