"""A challenger on a real service with two workers, watched by a real monitor: nobody notices."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.drills.fault import collapsed_graph, with_graph
from plumbline.service.shadow import QUEUE_ROWS
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import SHADOWS
from plumbline.store.registry import CHALLENGER, ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.served import MODEL, ROOT, Served, free_ports, promoted, serving

HOUR_US = 3_600_000_000
STEPS = 3
MONITOR = (sys.executable, "-P", "-m", "plumbline.cli.main", "monitor")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A service whose champion has a reference long enough to judge by."""
    promoted((tmp_path / "store").as_uri(), made=small_bundle(MODEL, rows=900))
    with serving(tmp_path, PLUMBLINE_SERVICE_SHADOW_RATIO="0.5") as running:
        running.wait_until(lambda: len(running.workers()) == 2)
        yield running


@contextmanager
def monitored(served: Served) -> Iterator[None]:
    """Run the monitor of a service as a process of its own."""
    (port,) = free_ports(1)
    options = ["--store", served.store, "--model", MODEL, "--port", str(port)]
    options += ["--service-url", served.url, "--state", str(served.state / "monitor")]
    with (served.state / "monitor.log").open("ab") as output:
        process = subprocess.Popen([*MONITOR, *options], cwd=ROOT, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(40)


@dataclass
class Crowd:
    """Clients that ask about the champion's own series, bar by bar, each of its own symbol.

    A lost connection is asked again over with the same id, as the client library does.
    """

    url: str
    features: np.ndarray
    first: int
    clients: int = 4
    pause: float = 0.02
    failures: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask until the block ends."""
        with ThreadPoolExecutor(self.clients) as pool:
            asked = [pool.submit(self._ask, number) for number in range(self.clients)]
            try:
                yield
            finally:
                self._stop.set()
                for each in asked:
                    each.result(30)

    def _ask(self, number: int) -> None:
        step = 37 * number
        with httpx.Client(base_url=self.url, timeout=10) as client:
            while not self._stop.wait(self.pause):
                step += 1
                self._ask_once(client, f"S{number}", step)

    def _ask_once(self, client: httpx.Client, symbol: str, step: int) -> None:
        end = step % (len(self.features) - STEPS) + STEPS
        instance = {
            "id": uuid4().hex,
            "features": self.features[end - STEPS : end].tolist(),
            "symbol": symbol,
            "time": f"{np.datetime64(self.first + step * HOUR_US, 'us')}Z",
        }
        for _ in range(5):
            try:
                answer = client.post("/predict", json={"instances": [instance]})
            except httpx.TransportError:
                continue
            if answer.status_code == 200:
                (prediction,) = answer.json()["predictions"]
                self.answers[prediction["prediction_id"]] = answer.json()["version"]
            else:
                self.failures.append(answer.text)
            return
        self.failures.append("no answer in five attempts")


def crowd(bundle: Bundle, served: Served, **how: float) -> Crowd:
    """Return clients that ask about a bundle's own reference."""
    reference = bundle.reference
    return Crowd(served.url, reference.features, int(reference.bar_time[0]), **how)


def rows_of(served: Served, ids: dict[str, str], *, seconds: float = 20):
    """Return the log once all of these predictions are in it."""
    log = PredictionLog(Objects(served.store), MODEL)
    deadline = time.monotonic() + seconds
    while True:
        rows = log.read()
        if set(ids) <= set(rows.prediction_id):
            return rows
        assert time.monotonic() < deadline, "answered rows are not in the log"
        time.sleep(0.2)


@pytest.mark.timeout(180)
def test_a_good_challenger_is_promoted_and_no_client_notices(served):
    """Not even with a worker killed meanwhile and the monitor dead in the middle."""
    registry = ModelRegistry(Objects(served.store), MODEL)
    champion = registry.open(registry.alias().value.version)
    challenger = registry.write(*small_bundle(MODEL, seed=1, rows=900)).version
    asked = crowd(champion, served)
    with asked.asking():
        registry.promote(challenger, actor="anna", reason="better", alias=CHALLENGER)
        with monitored(served):
            shadows = PredictionLog(Objects(served.store), MODEL, table=SHADOWS)
            served.wait_until(lambda: len(shadows.read()) > 30)
            served.workers()[0].kill()
        early = set(asked.answers.values())
        assert registry.alias().value.version == champion.version
        with monitored(served):
            served.wait_until(lambda: registry.alias().value.version == challenger, 90)
            served.wait_until(lambda: challenger in asked.answers.values(), 20)
            served.wait_until(lambda: registry.alias(CHALLENGER) is None, 20)
    given = rows_of(served, asked.answers)
    shadow = shadows.read()
    head = registry.alias().value

    assert asked.failures == []
    assert early == {champion.version}
    assert head.shadow_rows >= 200
    assert "anna had put it in shadow: better" in head.reason
    assert set(shadow.version) == {challenger}
    assert set(shadow.prediction_id) <= set(given.prediction_id)
    assert len(set(given.prediction_id)) == len(given)


@pytest.mark.timeout(180)
def test_a_collapsed_challenger_is_refused_and_never_answers(served):
    """It passed its gate; its answers to live requests give it away."""
    registry = ModelRegistry(Objects(served.store), MODEL)
    champion = registry.open(registry.alias().value.version)
    graph = collapsed_graph(champion, np.array([-5.64, 5.04, -1.51]), np.array([0.66, 1.0, 1.5]), 0)
    broken = registry.write(*with_graph(champion, graph, drill="test")).version
    asked = crowd(champion, served)
    with asked.asking(), monitored(served):
        registry.promote(broken, actor="anna", reason="try", alias=CHALLENGER, force=True)
        served.wait_until(lambda: registry.alias(CHALLENGER) is None, 90)
    last = registry.history(CHALLENGER)[-1].value

    assert asked.failures == []
    assert set(asked.answers.values()) == {champion.version}
    assert "in shadow it was judged" in last.reason
    assert registry.alias().value.version == champion.version


@pytest.mark.timeout(120)
def test_a_crowd_is_answered_whatever_the_challenger_costs(served):
    """As fast as they can ask: no request fails, and what is not asked twice is counted."""
    registry = ModelRegistry(Objects(served.store), MODEL)
    champion = registry.open(registry.alias().value.version)
    challenger = registry.write(*small_bundle(MODEL, seed=1, rows=900)).version
    registry.promote(challenger, actor="anna", reason="try", alias=CHALLENGER)
    asked = crowd(champion, served, clients=8, pause=0.0)
    with asked.asking():
        time.sleep(6)
    given = rows_of(served, asked.answers)
    page = served.get("/metrics").text
    counted = {
        name: sum(
            float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(name)
        )
        for name in (
            "plumbline_service_predictions_total",
            "plumbline_service_shadow_predictions_total",
            "plumbline_service_shadow_dropped_total",
        )
    }
    shadowed, dropped = (
        counted[f"plumbline_service_shadow_{what}_total"] for what in ("predictions", "dropped")
    )

    assert asked.failures == []
    assert counted["plumbline_service_predictions_total"] >= len(asked.answers)
    assert shadowed > 0
    assert (shadowed + dropped) / len(given) < 0.6
    assert (shadowed + dropped + 2 * QUEUE_ROWS) / len(given) > 0.4
