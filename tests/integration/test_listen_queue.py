"""Connections that wait for a worker: as the system counts them, and seen under a real overload."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlparse

import pytest

from plumbline.service.listen_queue import ListenQueue
from plumbline.service.metrics import Metrics
from tests.support.served import Served, body, promoted, serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says so")

CLIENTS = 60
LIMIT = min(2048, int(Path("/proc/sys/net/core/somaxconn").read_text()))


def kernel(port: int) -> int:
    """Return what the system's own table says of a port that is listened on."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues, *_ = line.split()
        if state == "0A" and int(local.rpartition(":")[2], 16) == port:
            return int(queues.rpartition(":")[2], 16)
    raise AssertionError(f"nobody listens on {port}")


def test_it_is_what_the_system_counts():
    """One by one, as they come and are taken; of a port of somebody else it says nothing."""
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        port = server.getsockname()[1]
        queue = ListenQueue(port, Metrics().requests)
        seen = []
        for _ in range(5):
            held.enter_context(socket.create_connection(("127.0.0.1", port)))
            seen.append((queue.read(), kernel(port)))
        held.enter_context(server.accept()[0])

        assert seen == [((number, 8), number) for number in range(1, 6)]
        assert queue.read() == (4, 8)
        assert ListenQueue(port + 1, Metrics().requests).read() is None
    assert queue.read() is None


def test_it_leaves_the_socket_alone():
    """Its owner goes on accepting, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        queue = ListenQueue(port, Metrics().requests)
        for _ in range(3):
            queue.publish()
            with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
                pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.slow
def test_an_overload_is_seen(tmp_path):
    """More clients than one worker can take: they are counted where no request is yet."""
    promoted((tmp_path / "store").as_uri())
    with serving(tmp_path, workers=1, PLUMBLINE_SERVICE_POLL_SECONDS="0.02") as served:
        shown, counted = overload(served, seconds=2.0)
        served.wait_until(lambda: waiting(served) == 0, 10)
        text = served.get("/metrics").text

    assert max(shown) >= CLIENTS / 4
    assert max(shown) <= max(counted) + CLIENTS / 4  # looked at a little later
    assert f"plumbline_service_connections_waiting_limit {LIMIT}.0" in text


def overload(served: Served, *, seconds: float) -> tuple[list[float], list[int]]:
    """Return what the metric and what the system said while too many clients asked."""
    address = urlparse(served.url)
    content = json.dumps(body(*range(500), symbol="EURUSD")).encode()
    head = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(content)}"
    )
    asked = f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + content
    done = time.monotonic() + seconds
    answers: list[bytes] = []

    def ask() -> None:
        while time.monotonic() < done:
            with socket.create_connection((address.hostname, address.port), timeout=30) as one:
                one.sendall(asked)
                answers.append(one.recv(12))
                while one.recv(1 << 16):
                    pass

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    shown, counted = [], []
    while any(thread.is_alive() for thread in threads):
        counted.append(kernel(address.port))
        shown.append(waiting(served))
        time.sleep(0.01)

    assert set(answers) == {b"HTTP/1.1 200"}
    return shown, counted


def waiting(served: Served) -> float:
    """Read the metric where it lies: a scrape would have to wait with the others."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, served.state / "bentoml" / "prometheus_multiproc_dir")
    (found,) = re.findall(
        r"^plumbline_service_connections_waiting (.*)$", generate_latest(registry).decode(), re.M
    )
    return float(found)
