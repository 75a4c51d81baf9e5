"""The canary, against a real service and against ones that are wrong in one way each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import onnxruntime
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Remedy, Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.watching.canary import Canary, CanaryResult, _difference
from plumbline.store.log import PredictionLog
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, value
from tests.support.served import promoted, serving
from tests.support.watched import build, stepping, until

BUNDLE = Bundle(*small_bundle(MODEL))


@dataclass
class Impostor:
    """A service that runs a bundle, and may be wrong about it."""

    bundle: Bundle = BUNDLE
    says_version: str = BUNDLE.version
    shift: float = 0.0
    status: int = 200
    headers: tuple[str, ...] = ()
    asked: int = 0

    async def predict(self, request: Request) -> Response:
        """Answer as the service does."""
        self.asked += 1
        self.headers += (request.headers.get("plumbline-purpose", ""),)
        if self.status != 200:
            return JSONResponse({"error": {"code": "x", "message": "no"}}, self.status)
        body = await request.json()
        inputs = np.array([each["inputs"]["features"] for each in body["instances"]], np.float32)
        session = onnxruntime.InferenceSession(self.bundle.files["model.onnx"])
        (logits,) = session.run(None, {"features": inputs})
        outputs = self.bundle.outputs
        rows = outputs.read(logits)[outputs.primary].centre + self.shift
        names = self.bundle.manifest.actions
        predictions = [
            {
                "probabilities": dict(zip(names, row.tolist(), strict=True)),
                "confidence": float(row.max()),
            }
            for row in rows
        ]
        return JSONResponse({"version": self.says_version, "predictions": predictions})


@contextmanager
def answering(impostor: Impostor) -> Iterator[str]:
    """Serve it on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/predict", impostor.predict, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class Hands:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Return the seconds so far."""
        return self.seconds


@pytest.fixture
def hands() -> Hands:
    """The canary's clock."""
    return Hands()


@pytest.fixture
def metrics() -> Metrics:
    """Metrics to look at afterwards."""
    return Metrics()


def build_canary(tmp_path: Path, metrics: Metrics, hands: Hands, url: str) -> Canary:
    """Return a canary that asks every ten seconds."""
    settings = Control(tmp_path).loaded(service_url=url, canary_seconds=10.0)
    return Canary(settings, metrics, clock=hands)


def send(canary: Canary, hands: Hands, times: int, generation: int = 1) -> list[Verdict | None]:
    """Let the canary fly so many times and return what was said each time."""
    said = []
    for _ in range(times):
        hands.seconds += 10.0
        diagnosis = canary.step(generation, BUNDLE, None)
        said.append(diagnosis.verdict if diagnosis else None)
    return said


def test_a_true_service_passes(tmp_path, metrics, hands):
    """Golden inputs give golden probabilities, and every request says what it is for."""
    impostor = Impostor()
    with answering(impostor) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, BUNDLE, None)

        assert send(canary, hands, 3) == [None] * 3
    assert impostor.headers == ("canary",) * 3
    assert canary.last.error < 1e-5
    assert value(metrics, "plumbline_monitoring_canaries_total", model=MODEL, result="passed") == 3


@pytest.mark.parametrize(
    ("impostor", "result"),
    [
        (Impostor(shift=0.01), CanaryResult.DIFFERED),
        (Impostor(shift=1e9), CanaryResult.DIFFERED),
        (Impostor(says_version="fedcba9876543210"), CanaryResult.WRONG_VERSION),
        (Impostor(bundle=Bundle(*small_bundle(MODEL, seed=3))), CanaryResult.DIFFERED),
        (Impostor(status=422), CanaryResult.DIFFERED),
    ],
)
def test_two_failures_in_a_row_are_a_faulty_artefact(tmp_path, metrics, hands, impostor, result):
    """One may be a swap that was under way; the remedy of two is a rollback."""
    with answering(impostor) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, BUNDLE, None)

        assert send(canary, hands, 2) == [None, Verdict.ARTEFACT_FAULT]
        hands.seconds += 1.0
        diagnosis = canary.step(1, BUNDLE, None)
    assert diagnosis.remedy is Remedy.ROLL_BACK
    assert canary.last.result is result


@pytest.mark.parametrize("status", [500, 503])
def test_a_service_that_cannot_answer_says_nothing_about_the_artefact(
    tmp_path, metrics, hands, status
):
    """Nor does one that is not there at all."""
    with answering(Impostor(status=status)) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, BUNDLE, None)

        assert send(canary, hands, 5) == [None] * 5
    assert send(canary, hands, 2) == [None] * 2
    assert canary.last.result is CanaryResult.UNREACHABLE


def test_failures_count_within_one_promotion(tmp_path, metrics, hands):
    """After a promotion or a rollback the count begins anew."""
    with answering(Impostor(shift=0.01)) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, BUNDLE, None)

        assert send(canary, hands, 1) == [None]
        assert canary.step(2, BUNDLE, None) is None
        assert send(canary, hands, 2, generation=2) == [None, Verdict.ARTEFACT_FAULT]


def test_a_success_in_between_forgives(tmp_path, metrics, hands):
    """Two in a row are needed."""
    impostor = Impostor()
    with answering(impostor) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, BUNDLE, None)
        said = []
        for shift in (0.01, 0.0, 0.01, 0.0):
            impostor.shift = shift
            said += send(canary, hands, 1)

    assert said == [None] * 4


def test_a_champion_that_cannot_be_opened_fails_without_a_request(tmp_path, metrics, hands):
    """The store holds something else than what was promoted."""
    impostor = Impostor()
    with answering(impostor) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        canary.step(1, None, "model.onnx: truncated")
        for _ in range(2):
            hands.seconds += 10.0
            diagnosis = canary.step(1, None, "model.onnx: truncated")

    assert diagnosis.verdict is Verdict.ARTEFACT_FAULT
    assert "model.onnx: truncated" in diagnosis.cause
    assert impostor.asked == 0


def test_it_flies_no_oftener_than_it_was_told(tmp_path, metrics, hands):
    """Looking more often sends nothing more."""
    impostor = Impostor()
    with answering(impostor) as url:
        canary = build_canary(tmp_path, metrics, hands, url)
        for _ in range(100):
            hands.seconds += 0.3
            canary.step(1, BUNDLE, None)

    assert impostor.asked == 2


def test_a_wrong_version_is_rolled_back_by_the_monitor(tmp_path):
    """The whole way: canary, verdict on the board, incident, rollback, recovery."""
    control = Control(tmp_path)
    healthy = control.serve(7, said=Verdict.HEALTHY)
    faulty = control.serve(0)
    with answering(Impostor(says_version=healthy)) as url:
        monitor = build(control, service_url=url, canary_seconds=0.2)
        with stepping(monitor):
            until(lambda: control.registry.alias().value.version == healthy)
    incident = control.incidents()[0]
    said = [head.value.diagnosis.verdict for head in control.board.history()]

    assert incident.version == faulty
    assert incident.verdict is Verdict.ARTEFACT_FAULT
    assert Verdict.ARTEFACT_FAULT in said
    assert control.calls == []


def test_the_real_service_passes_and_logs_nothing(tmp_path, metrics, hands):
    """The canary goes the way of a client, and leaves no row behind."""
    url = (tmp_path / "store").as_uri()
    bundle = promoted(url)
    with serving(tmp_path, workers=1) as served:
        settings = Control(tmp_path).loaded(service_url=served.url, canary_seconds=10.0)
        canary = Canary(settings, metrics, clock=hands)
        canary.step(1, bundle, None)
        for _ in range(3):
            hands.seconds += 10.0

            assert canary.step(1, bundle, None) is None
        text = httpx.get(f"{served.url}/metrics").text

    assert canary.last.result is CanaryResult.PASSED
    counted = [
        line
        for line in text.splitlines()
        if line.startswith("plumbline_service_predictions_total{")
    ]
    assert counted
    assert all(line.endswith(" 0.0") for line in counted)
    assert len(PredictionLog(Control(tmp_path, made=True).objects, MODEL).read()) == 0


def test_a_wrong_forecast_is_told_however_small_it_is():
    """Half of a return of 1e-4 is half of it, though it is not a thousandth of anything."""
    expected = {"r6": {"kind": "value", "mean": 1e-4}, "h6": {"kind": "choice", "confidence": 0.6}}
    found = {"r6": {"kind": "value", "mean": 5e-5}, "h6": {"kind": "choice", "confidence": 0.6}}

    assert _difference(found, expected, {"r6": 1e-4, "h6": 0.6}) == pytest.approx(0.5)
