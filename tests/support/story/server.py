"""A real Prometheus over the story: promtool writes its blocks, the project's rules among them.

The rules are evaluated by Prometheus too, at every scrape: recording rules in turns, those first
that need no other, with a new Prometheus over the blocks of the turns before; then the alerts, with
their ``for`` and ``keep_firing_for``, written as Prometheus itself would have recorded them.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.support.declared import rules
from tests.support.programs import require_program
from tests.support.served import free_ports
from tests.support.story.samples import Samples
from tests.support.story.script import START, TICK, TICKS
from tests.support.story.telling import tell

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Row = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """Where one answers."""

    url: str
    client: httpx.Client

    def query(self, expression: str, at: float) -> list[Row]:
        """Return the samples of an instant query, at so many seconds of the story."""
        return self._get("query", query=expression, time=START + at)

    def range(self, expression: str, step: int = TICK) -> list[Row]:
        """Return the samples of a range query over the whole story."""
        ends = {"start": START, "end": START + int(TICKS[-1])}
        return self._get("query_range", query=expression, step=step, **ends)

    def _get(self, path: str, **parameters: object) -> list[Row]:
        answer = self.client.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']}: {parameters['query']}")
        found: list[Row] = answer["data"]["result"]
        return found


@contextmanager
def told(folder: Path) -> Iterator[Prometheus]:
    """Tell the story in a folder of its own, and run a Prometheus over it."""
    data = folder / "data"
    _import(folder, data, tell(), "scraped")
    for number, turn in enumerate(_turns()):
        with _serving(folder, data) as prometheus:
            recorded = _record(prometheus, turn)
        _import(folder, data, recorded, f"turn-{number}")
    with _serving(folder, data) as prometheus:
        fired = _fire(prometheus)
    _import(folder, data, fired, "alerts")
    with _serving(folder, data) as prometheus:
        yield prometheus


def _import(folder: Path, data: Path, samples: Samples, stem: str) -> None:
    for path in samples.write(folder, stem):
        _promtool("create-blocks-from", "openmetrics", "--quiet", str(path), str(data))


def _promtool(*arguments: str) -> None:
    command = [require_program("promtool"), "tsdb", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def _turns() -> list[list[Row]]:
    """Return the recording rules in turns: each needs only what was recorded in those before."""
    waiting = [rule for rule in rules() if "record" in rule]
    turns: list[list[Row]] = []
    while waiting:
        names = {rule["record"] for rule in waiting}
        ready = [rule for rule in waiting if not _named(rule["expr"]) & (names - {rule["record"]})]
        if not ready:
            raise ValueError(f"rules that need each other: {sorted(names)}")
        turns.append(ready)
        waiting = [rule for rule in waiting if rule not in ready]
    return turns


def _named(expression: str) -> set[str]:
    return set(re.findall(r"plumbline:\w+:\w+", expression))


def _record(prometheus: Prometheus, turn: list[Row]) -> Samples:
    """Return what recording rules give at every scrape."""
    found = Samples()
    for rule in turn:
        for series in prometheus.range(rule["expr"]):
            labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
            stamps, values = zip(*series["values"], strict=True)
            found.recorded(rule["record"], labels | rule.get("labels", {}), stamps, values)
    return found


@contextmanager
def _serving(folder: Path, data: Path) -> Iterator[Prometheus]:
    config = folder / "prometheus.yaml"
    config.write_text("global: {}\n")
    (port,) = free_ports(1)
    command = [
        require_program("prometheus"),
        *("--config.file", str(config), "--storage.tsdb.path", str(data)),
        *("--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"),
        *("--storage.tsdb.retention.time", "20y", "--query.lookback-delta", "90s"),
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/-/ready", process, folder / "prometheus.log")
        with httpx.Client(timeout=30) as client:
            yield Prometheus(f"http://127.0.0.1:{port}", client)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"Prometheus ended: {log.read_text()[-2000:]}")
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"Prometheus was not ready within 30 s: {log.read_text()[-2000:]}")


def _fire(prometheus: Prometheus) -> Samples:
    """Return ``ALERTS`` and ``ALERTS_FOR_STATE`` as Prometheus would have recorded them."""
    found = Samples()
    for rule in rules():
        if "alert" not in rule:
            continue
        held, kept = (_seconds(rule.get(key, "0s")) for key in ("for", "keep_firing_for"))
        for series in prometheus.range(rule["expr"]):
            labels = {k: v for k, v in series["metric"].items() if k != "__name__"}
            labels = {"alertname": rule["alert"], **labels, **rule.get("labels", {})}
            stamps = {int(float(stamp)) - START for stamp, _ in series["values"]}
            since, firing = _course([int(at) in stamps for at in TICKS], held, kept)
            on = ~np.isnan(since)
            if firing.any():
                found.gauge("ALERTS", {**labels, "alertstate": "firing"}, 1, firing)
            found.gauge("ALERTS_FOR_STATE", labels, np.nan_to_num(since), on)
    return found


def _course(holds: list[bool], held: int, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Return since when an alert has been active at each evaluation, and whether it fires."""
    since, firing = np.full(len(holds), np.nan), np.full(len(holds), False)
    begun: float | None = None
    last = -np.inf
    for place, (at, true) in enumerate(zip(TICKS, holds, strict=True)):
        if true:
            begun, last = (float(at) if begun is None else begun), float(at)
        elif begun is not None and not (firing[place - 1] and at - last < kept):
            begun = None
        if begun is not None:
            since[place] = START + begun
            firing[place] = at - begun >= held
    return since, firing


def _seconds(duration: str) -> int:
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhd])", str(duration)))
