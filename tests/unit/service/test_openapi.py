"""The published document is true: valid in itself, and what is answered is what it says."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from plumbline.service.endpoint import ENDPOINTS
from plumbline.service.openapi import build_openapi
from tests.support.served import MODEL, ask, body, window

DOCUMENT = build_openapi("1.0")

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "predict": ("POST", "/predict", body(1, 2, id=None)),
    "predict with everything": (
        "POST",
        "/predict",
        {"model": MODEL, **body(1, id="x", symbol="A/B", time="2020-01-01T00:00:00Z")},
    ),
    "ragged": ("POST", "/predict", {"instances": [{"features": [[1.0], [1.0, 2.0]]}]}),
    "unknown model": ("POST", "/predict", {**body(1), "model": "nope"}),
    "array": ("POST", "/predict", []),
    "outcomes": ("POST", "/outcomes", {"outcomes": [{"prediction_id": "a", "label": "BUY"}]}),
    "wrong label": ("POST", "/outcomes", {"outcomes": [{"prediction_id": "a", "label": "UP"}]}),
    "wrong method": ("GET", "/predict", None),
    "models": ("GET", "/models", None),
    "livez": ("GET", "/livez", None),
    "readyz": ("GET", "/readyz", None),
    "document": ("GET", "/openapi.json", None),
}


def check(schema: dict[str, Any], value: object) -> None:
    """Validate a value against a schema of the document."""
    jsonschema.Draft202012Validator({**DOCUMENT, **schema}).validate(value)


def test_document_is_valid_openapi():
    """By the official schema of OpenAPI 3.1."""
    validate(DOCUMENT)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_every_endpoint_is_in_the_document_and_answers(settings, endpoint):
    """With a good answer or a refusal that the document knows, and counted under its path."""

    async def scenario(client, worker):
        answer = await client.request(endpoint.method, endpoint.path)
        return answer.status_code, worker.metrics.expose()[0].decode()

    status, metrics = ask(settings, scenario)
    operation = DOCUMENT["paths"][endpoint.path][endpoint.method.lower()]

    assert operation["operationId"] == endpoint.name
    assert str(status) in operation["responses"]
    assert f'plumbline_service_request_seconds_count{{route="{endpoint.path}"}}' in metrics


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_what_the_document_says(settings, name):
    """Status and body of real answers, good and bad, are in the document."""
    method, path, sent = REQUESTS[name]

    async def scenario(client, worker):
        return await client.request(method, path, json=sent)

    answer = ask(settings, scenario)
    operation = DOCUMENT["paths"][path].get(method.lower())
    if operation is None:
        assert answer.status_code == 405
        return
    described = operation["responses"][str(answer.status_code)]
    check(described["content"]["application/json"]["schema"], answer.json())


@pytest.mark.parametrize(
    ("request_body", "fits"),
    [
        (body(1), True),
        ({"instances": []}, False),
        ({"instances": [{"features": [["1"]]}]}, False),
        ({**body(1), "extra": 1}, False),
        ({"instances": [{"features": window(1), "id": ""}]}, False),
        ({"instances": [{"features": window(1), "symbol": "a\nb"}]}, False),
    ],
)
def test_document_and_decoder_agree_on_requests(settings, request_body, fits):
    """What the schema takes is taken, what it refuses is refused."""
    schema = DOCUMENT["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    validator = jsonschema.Draft202012Validator({**DOCUMENT, **schema["schema"]})

    async def scenario(client, worker):
        return (await client.post("/predict", json=request_body)).status_code

    assert validator.is_valid(request_body) == fits
    assert (ask(settings, scenario) == 200) == fits


def test_served_document_is_this_one(settings):
    """/openapi.json is the document, with the software's version."""

    async def scenario(client, worker):
        return (await client.get("/openapi.json")).json()

    served = ask(settings, scenario)

    assert served["paths"] == DOCUMENT["paths"]
    assert served["info"]["version"] != ""
