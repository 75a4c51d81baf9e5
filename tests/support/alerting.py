"""A real Prometheus and a real Alertmanager, with the project's own rules and configurations."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.support.declared import ROOT, RULES
from tests.support.programs import require_program
from tests.support.served import free_ports

LOCAL = ROOT / "k8s" / "local"
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
def alerting(folder: Path, *, service_url: str, monitor_url: str) -> Iterator[Alerting]:
    """Run both beside a service and a monitor; scraped and evaluated every second.

    The configurations are those of ``k8s/local`` with other ports and shorter intervals; the rules
    are read where they lie, unchanged.
    """
    prometheus_port, alertmanager_port = free_ports(2)
    urls = Alerting(f"http://127.0.0.1:{prometheus_port}", f"http://127.0.0.1:{alertmanager_port}")
    _write_prometheus(folder, service_url, monitor_url, alertmanager_port)
    _write_alertmanager(folder, monitor_url)
    commands = {
        "prometheus": [
            *("--config.file", str(folder / "prometheus.yaml")),
            *("--storage.tsdb.path", str(folder / "prometheus")),
            *("--web.listen-address", f"127.0.0.1:{prometheus_port}"),
        ],
        "prometheus-alertmanager": [
            *("--config.file", str(folder / "alertmanager.yaml")),
            *("--storage.path", str(folder / "alertmanager")),
            *("--web.listen-address", f"127.0.0.1:{alertmanager_port}"),
            "--cluster.listen-address=",
        ],
    }
    with ExitStack() as stack:
        for program, arguments in commands.items():
            log = folder / f"{program}.log"
            stack.enter_context(_running([require_program(program), *arguments], log))
        for url in (urls.prometheus_url, urls.alertmanager_url):
            wait_for(lambda url=url: _ready(url), seconds=30, what=f"{url} to be ready")  # type: ignore[misc]
        yield urls


def wait_for(ask: Callable[[], T], *, seconds: float, what: str) -> T:
    """Return the first answer that is true; AssertionError names what was waited for."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)
    return answer


def _write_prometheus(folder: Path, service: str, monitor: str, alertmanager_port: int) -> None:
    config = yaml.safe_load((LOCAL / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(RULES)]
    (manager,) = config["alerting"]["alertmanagers"]
    manager["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]
    targets = {"plumbline-service": service, "plumbline-monitor": monitor}
    for job in config["scrape_configs"]:
        host = targets[job["job_name"]].removeprefix("http://")
        job["static_configs"] = [{"targets": [host]}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))


def _write_alertmanager(folder: Path, monitor: str) -> None:
    config = yaml.safe_load((LOCAL / "alertmanager.yaml").read_text())
    (receiver,) = (each for each in config["receivers"] if each["name"] == "monitor")
    receiver["webhook_configs"][0]["url"] = f"{monitor}/alerts"
    (route,) = (each for each in config["route"]["routes"] if each["receiver"] == "monitor")
    # Every delivery again and again, as a cluster of Alertmanagers might.
    route |= {"group_interval": "1s", "repeat_interval": "1s"}
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(config))


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
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
