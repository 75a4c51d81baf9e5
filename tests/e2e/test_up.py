"""`plumbline up`: whose port it is, what is left after a kill, and what a second one is told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from plumbline.cli.children import PLUMBLINE, SYSTEM_VARIABLE, Child, ChildError
from plumbline.cli.kinship import end_members, is_free, members, new_system_id
from tests.support.served import free_ports, promoted
from tests.support.upped import wait_until

LEFT_SECONDS = 20.0
FOREIGN = (
    "import http.server, sys\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self): self.send_response(200); self.end_headers()\n"
    "    def log_message(self, *_): pass\n"
    "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
)


@dataclass
class Up:
    """A `plumbline up` on a store that has its champion already, so that it trains nothing."""

    process: subprocess.Popen[bytes]
    state: Path
    log: Path
    ports: list[int]

    def wait(self) -> str:
        """Wait until it serves; return its system id."""
        mark = self.state / "up.json"

        def serves() -> bool:
            ours = mark.exists() and json.loads(mark.read_text())["pid"] == self.process.pid
            return ours and (self.state / "system.json").exists()

        wait_until(serves, self.process, self.log)
        return str(json.loads(mark.read_text())["system_id"])

    def kill(self) -> None:
        """End it as no process can help."""
        self.process.kill()
        self.process.wait()


def options(ports):
    names = ("--port", "--monitor-port", "--admin-port")
    return [word for pair in zip(names, map(str, ports), strict=True) for word in pair]


@contextmanager
def started(state: Path, ports: list[int]) -> Iterator[Up]:
    """Start one; it has ended afterwards."""
    log = state.parent / "up.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*PLUMBLINE, "up", "--state", str(state), "--workers", "2", *options(ports)],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Up(process, state, log, ports)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextmanager
def foreign(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A service of somebody else, which says 200 to everything."""
    process = subprocess.Popen([sys.executable, "-c", FOREIGN, str(port)])
    try:
        while is_free(port):
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def told(state, ports):
    """Run one that must refuse; return what it said."""
    done = subprocess.run(
        [*PLUMBLINE, "up", "--state", str(state), *options(ports)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    return done.stderr


@pytest.fixture
def state(tmp_path):
    """A state folder whose store has a champion."""
    promoted((tmp_path / "state" / "store").as_uri())
    return tmp_path / "state"


def test_a_killed_up_takes_everything_with_it_and_the_next_one_starts(state):
    """Service, workers and monitor end by themselves; ports and folder are free at once."""
    ports = free_ports(3)
    with started(state, ports) as first:
        system_id = first.wait()
        before = len(members(system_id))
        first.kill()
        deadline = time.monotonic() + LEFT_SECONDS
        while members(system_id) and time.monotonic() < deadline:
            time.sleep(0.1)
        left, sign = members(system_id), (state / "system.json").exists()
    with started(state, ports) as second:
        second.wait()
        served = httpx.get(f"http://127.0.0.1:{ports[0]}/readyz", timeout=10).status_code
        folders = {path.name for path in state.iterdir() if path.is_dir()}

    assert before >= 5  # serve, bentoml, two workers, monitor
    assert (left, sign) == ([], False)
    assert served == 200
    assert folders <= {"store", "logs", "service", "monitor"}


@pytest.mark.slow
def test_what_a_dead_guardian_left_is_ended_by_the_next_up(state):
    """Even where nobody was there to tidy up; processes of others stay alone."""
    ports = free_ports(3)
    with started(state, ports) as first:
        system_id = first.wait()
        for guardian in guardians(system_id):
            guardian.kill()
        first.kill()
        time.sleep(1.0)
        left = len(members(system_id))
        with foreign(free_ports(1)[0]) as stranger, started(state, ports) as second:
            second.wait()
            spared = stranger.poll() is None
            after = members(system_id)

    assert left >= 5
    assert (after, spared) == ([], True)
    assert "that a killed `plumbline up` had left behind" in first.log.read_text()


def guardians(system_id):
    """Return the guardian of a run."""
    import psutil

    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "plumbline.cli.guardian" in (process.info["cmdline"] or ())
        and system_id in process.cmdline()
    ]


def test_taken_ports_are_said_before_anything_is_trained(tmp_path):
    """With their holder and a free one; nothing has been written to the store."""
    ports = free_ports(3)
    with foreign(ports[1]) as stranger:
        said = told(tmp_path / "state", ports)

    assert f"port {ports[1]} is taken by process {stranger.pid} ({sys.executable}" in said
    assert "stop it, or give --monitor-port " in said
    assert "training" not in said
    assert not (tmp_path / "state" / "store").exists()


def test_one_port_for_two_things_is_refused(tmp_path):
    """As if it were taken."""
    one, two = free_ports(2)
    said = told(tmp_path / "state", [one, one, two])

    assert f"port {one} is taken by another of the three: " in said
    assert "give --monitor-port" in said


def test_a_second_up_on_one_folder_is_told_whose_it_is(state):
    """While the first one lives, and at once."""
    with started(state, free_ports(3)) as first:
        first.wait()
        said = told(state, free_ports(3))
        alive = first.process.poll() is None

    assert f"another `plumbline up` runs on {state}: process {first.process.pid}." in said
    assert alive


def test_an_answer_of_somebody_else_is_not_ours(tmp_path):
    """A service on the port says 200, our child does not listen: it is not ready."""
    port = free_ports(1)[0]
    system_id = new_system_id()
    sleeper = subprocess.Popen(["sleep", "30"], env={**os.environ, SYSTEM_VARIABLE: system_id})
    child = Child("service", sleeper, tmp_path / "log", system_id)
    with foreign(port), pytest.raises(ChildError, match="service was not ready after 1 s"):
        child.wait_ready(port, seconds=1.0)
    ended = end_members(system_id)
    sleeper.wait()

    assert ended == 1


def test_whatever_bears_the_run_id_is_ended_and_the_stubborn_is_killed():
    """In a session of its own, deaf to SIGTERM, and a child of it."""
    system_id = new_system_id()
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "subprocess.Popen(['sleep', '60'], start_new_session=True); print('up', flush=True); "
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", deaf],
        env={**os.environ, SYSTEM_VARIABLE: system_id},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = end_members(system_id, grace_seconds=0.5)

    assert found == 2
    assert process.returncode == -signal.SIGKILL
    assert members(system_id) == []


def test_a_listening_socket_makes_a_port_taken():
    """On every address of this machine."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert not is_free(port)
    assert is_free(port)
