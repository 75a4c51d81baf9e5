"""Starts Prometheus and Alertmanager beside a running `plumbline up`: ``make observe``.

Both are the programs of your distribution, with the files of this folder. Ports are read from the
``system.json`` of the running system, so that whatever it listens on is scraped and called.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import yaml

HERE = Path(__file__).resolve().parent
RULES = HERE.parent / "rules" / "plumbline.rules.yaml"
PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")
"""Debian's name first, then the maintainers' own."""

RETENTION = "100d"
"""The figures of daily bars look back ninety days."""

_READY_SECONDS = 30.0


class ObserveError(Exception):
    """Something is missing or taken; the message says what to do."""


@dataclass(frozen=True)
class Observed:
    """Where everything is, and where Prometheus and Alertmanager are to listen."""

    service_url: str
    monitor_url: str
    folder: Path
    prometheus_port: int = 9090
    alertmanager_port: int = 9093

    def write(self, *, interval: str = "5s") -> None:
        """Write both configurations into the folder, those of this one with the right ports.

        Parameters
        ----------
        interval
            Between two scrapes, and between two evaluations.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._save("prometheus.yaml", self._prometheus(interval))
        self._save("alertmanager.yaml", self._alertmanager())

    def _prometheus(self, interval: str) -> dict[str, object]:
        config: dict[str, object] = yaml.safe_load((HERE / "prometheus.yaml").read_text())
        targets = {"plumbline-service": self.service_url, "plumbline-monitor": self.monitor_url}
        scraped = [
            {"job_name": job, "static_configs": [{"targets": [url.removeprefix("http://")]}]}
            for job, url in targets.items()
        ]
        caller = [{"targets": [f"127.0.0.1:{self.alertmanager_port}"]}]
        return config | {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(RULES)],
            "alerting": {"alertmanagers": [{"static_configs": caller}]},
            "scrape_configs": scraped,
        }

    def _alertmanager(self) -> dict[str, object]:
        config: dict[str, object] = yaml.safe_load(
            (HERE / "alertmanager.yaml")
            .read_text()
            .replace("http://127.0.0.1:3001", self.monitor_url)
        )
        return config

    def _save(self, name: str, config: Mapping[str, object]) -> None:
        (self.folder / name).write_text(yaml.safe_dump(dict(config), sort_keys=False))

    @property
    def urls(self) -> dict[str, str]:
        """Where Prometheus and Alertmanager answer."""
        ports = {"Prometheus": self.prometheus_port, "Alertmanager": self.alertmanager_port}
        return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}

    def commands(self) -> list[list[str]]:
        """Return the command lines; `ObserveError` if a program is missing."""
        return [
            [
                find_program(PROMETHEUS, package="prometheus"),
                *("--config.file", str(self.folder / "prometheus.yaml")),
                *("--storage.tsdb.path", str(self.folder / "prometheus")),
                *("--storage.tsdb.retention.time", RETENTION),
                *("--web.listen-address", f"127.0.0.1:{self.prometheus_port}"),
            ],
            [
                find_program(ALERTMANAGER, package="prometheus-alertmanager"),
                *("--config.file", str(self.folder / "alertmanager.yaml")),
                *("--storage.path", str(self.folder / "alertmanager")),
                *("--web.listen-address", f"127.0.0.1:{self.alertmanager_port}"),
                "--cluster.listen-address=",  # it looks for no peers
            ],
        ]


def find_program(names: Sequence[str], *, package: str) -> str:
    """Return the path of a program by the first of its names that is found."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise ObserveError(
        f"{' or '.join(names)} is not on PATH; on Debian: apt-get install {package}. "
        "With docker instead: docker compose -f k8s/local/compose.yaml up"
    )


def running_system(state: Path) -> dict[str, str]:
    """Return what ``system.json`` says of the running system."""
    path = state / "system.json"
    try:
        system: dict[str, str] = json.loads(path.read_text())
    except OSError as error:
        raise ObserveError(
            f"expected a running system, found no {path}; start one with `make run`"
        ) from error
    return system


def refuse_taken(observed: Observed) -> None:
    """Refuse ports that somebody listens on already."""
    ports = {
        "--prometheus-port": observed.prometheus_port,
        "--alertmanager-port": observed.alertmanager_port,
    }
    for option, port in ports.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                raise ObserveError(f"port {port} is taken; choose another one with {option}")


def run(observed: Observed) -> None:
    """Run both until Ctrl-C, or until one of them ends."""
    commands = observed.commands()
    refuse_taken(observed)
    observed.write()
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            log = observed.folder / f"{Path(command[0]).name}.log"
            with log.open("wb") as output:
                children.append(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
        _say_where(observed, children)
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        raise ObserveError(f"one of them has ended; its log is in {observed.folder}")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(10)


def _say_where(observed: Observed, children: Sequence[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    for url in observed.urls.values():
        while not _ready(url):
            if time.monotonic() > deadline or any(child.poll() is not None for child in children):
                raise ObserveError(f"{url} does not answer; the logs are in {observed.folder}")
            time.sleep(0.2)
    print(f"Prometheus    {observed.urls['Prometheus']}/alerts")
    print(f"Alertmanager  {observed.urls['Alertmanager']}")
    print(f"watching      {observed.service_url} and {observed.monitor_url}")
    print("running until Ctrl-C", flush=True)


def _ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> int:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".state"), help="of `plumbline up`")
    parser.add_argument("--prometheus-port", type=int, default=9090)
    parser.add_argument("--alertmanager-port", type=int, default=9093)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # a shell's background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        system = running_system(options.state)
        run(
            Observed(
                system["service_url"],
                system["monitor_url"],
                (options.state / "observe").resolve(),
                options.prometheus_port,
                options.alertmanager_port,
            )
        )
    except ObserveError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
