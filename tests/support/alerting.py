"""A real Prometheus and a real Alertmanager, with the project's own rules and configurations."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from k8s.local.observe import Observed
from tests.support.programs import require_program
from tests.support.served import free_ports

T = TypeVar("T")


@dataclass(frozen=True)
class Alerting:
    """Where Prometheus and Alertmanager answer."""

    prometheus_url: str
    alertmanager_url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        answer = httpx.get(
            f"{self.prometheus_url}/api/v1/query", params={"query": expression}, timeout=10
        )
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def value(self, expression: str) -> float:
        """Return the value of an instant query that gives one sample."""
        (row,) = self.query(expression)
        return float(row["value"][1])

    def rules(self) -> list[dict[str, Any]]:
        """Return what Prometheus says of each rule: its health, its last error, its state."""
        answer = httpx.get(f"{self.prometheus_url}/api/v1/rules", timeout=10)
        groups = answer.raise_for_status().json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def firing(self) -> dict[str, dict[str, str]]:
        """Return the labels of the alerts that fire, by name."""
        answer = httpx.get(f"{self.prometheus_url}/api/v1/alerts", timeout=10)
        alerts = answer.raise_for_status().json()["data"]["alerts"]
        return {a["labels"]["alertname"]: a["labels"] for a in alerts if a["state"] == "firing"}

    def received(self) -> set[str]:
        """Return the names of the alerts that Alertmanager knows."""
        answer = httpx.get(f"{self.alertmanager_url}/api/v2/alerts", timeout=10)
        return {alert["labels"]["alertname"] for alert in answer.raise_for_status().json()}


@contextmanager
def alerting(
    folder: Path, *, service_url: str, monitor_url: str, replicas: Sequence[str] = ()
) -> Iterator[Alerting]:
    """Run both beside a service and a monitor; scraped and evaluated every second.

    The configurations are those that ``make observe`` writes, with shorter intervals; the rules are
    read where they lie, unchanged.

    Parameters
    ----------
    replicas
        URLs of further replicas of the service.
    """
    observed = _observed(folder, service_url, monitor_url)
    _scrape_also(folder / "prometheus.yaml", replicas)
    with ExitStack() as stack:
        for command in observed.commands():
            stack.enter_context(_running(command, folder))
        for url in observed.urls.values():
            wait_for(partial(_ready, url), seconds=30, what=f"{url} to be ready")
        yield Alerting(*observed.urls.values())


@contextmanager
def alertmanager(folder: Path, *, monitor_url: str) -> Iterator[str]:
    """Run Alertmanager alone before a monitor, and yield its URL."""
    observed = _observed(folder, "http://127.0.0.1:9", monitor_url)
    url = observed.urls["Alertmanager"]
    with _running(observed.commands()[1], folder):
        wait_for(partial(_ready, url), seconds=30, what=f"{url} to be ready")
        yield url


def _observed(folder: Path, service_url: str, monitor_url: str) -> Observed:
    for name in ("prometheus", "prometheus-alertmanager"):
        require_program(name)
    observed = Observed(service_url, monitor_url, folder, *free_ports(2))
    observed.write(interval="1s")
    _deliver_again_and_again(folder / "alertmanager.yaml")
    return observed


def wait_for(ask: Callable[[], T], *, seconds: float, what: str) -> T:
    """Return the first answer that is true; AssertionError names what was waited for."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)
    return answer


def _deliver_again_and_again(path: Path) -> None:
    """Send every alert each second, as a cluster of Alertmanagers might."""
    config = yaml.safe_load(path.read_text())
    (route,) = (each for each in config["route"]["routes"] if each["receiver"] == "monitor")
    route |= {"group_interval": "1s", "repeat_interval": "1s"}
    path.write_text(yaml.safe_dump(config))


def _scrape_also(path: Path, replicas: Sequence[str]) -> None:
    """Add replicas to the service's targets."""
    config = yaml.safe_load(path.read_text())
    (job,) = (each for each in config["scrape_configs"] if each["job_name"] == "plumbline-service")
    job["static_configs"][0]["targets"] += [url.removeprefix("http://") for url in replicas]
    path.write_text(yaml.safe_dump(config, sort_keys=False))


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{Path(command[0]).name}.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
