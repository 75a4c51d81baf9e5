"""`make observe`: wired to what a running system says of itself, clear about what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from k8s.local.observe import RULES, Observed
from tests.support.alerting import wait_for
from tests.support.declared import ROOT
from tests.support.programs import require_program
from tests.support.served import free_ports


def observe(state: Path, *options: str, path: str | None = None) -> subprocess.Popen[str]:
    """Start it as the Makefile does."""
    return subprocess.Popen(
        [sys.executable, "k8s/local/observe.py", "--state", str(state), *options],
        cwd=ROOT,
        env={**os.environ, "PATH": os.environ["PATH"] if path is None else path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def running(state: Path) -> None:
    """Leave what `plumbline up` leaves of a system on other ports."""
    state.mkdir(exist_ok=True)
    system = {"service_url": "http://127.0.0.1:3010", "monitor_url": "http://127.0.0.1:3011"}
    (state / "system.json").write_text(json.dumps(system))


def test_everything_is_wired_to_the_ports_of_the_system(tmp_path):
    """Both are scraped and the monitor is called where they are, with the rules as they lie."""
    observed = Observed("http://127.0.0.1:3010", "http://127.0.0.1:3011", tmp_path, 9190, 9193)
    observed.write()
    prometheus = yaml.safe_load((tmp_path / "prometheus.yaml").read_text())
    alertmanager = yaml.safe_load((tmp_path / "alertmanager.yaml").read_text())
    targets = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]
    }
    (hook,) = alertmanager["receivers"][1]["webhook_configs"]

    assert targets == {
        "plumbline-service": ["127.0.0.1:3010"],
        "plumbline-monitor": ["127.0.0.1:3011"],
    }
    assert prometheus["rule_files"] == [str(RULES)]
    assert "127.0.0.1:9193" in json.dumps(prometheus["alerting"])
    assert hook["url"] == "http://127.0.0.1:3011/alerts"


@pytest.mark.parametrize(
    ("prepare", "path", "said"),
    [
        (lambda _: None, None, "found no"),
        (running, "/nowhere", "apt-get install prometheus"),
    ],
    ids=["no system", "no program"],
)
def test_it_says_what_is_missing(tmp_path, prepare, path, said):
    """One line that says what to do, and exit 1."""
    prepare(tmp_path)
    process = observe(tmp_path, path=path)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert errors.startswith("error: ")
    assert said in errors


@pytest.mark.tools
def test_it_runs_both_until_it_is_told_to_stop(tmp_path):
    """All rules are loaded, Alertmanager is connected, and nothing is left afterwards."""
    for program in ("prometheus", "prometheus-alertmanager"):
        require_program(program)
    running(tmp_path)
    ports = [str(port) for port in free_ports(2)]
    options = ("--prometheus-port", ports[0], "--alertmanager-port", ports[1])
    process = observe(tmp_path, *options)
    try:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(4)]
        url = f"http://127.0.0.1:{ports[0]}"

        def connected() -> list[dict[str, str]]:
            found = httpx.get(f"{url}/api/v1/alertmanagers", timeout=5).json()
            active: list[dict[str, str]] = found["data"]["activeAlertmanagers"]
            return active

        wait_for(connected, seconds=20, what="Alertmanager at Prometheus")
        groups = httpx.get(f"{url}/api/v1/rules", timeout=5).json()["data"]["groups"]
        again = observe(tmp_path, *options)
        _, refused = again.communicate(timeout=30)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert said[-1] == "running until Ctrl-C\n"
    assert len(groups) == len(yaml.safe_load(RULES.read_text())["groups"])
    assert f"port {ports[0]} is taken" in refused
    with pytest.raises(httpx.ConnectError, match="refused"):
        httpx.get(f"{url}/-/ready", timeout=2)
