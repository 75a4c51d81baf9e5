"""A real ``plumbline serve`` with two workers, and clients of every kind."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

import httpx
import numpy as np
import psutil
import pytest

from plumbline.service.predictor import Predictor
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import score_output, small_bundle, value_output
from tests.support.promcheck import complaints
from tests.support.served import LAUNCH, MODEL, ROOT, Served, body, promoted, serving, window


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with a small champion."""
    folder = tmp_path_factory.mktemp("served")
    promoted((folder / "store").as_uri())
    with serving(folder, PLUMBLINE_SERVICE_BODY_TIMEOUT_SECONDS="1") as running:
        running.wait_until(lambda: len(running.workers()) == 2)
        yield running


RESTARTS = "plumbline_service_worker_restarts_total"


def reading(text: str, series: str) -> float:
    """Return the sum of all series that begin so."""
    lines = [line for line in text.splitlines() if line.startswith(series)]
    assert lines, f"no {series} in the metrics"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def raw(url: str, data: list[bytes | float], seconds: float = 15) -> bytes:
    """Send bytes as they are, a number being a pause, and return all that comes back."""
    address = urlparse(url)
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as connection:
        for part in data:
            if isinstance(part, float):
                time.sleep(part)
            else:
                connection.sendall(part)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_prediction_over_http(served):
    """The whole path, with everything a client may say."""
    with served.client() as client:
        answer = client.post("/predict", json=body(1, symbol="EURUSD", time="2017-06-01T00:00:00Z"))

    assert answer.status_code == 200
    assert set(answer.json()) == {"model", "version", "verdict", "predictions"}


def test_a_swap_to_another_kind_of_model_is_followed(tmp_path):
    """A forecast replaces a choice, and a cross-section that: each answers in its own words."""
    url = (tmp_path / "store").as_uri()
    promoted(url)
    made = {
        "value": small_bundle(outputs=(value_output(width=2, members=3),)),
        "score": small_bundle(outputs=(score_output(),)),
    }
    with serving(tmp_path) as served, served.client() as client:
        served.wait_until(lambda: len(served.workers()) == 2)
        before = client.post("/predict", json=body(1)).json()["predictions"][0]
        after = {}
        for kind, bundle in made.items():
            version = promoted(url, made=bundle).version
            served.wait_until(lambda v=version: serves(served, v), 10)
            after[kind] = client.post("/predict", json=body(*range(40))).json()["predictions"]
        metrics = served.get("/metrics").text

    assert before["action"] in ("SELL", "HOLD", "BUY")
    assert [each["outputs"]["r6"]["kind"] for each in after["value"]] == ["value"] * 40
    assert sorted(each["outputs"]["s6"]["rank"] for each in after["score"])[-1] > 0.97
    assert {each["action"] for kind in after for each in after[kind]} == {None}
    assert reading(metrics, "plumbline_service_predictions_total{") == 81
    assert reading(metrics, "plumbline_service_decisions_total{") == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b'{"instances":[{"features":[[NaN,1,1,1],[1,1,1,1],[1,1,1,1]]}]}', 422, "malformed_json"),
        (b'{"instances":[{"features":[[1e999,1,1,1]]}]}', 422, "request_rejected"),
        (b'{"instances":[{"features":[["1",1,1,1]]}]}', 422, "request_rejected"),
        (b'{"instances":[{"features":[[1,1,1,1],[1]]}]}', 422, "feature_mismatch"),
        (b'{"instances":[{"features":[]}]}', 422, "feature_mismatch"),
        (b'{"instances":[]}', 422, "request_rejected"),
        (b"[" * 100_000 + b"]" * 100_000, 422, "request_rejected"),
        (b"\xef\xbb\xbf" + json.dumps(body(1)).encode(), 422, "malformed_json"),
        (b"", 422, "malformed_json"),
        (b"\x80\x04\x95pickle", 422, "malformed_json"),
        (b" " * 1_100_000, 413, "body_too_large"),
    ],
)
def test_bad_bodies_get_the_one_error_shape(served, sent, status, code):
    """Whatever is wrong with a body: status, code, and a message."""
    with served.client() as client:
        answer = client.post("/predict", content=sent, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_large_bodies_are_refused_with_and_without_a_length(served):
    """5 MB, declared or chunked: 413, which the client gets to read."""
    headers = {"content-type": "application/json"}
    chunks = (b" " * 100_000 for _ in range(50))
    with served.client() as client:
        declared = client.post("/predict", content=b" " * 5_000_000, headers=headers)
        chunked = client.post("/predict", content=chunks, headers=headers)

    assert [a.status_code for a in (declared, chunked)] == [413, 413]
    assert [a.headers["connection"] for a in (declared, chunked)] == ["close", "close"]


def test_expecting_client_is_spared_a_large_upload(served):
    """A client that asks before it sends is told at once."""
    head = (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 5000000\r\nexpect: 100-continue\r\n\r\n"
    )
    began = time.monotonic()
    answer = raw(served.url, [head])

    assert answer.startswith(b"HTTP/1.1 413")
    assert time.monotonic() - began < 1


def test_slow_bodies_hold_up_nobody(served):
    """Fifty sockets that drip get 408 in the end, and meanwhile everybody else is answered."""
    head = (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 1000\r\n\r\n{"
    )
    with ThreadPoolExecutor(50) as pool, served.client() as client:
        slow = [pool.submit(raw, served.url, [head, 0.3, b" "]) for _ in range(50)]
        time.sleep(0.2)
        began = time.monotonic()
        answer = client.post("/predict", json=body(1))
        seconds = time.monotonic() - began
        answers = [future.result() for future in slow]

    assert (answer.status_code, seconds < 1) == (200, True)
    assert {a.split(b"\r\n")[0] for a in answers} == {b"HTTP/1.1 408 Request Timeout"}


@pytest.mark.parametrize(
    "path", ["/", "/docs.json", "/schema.json", "/static_content/x", "/healthz"]
)
def test_no_route_of_the_shell_is_left(served, path):
    """BentoML's own pages would describe another service."""
    answer = served.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "bento" not in str(answer.headers).lower()


def test_one_connection_serves_many_requests(served):
    """Refusals other than of size and pace leave the connection usable."""
    address = urlparse(served.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    headers = {"content-type": "application/json"}
    statuses = []
    for sent in (
        json.dumps(body(1)),
        "{",
        json.dumps(body(2)),
        '{"instances":[]}',
        json.dumps(body(3)),
    ):
        connection.request("POST", "/predict", sent, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()

    assert statuses == [200, 422, 200, 422, 200]


def test_metrics_of_any_worker_are_those_of_all(served):
    """Counts add up over the workers, and every scrape sees the same whole."""
    series = "plumbline_service_predictions_total{"

    def scrape() -> float:
        return reading(served.get("/metrics").text, series)

    before = scrape()
    with ThreadPoolExecutor(16) as pool, served.client() as client:
        answers = list(pool.map(lambda i: client.post("/predict", json=body(i)), range(200)))
    counts = {scrape() for _ in range(10)}

    assert {a.status_code for a in answers} == {200}
    assert counts == {before + 200}


def test_metrics_of_the_service_are_as_prometheus_wants_them(served):
    """Names, units and help texts, over all workers; what the processes use; what is loaded."""
    with served.client() as client:
        client.post("/predict", json=body(1, time="2017-06-01T00:00:00Z"))
    served.wait_until(lambda: "plumbline_service_model_info{" in served.get("/metrics").text)
    text = served.get("/metrics").text

    assert complaints(text) == []
    assert reading(text, "plumbline_service_model_info{") == 1
    assert reading(text, "plumbline_service_worker_restarts_total") == 0
    assert reading(text, "process_cpu_seconds_total") > 1
    assert reading(text, "process_resident_memory_bytes") > 1e8
    assert reading(text, "process_open_fds") > 30
    assert 0 < time.time() - reading(text, "process_start_time_seconds") < 3600
    assert reading(text, 'plumbline_store_operation_seconds_count{component="service"') > 5


def test_shipped_rows_are_counted_and_nothing_waits_for_long(served):
    """The parent's counter joins those of the workers; the spools run empty."""
    with served.client() as client:
        client.post("/predict", json=body(*range(20)))

    def shipped() -> bool:
        text = served.get("/metrics").text
        spooled = reading(text, 'plumbline_service_spooled_rows_total{table="predictions"')
        return (
            reading(text, 'plumbline_service_shipped_rows_total{table="predictions"') == spooled
            and reading(text, "plumbline_service_spool_pending_rows") == 0
        )

    served.wait_until(shipped, 10)
    rows = PredictionLog(Objects(served.store), MODEL).read()
    assert len(rows) >= 20


def test_admin_moves_the_champion_and_needs_its_token(served):
    """Promote and roll back over HTTP; the workers follow at their next poll."""
    registry = ModelRegistry(Objects(served.store), MODEL)
    first = registry.alias().value.version
    second = registry.write(*small_bundle(seed=50)).version
    body = {"model": MODEL, "version": second, "reason": "e2e"}

    assert httpx.post(served.admin_url + "/promote", json=body).status_code == 401
    with served.admin() as admin:
        assert admin.post("/promote", json=body).json()["version"] == second
        served.wait_until(lambda: serves(served, second), 10)
        back = admin.post("/rollback", json={"model": MODEL, "reason": "e2e"})
    assert back.json()["version"] == first
    served.wait_until(lambda: serves(served, first), 10)


def serves(served: Served, version: str) -> bool:
    """Whether every worker answers with this version, asked over fresh connections."""
    found = {served.get("/models").json()["models"][0]["version"] for _ in range(8)}
    return found == {version}


@dataclass
class Traffic:
    """What clients have seen."""

    answers: list[dict] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    resets: int = 0


@contextmanager
def traffic(
    served: Served, request: Callable[[int, int], dict], clients: int = 8
) -> Iterator[Traffic]:
    """Send requests from several clients for as long as the block lasts.

    A client whose connection breaks asks again with the same id, as the documentation advises.
    """
    seen = Traffic()
    stop = threading.Event()

    def run(number: int) -> None:
        count = 0
        with served.client() as client:
            while not stop.is_set():
                send(client, request(number, count))
                count += 1

    def send(client: httpx.Client, sent: dict) -> None:
        for _ in range(3):
            try:
                answer = client.post("/predict", json=sent)
            except httpx.TransportError:
                seen.resets += 1
                continue
            if answer.status_code == 200:
                seen.answers.append(answer.json())
            else:
                seen.failures.append(answer.text)
            return
        seen.failures.append("no connection")

    with ThreadPoolExecutor(clients) as pool:
        futures = [pool.submit(run, number) for number in range(clients)]
        try:
            yield seen
        finally:
            stop.set()
            for future in futures:
                future.result()


def test_swaps_under_load_fail_nobody(served):
    """Eight swaps, one to a corrupt bundle and one to a half-uploaded one: no request fails.

    Every answer is that of the version it names, to the last digit: no answer mixes two.
    """
    registry = ModelRegistry(Objects(served.store), MODEL)
    folder = urlparse(served.store).path + f"/models/{MODEL}/versions"
    written = {b.version: b for b in (registry.write(*small_bundle(seed=60 + i)) for i in range(6))}
    broken = [registry.write(*small_bundle(seed=70 + i)).version for i in range(2)]
    start = registry.alias().value.version
    with traffic(served, lambda *_: body(1)) as seen:
        for index, version in enumerate([*written, *broken]):
            registry.promote(version, actor="test", reason="swap")
            if version == broken[0]:
                flip_a_bit(f"{folder}/{version}/model.onnx")
            if version == broken[1]:
                Path(f"{folder}/{version}/golden.npz").unlink()
            if index < len(written):
                served.wait_until(lambda v=version: serves(served, v), 10)
        time.sleep(1.5)
    last = list(written)[-1]

    assert seen.failures == []
    assert seen.resets == 0
    assert {a["version"] for a in seen.answers} == {start, *written}
    assert serves(served, last)
    expected = {version: answer_of(bundle) for version, bundle in written.items()}
    for answer in seen.answers:
        if answer["version"] in expected:
            assert list(answer["predictions"][0]["probabilities"].values()) == pytest.approx(
                expected[answer["version"]], abs=1e-6
            )
    metrics = served.get("/metrics").text
    refused = reading(metrics, f'plumbline_service_swaps_total{{model="{MODEL}",result="refused"}}')
    assert 2 <= refused <= 4


def flip_a_bit(path: str) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)


def answer_of(bundle) -> list[float]:
    """Return the probabilities this bundle has for window 1."""
    windows = {"features": np.array([window(1)], np.float32)}
    predicted = Predictor.load(bundle).predict(windows)
    return predicted.readings["h6"].centre[0].tolist()


def test_killed_worker_loses_no_acknowledged_row_and_is_replaced(tmp_path):
    """After kill -9 under load and a SIGTERM every answered row is in the log, once.

    The dead worker's counts stay counted, its gauges go, another takes its place, and at the end no
    process, port or unshipped row is left.
    """
    promoted((tmp_path / "store").as_uri())
    with serving(tmp_path) as served:
        served.wait_until(lambda: len(served.workers()) == 2)
        victim = served.workers()[0]
        with traffic(served, lambda n, c: body(c % 50, id=f"{n}-{c}")) as seen:
            time.sleep(1)
            victim.send_signal(signal.SIGKILL)
            served.wait_until(
                lambda: len(served.workers()) == 2 and victim not in served.workers(), 30
            )
            served.wait_until(served.ready)
            time.sleep(1)
        assert seen.failures == []
        served.wait_until(lambda: reading(served.get("/metrics").text, RESTARTS) == 1)
        metrics = served.get("/metrics").text
        counted = reading(metrics, "plumbline_service_predictions_total{")
        files = {p.name for p in (served.state / "bentoml/prometheus_multiproc_dir").iterdir()}
        processes = [served.process.pid, *(p.pid for p in served.workers())]
        below = psutil.Process(served.process.pid).children(recursive=True)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(30) == 0
    acknowledged = [p["prediction_id"] for a in seen.answers for p in a["predictions"]]
    rows = PredictionLog(Objects(served.store), MODEL).read()

    assert len(set(acknowledged)) == len(acknowledged) > 200
    assert set(acknowledged) <= set(rows.prediction_id.tolist())
    assert len(rows) == len(set(rows.prediction_id.tolist()))
    assert counted >= len(acknowledged)
    assert not {name for name in files if re.search(rf"gauge_live.*_{victim.pid}\.db", name)}
    assert f"counter_{victim.pid}.db" in files
    answered = 'plumbline_service_requests_total{code="200",route="/predict"}'
    assert 0 <= counted - reading(metrics, answered) <= 4
    assert victim.pid not in processes
    assert [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    assert list((served.state / "spool").iterdir()) == []


@pytest.mark.slow
def test_counters_are_right_through_the_death_of_a_worker_and_a_restart(tmp_path):
    """No answer twice, none forgotten; after a restart from 0, as Prometheus takes it."""
    promoted((tmp_path / "store").as_uri())
    counted = []
    for _ in range(2):
        with serving(tmp_path) as served:
            served.wait_until(lambda s=served: len(s.workers()) == 2)
            answered = ask_many(served, 100)
            victim = served.workers()[0]
            victim.send_signal(signal.SIGKILL)
            served.wait_until(
                lambda s=served, v=victim: len(s.workers()) == 2 and v not in s.workers()
            )
            served.wait_until(served.ready)
            answered += ask_many(served, 50)
            text = served.get("/metrics").text
            counted.append((answered, reading(text, "plumbline_service_predictions_total{")))

    assert counted == [(150, 150.0), (150, 150.0)]


def ask_many(served: Served, count: int) -> int:
    """Ask one after another, each on a connection of its own; return how many were answered."""
    answered = 0
    for number in range(count):
        with served.client() as client:
            answered += client.post("/predict", json=body(number)).status_code == 200
    return answered


def launch(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``plumbline serve`` where it is expected to refuse."""
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_second_server_is_told_what_is_in_its_way(served, tmp_path):
    """The same state folder, a port in use, a misspelt variable: exit 1 and what to do."""
    port = str(urlparse(served.url).port)
    common = ["--store", str(tmp_path), "--model", MODEL]
    same_state = launch(*common, "--state", str(served.state))
    same_port = launch(*common, "--state", str(tmp_path / "s"), "--port", port)
    misspelt = launch(*common, PLUMBLINE_SERVICE_WORKRES="3")

    assert [r.returncode for r in (same_state, same_port, misspelt)] == [1, 1, 1]
    assert "another server uses the state folder" in same_state.stderr
    assert f"cannot listen on 127.0.0.1:{port}" in same_port.stderr
    assert "did you mean PLUMBLINE_SERVICE_WORKERS?" in misspelt.stderr


def test_killed_parent_takes_everything_along(tmp_path):
    """After kill -9 of the parent the port is free again, and the next start ships what is left."""
    promoted((tmp_path / "store").as_uri())
    with serving(tmp_path, workers=1) as served:
        with served.client() as client:
            answer = client.post("/predict", json=body(1)).json()
        below = psutil.Process(served.process.pid).children(recursive=True)
        served.process.kill()
        served.process.wait(10)
        _, alive = psutil.wait_procs(below, timeout=20)

        assert alive == []
    with serving(tmp_path, workers=1) as again:
        log = PredictionLog(Objects(again.store), MODEL)
        prediction_id = answer["predictions"][0]["prediction_id"]
        again.wait_until(lambda: prediction_id in log.read().prediction_id.tolist(), 10)


def test_every_line_of_the_log_is_json(tmp_path):
    """What BentoML says from its parent and its workers, too: an object with event and level."""
    promoted((tmp_path / "store").as_uri())
    with serving(tmp_path) as served:
        output = served.output
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    told = [line for line in lines if "component" in line]

    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert any("BentoServer" in line["event"] for line in told)
    assert {"[entry_service:plumbline:1]", "[entry_service:plumbline:2]"} <= {
        line["component"] for line in told
    }
