"""Two replicas under a real Prometheus: no sum is wrong when a worker or a replica is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path

import httpx
import pytest

from tests.support.alerting import Alerting, alerting, wait_for
from tests.support.served import Served, body, free_ports, promoted, serving

PREDICTIONS = "plumbline_service_predictions_total"
SCRAPES = 3.0  # seconds in which Prometheus has looked, whatever it was doing

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(300)]


@dataclass
class Client:
    """Asks one replica, one request after another, each on a connection of its own.

    Attributes
    ----------
    begun, answered
        When, by the clock of the system.
    failed
        Requests without a good answer.
    """

    url: str
    begun: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    failed: int = 0
    going: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    idle: threading.Event = field(default_factory=threading.Event)

    def ask(self) -> None:
        """Go on until it is over."""
        for number in count():
            while not self.going.wait(0.05):
                self.idle.set()
                if self.over.is_set():
                    return
            self.begun.append(time.time())
            try:
                answer = httpx.post(
                    f"{self.url}/predict", json=body(number), timeout=10, verify=False
                )
                good = answer.is_success
            except httpx.TransportError:
                good = False
            if good:
                self.answered.append(time.time())
            else:
                self.failed += 1
                time.sleep(0.05)
            time.sleep(0.02)

    def pause(self) -> None:
        """Let nothing be under way, and Prometheus see all there was."""
        self.idle.clear()
        self.going.clear()
        self.idle.wait(15)
        time.sleep(SCRAPES)


@contextmanager
def asking(*clients: Client) -> Iterator[None]:
    """Run clients; they begin paused."""
    threads = [threading.Thread(target=each.ask) for each in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for each in clients:
            each.going.clear()
            each.over.set()
        for thread in threads:
            thread.join(20)


@dataclass(frozen=True)
class Watched:
    """What Prometheus has of one replica."""

    prometheus: Alerting
    url: str

    @property
    def of(self) -> str:
        """The label by which Prometheus tells it."""
        return f'{{instance="{self.url.removeprefix("http://")}"}}'

    def samples(self, name: str = PREDICTIONS) -> list[tuple[float, float]]:
        """Return all samples of its one series, oldest first."""
        (series,) = self.prometheus.query(f"{name}{self.of}[1h]")
        return [(moment, float(value)) for moment, value in series["values"]]

    def grown(self, name: str = PREDICTIONS) -> float:
        """Return how much a counter has grown; what is less than before began anew."""
        values = [0.0, *(value for _, value in self.samples(name))]
        return sum(
            after - (before if after >= before else 0.0) for before, after in pairwise(values)
        )

    def increase(self) -> float:
        """Return the same in Prometheus' own words, which stretch it to the ends of the window."""
        return self.prometheus.value(f"increase({PREDICTIONS}{self.of}[1h])")

    def fastest(self) -> float:
        """Return the greatest rate that a panel would have shown, per second."""
        return self.prometheus.value(f"max_over_time(rate({PREDICTIONS}{self.of}[10s])[10m:1s])")


def lose(served: Served) -> None:
    """Kill a replica and all its processes at once, as a machine does that fails."""
    os.killpg(served.process.pid, signal.SIGKILL)
    served.process.wait(10)


def kill_worker(served: Served) -> None:
    """Kill one worker, and wait for the one that takes its place."""
    victim = served.workers()[0]
    victim.send_signal(signal.SIGKILL)
    served.wait_until(lambda: len(served.workers()) == 2 and victim not in served.workers())
    served.wait_until(served.ready)


@contextmanager
def replica(home: Path, name: str, store: str, ports: list[int]) -> Iterator[Served]:
    """Run one with two workers and a state folder of its own."""
    folder = home / name
    folder.mkdir(exist_ok=True)
    with serving(folder, store=store, ports=ports) as served:
        served.wait_until(lambda: len(served.workers()) == 2)
        yield served


def test_sums_are_right_through_all_that_is_lost(tmp_path):
    """A worker killed under load, a replica started anew, and one that never comes back."""
    store = (tmp_path / "store").as_uri()
    promoted(store)
    ports, other = free_ports(2), free_ports(2)
    with ExitStack() as running:
        steady = running.enter_context(ExitStack())
        again = steady.enter_context(replica(tmp_path, "again", store, other))
        lost = running.enter_context(replica(tmp_path, "lost", store, ports))
        urls = {"service_url": lost.url, "monitor_url": "http://127.0.0.1:9"}
        (tmp_path / "prometheus").mkdir()
        prometheus = running.enter_context(
            alerting(tmp_path / "prometheus", **urls, replicas=[again.url])
        )
        first, second = Client(lost.url), Client(again.url)
        running.enter_context(asking(first, second))
        wait_for(lambda: len(prometheus.query(PREDICTIONS)) == 2, seconds=30, what="two series")
        first.going.set()
        second.going.set()
        time.sleep(4)
        kill_worker(lost)
        kill_worker(again)

        second.pause()
        steady.close()  # stopped in good order, and started anew on the same ports
        again = running.enter_context(replica(tmp_path, "again", store, other))
        second.going.set()
        time.sleep(4)

        lose(lost)
        time.sleep(4)
        second.pause()
        first.going.clear()

        one, two = Watched(prometheus, lost.url), Watched(prometheus, again.url)
        check_the_lost_one(one, first)
        check_the_other(two, second)
        check_rate(one, first)
        check_rate(two, second)
        check_sums(prometheus, one, two)


def check_the_lost_one(watched: Watched, client: Client) -> None:
    """Up to the last look nothing is missing, and nothing is there twice."""
    moment, value = watched.samples()[-1]
    restarts = watched.grown("plumbline_service_worker_restarts_total")

    assert sum(each <= moment for each in client.answered) <= value
    assert value <= sum(each <= moment + 1.0 for each in client.begun)
    assert watched.grown() == value
    assert restarts == 1
    assert watched.prometheus.value(f"up{watched.of}") == 0


def check_the_other(watched: Watched, client: Client) -> None:
    """It began anew once; each answer is counted, and what was asked of a killed worker at most."""
    values = [value for _, value in watched.samples()]
    falls = [after for before, after in pairwise(values) if after < before]

    assert len(falls) == 1
    assert len(client.answered) <= watched.grown() <= len(client.answered) + client.failed
    assert client.failed <= 3 or client.failed < len(client.answered) / 20


def check_rate(watched: Watched, client: Client) -> None:
    """No panel would have shown more than there was: a beginning anew is no burst."""
    within = [sum(0 <= after - each < 10 for each in client.answered) for after in client.answered]

    assert watched.fastest() <= 1.3 * max(within) / 10
    assert watched.increase() == pytest.approx(watched.grown(), rel=0.05)


def check_sums(prometheus: Alerting, one: Watched, two: Watched) -> None:
    """What our rules record of both is the sum of both, and the shares are shares of all."""
    total = one.grown() + two.grown()
    shares = [float(row["value"][1]) for row in prometheus.query("plumbline:action_share:ratio_5m")]

    assert prometheus.value("plumbline:predictions:window_5m") == pytest.approx(total, rel=0.05)
    assert sum(shares) == pytest.approx(1.0, abs=0.01)
