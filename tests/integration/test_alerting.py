"""From a collapse to a retrain, by way of a real Prometheus and a real Alertmanager.

A service with two workers answers over HTTP, its monitor watches, Prometheus scrapes both with the
project's rules, and Alertmanager calls the monitor. The monitor's own trigger is switched off, so
that what follows can only have come through the webhook.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from plumbline.drills.fault import collapsed_graph, with_graph
from plumbline.store.incident import EventKind, Incident, IncidentBook, IncidentStatus
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.alerting import alerting, wait_for
from tests.support.declared import alerts
from tests.support.served import MODEL, ROOT, Served, free_ports, promoted, serving

HOUR_US = 3_600_000_000
PLUMBLINE = (sys.executable, "-P", "-m", "plumbline.cli.main")

pytestmark = pytest.mark.tools


@contextmanager
def monitored(served: Served, folder: Path, plan: dict[str, object]) -> Iterator[str]:
    """Run the monitor of a service, with a quick training and the webhook as its only trigger."""
    (port,) = free_ports(1)
    (folder / "plan.json").write_text(json.dumps(plan))
    options = {
        "--store": served.store,
        "--model": MODEL,
        "--service-url": served.url,
        "--port": str(port),
        "--train-config": str(folder / "plan.json"),
        "--state": str(folder / "monitor"),
    }
    settings = {"LAUNCHER": "quick", "TRIGGERS": '["webhook"]', "ATTEMPT_LIMIT": "1"}
    settings["SHADOW_ROWS"] = "20"
    environment = {f"PLUMBLINE_MONITORING_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "tests.support.quick_monitor"]
    command += [part for option in options.items() for part in option]
    log = folder / "monitor.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _ready(url), seconds=60, what=f"the monitor; {log}")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(40)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def collapse(store: str) -> str:
    """Promote a bundle that always says HOLD, with logits that vary; return its version."""
    registry = ModelRegistry(Objects(store), MODEL)
    bundle = registry.open(registry.alias().value.version)
    graph = collapsed_graph(bundle, np.array([-5.64, 5.04, -1.51]), np.array([0.66, 1.01, 1.56]), 0)
    broken = registry.write(*with_graph(bundle, graph, drill="test"))
    registry.promote(broken.version, actor="test", reason="a collapse", force=True)
    return broken.version


class Client:
    """Asks about the small bundle's own series, bar by bar."""

    def __init__(self, client: httpx.Client, store: str) -> None:
        registry = ModelRegistry(Objects(store), MODEL)
        reference = registry.open(registry.alias().value.version).reference
        self._client = client
        self._rows, self._first = reference.features, int(reference.bar_time[0])
        self._steps, self._next = 3, 3

    def ask(self, count: int) -> set[str]:
        """Ask about the next bars and return the versions that answered."""
        versions = set()
        for _ in range(count):
            end = self._next % (len(self._rows) - self._steps) + self._steps
            moment = np.datetime64(self._first + self._next * HOUR_US, "us")
            instance = {
                "features": self._rows[end - self._steps : end].tolist(),
                "symbol": "EURUSD",
                "time": f"{moment}Z",
            }
            answer = self._client.post("/predict", json={"instances": [instance]})
            answer.raise_for_status()
            versions.add(answer.json()["version"])
            self._next += 1
        return versions


def incidents(store: str) -> list[Incident]:
    """Return all incidents."""
    return [head.value for head in IncidentBook(Objects(store), MODEL).all()]


def starts(store: str) -> int:
    """Return how many retrains were ever started."""
    events = [event for incident in incidents(store) for event in incident.events]
    return sum(event.kind is EventKind.RETRAIN_STARTED for event in events)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_collapse_is_retrained_through_alertmanager(tmp_path):
    """Rules fire on what is really served, the webhook arrives, and exactly one retrain follows."""
    promoted((tmp_path / "store").as_uri(), seed=0)
    with (
        serving(tmp_path, workers=2) as served,
        monitored(served, tmp_path, {"seed": 1}) as monitor_url,
        alerting(tmp_path, service_url=served.url, monitor_url=monitor_url) as around,
        served.client() as connection,
    ):
        client = Client(connection, served.store)
        broken = collapse(served.store)
        wait_for(lambda: client.ask(1) == {broken}, seconds=20, what="the collapsed version")
        born = f'plumbline_service_predictions_total{{version="{broken}"}}'
        wait_for(lambda: around.query(born), seconds=20, what="the first scrape of its counters")
        client.ask(300)
        firing = wait_for(
            lambda: around.firing().get("CollapseEvidence"), seconds=60, what="CollapseEvidence"
        )
        one_action = f'plumbline:action_share:ratio_1h{{version="{broken}", action="HOLD"}} > 0.95'

        assert firing["version"] == broken
        assert firing["remedy"] == "retrain"

        wait_for(lambda: around.query(one_action), seconds=30, what="the share in Prometheus")
        wait_for(lambda: broken not in client.ask(20), seconds=60, what="a repaired version")
        again = 'plumbline_monitoring_webhooks_total{result="repeated"}'
        wait_for(lambda: around.query(f"{again} >= 3"), seconds=30, what="repeated deliveries")
        client.ask(100)
        # Bars of an hour, asked about within seconds: the number of bars decides which window fits.
        judged = f'plumbline:predictions:window{{version!="{broken}"}} >= 60'
        wait_for(lambda: around.query(judged), seconds=30, what="the window of the new version")
        (incident,) = incidents(served.store)
        rules = {rule["name"]: rule for rule in around.rules()}

        assert incident.trigger == "webhook"
        assert incident.version == broken
        assert incident.status in {IncidentStatus.WATCHING, IncidentStatus.RESOLVED}
        assert starts(served.store) == 1
        assert set(alerts()) <= set(rules)
        assert {name for name, rule in rules.items() if rule["health"] == "err"} == set()
        # Long windows are evaluated every four minutes.
        assert all(":sum_" in name for name, rule in rules.items() if rule["health"] != "ok")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_retrain_follows_a_real_alert(tmp_path):
    """The same with the real model: train, serve, drill; the repair waits for Alertmanager."""
    ports = free_ports(3)
    state = tmp_path / "state"
    options = ["--port", "--monitor-port", "--admin-port"]
    given = [part for pair in zip(options, map(str, ports), strict=True) for part in pair]
    log = tmp_path / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PLUMBLINE, "up", "--state", str(state), *given],
            env={**os.environ, "PLUMBLINE_MONITORING_TRIGGERS": '["webhook"]'},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        where = state / "system.json"
        wait_for(where.exists, seconds=300, what=f"`plumbline up`; {log}")
        system = json.loads(where.read_text())
        urls = {name: system[name] for name in ("service_url", "monitor_url")}
        with alerting(tmp_path, **urls):
            plumbline("replay-data", "--config", system["train_config"], "--out", system["replay"])
            report = plumbline("drill", "always-hold", "--state", str(state), "--json")
        found = incidents(system["store_url"])
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    (drill,) = json.loads(report)["drills"]

    assert drill["shortfalls"] == []
    assert drill["retrains"] == 1
    assert [incident.trigger for incident in found] == ["webhook"]


def plumbline(*arguments: str) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(
        [*PLUMBLINE, *arguments], check=False, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout
