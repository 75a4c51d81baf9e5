"""Whatever is sent, the answer is one the OpenAPI document knows, and never a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plumbline.service.endpoint import ENDPOINTS
from plumbline.service.openapi import build_openapi
from plumbline.service.settings import ServiceSettings
from plumbline.service.worker import Worker
from tests.support.served import MODEL, promoted

DOCUMENT = build_openapi("1.0")
PATHS = {endpoint.path for endpoint in ENDPOINTS}
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)
numbers = st.floats() | st.integers() | st.sampled_from([1e39, -1e39, 5e-324, -0.0])
instances = st.fixed_dictionaries(
    {"features": st.lists(st.lists(numbers, min_size=3, max_size=5), min_size=2, max_size=4)},
    optional={
        "id": st.text(max_size=130) | st.none(),
        "symbol": st.text(max_size=70),
        "time": st.datetimes().map(lambda t: t.isoformat() + "Z") | json_values,
        "more": json_values,
    },
)
good_instances = st.fixed_dictionaries(
    {
        "features": st.lists(
            st.lists(st.floats(width=32, allow_nan=False), min_size=4, max_size=4),
            min_size=3,
            max_size=3,
        )
    }
)
requests = st.fixed_dictionaries(
    {"instances": st.lists(instances | good_instances, max_size=4)},
    optional={
        "model": st.sampled_from([MODEL, "", "x"]) | json_values,
        "features_hash": json_values,
    },
)


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., httpx.Response]]:
    """Send a request to a worker in this process."""
    folder = tmp_path_factory.mktemp("fuzzed")
    url = (folder / "store").as_uri()
    promoted(url)
    worker = Worker(ServiceSettings(store=url, models=(MODEL,), state=folder / "state"))
    with asyncio.Runner() as runner:
        app = runner.run(worker.start())
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        client = httpx.AsyncClient(transport=transport, base_url="http://service")

        def call(method: str, path: str, content: bytes = b"") -> httpx.Response:
            headers = {"content-type": "application/json"}
            return runner.run(client.request(method, path, content=content, headers=headers))

        yield call
        runner.run(client.aclose())
        runner.run(worker.stop())


def check(answer: httpx.Response, path: str) -> None:
    """The answer is one of those the document has for this operation."""
    described = DOCUMENT["paths"][path]["post"]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator({**DOCUMENT, **schema}).validate(answer.json())


def encode(value: Any) -> bytes:
    """JSON with whatever Python lets through, NaN included."""
    return json.dumps(value).encode(errors="surrogatepass")


@FUZZ
@given(sent=requests)
def test_any_prediction_request_is_answered_as_documented(send, sent):
    """Nearly right requests, with every kind of number and name."""
    check(send("POST", "/predict", encode(sent)), "/predict")


@FUZZ
@given(sent=json_values, path=st.sampled_from(["/predict", "/outcomes"]))
def test_any_json_is_answered_as_documented(send, sent, path):
    """Requests that are nowhere near right."""
    check(send("POST", path, encode(sent)), path)


@FUZZ
@given(sent=st.binary(max_size=200), path=st.sampled_from(["/predict", "/outcomes"]))
def test_any_bytes_are_answered_as_documented(send, sent, path):
    """Bodies that are no JSON at all."""
    check(send("POST", path, sent), path)


@FUZZ
@given(path=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), max_size=30))
def test_any_other_path_is_404(send, path):
    """Only the documented paths exist."""
    if "/" + path.split("?")[0].split("#")[0] in PATHS:
        return
    answer = send("GET", "/" + path.lstrip("/"))

    assert answer.status_code == 404
