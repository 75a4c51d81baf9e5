"""The closed loop, from real bars to a recovered system, by the commands a person would type."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from plumbline.drills.scenarios import DRILLS

PLUMBLINE = (sys.executable, "-P", "-m", "plumbline.cli.main")
TRAINED_AND_READY_SECONDS = 300

pytestmark = pytest.mark.slow  # the demonstration of continuous integration plays all drills too


@dataclass
class Running:
    """A system started by `plumbline up`."""

    process: subprocess.Popen[bytes]
    state: Path
    service_url: str
    monitor_url: str


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on; all are held open until the last is found."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def processes_of(state: Path) -> list[int]:
    """Return the processes whose command line or environment names a state folder."""
    needle = str(state).encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if needle in told:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole system on free ports: trained, serving, watched, with its replay written."""
    state = tmp_path_factory.mktemp("loop") / "state"
    ports = free_ports(3)
    options = ["--state", str(state), "--port", str(ports[0])]
    options += ["--monitor-port", str(ports[1]), "--admin-port", str(ports[2])]
    log = state.parent / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PLUMBLINE, "up", *options], stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + TRAINED_AND_READY_SECONDS
    while not (state / "system.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"`plumbline up` did not come up:\n{log.read_text()[-3000:]}")
        time.sleep(0.5)
    where = json.loads((state / "system.json").read_text())
    subprocess.run(
        [*PLUMBLINE, "replay-data", "--config", where["train_config"], "--out", where["replay"]],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield Running(process, state, where["service_url"], where["monitor_url"])
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def carry_out(running: Running, *names: str) -> dict[str, dict[str, object]]:
    """Run drills as a user would and return their report by name."""
    done = subprocess.run(
        [*PLUMBLINE, "drill", *names, "--state", str(running.state), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["drills"]}


@pytest.mark.timeout(1800)
def test_drills_are_diagnosed_repaired_and_lose_nothing(running):
    """Every drill passes: verdict, retrains, delay, recovery, requests, log."""
    results = carry_out(running, "--all")

    assert [each for each in results.values() if each["shortfalls"]] == []
    assert set(results) == set(DRILLS)
    assert results["always-hold"]["detected_after_predictions"] <= 200
    assert results["always-hold"]["recovered_seconds"] <= 180
    assert all(each["rows_in_log"] == each["rows_acknowledged"] for each in results.values())


def test_metrics_of_service_and_monitor_can_be_scraped(running):
    """Both processes show Prometheus what they count."""
    served = httpx.get(f"{running.service_url}/metrics", timeout=10).text
    watched = httpx.get(f"{running.monitor_url}/metrics", timeout=10).text

    assert "plumbline_service_predictions_total{" in served
    assert "plumbline_monitoring_verdict{" in watched


def test_a_second_up_on_the_same_store_is_told(running):
    """It ends at once, names the holder and says what to do."""
    done = subprocess.run(
        [*PLUMBLINE, "up", "--state", str(running.state), "--port", "1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "another `plumbline up` runs on" in done.stderr
    assert str(running.process.pid) in done.stderr


def test_interrupt_leaves_no_process_behind(running):
    """Ctrl-C ends the service, its workers, the monitor and whatever they started."""
    running.process.send_signal(signal.SIGINT)

    assert running.process.wait(60) == 0
    assert processes_of(running.state) == []
