"""The true OpenAPI 3.1 document, made from the very structures that decode and encode."""

from __future__ import annotations

from typing import Any

import msgspec

from plumbline.bundle import purpose
from plumbline.service.answer import (
    ErrorAnswer,
    ModelsAnswer,
    OutcomesAnswer,
    PredictAnswer,
    StatusAnswer,
)
from plumbline.service.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    LogUnavailableError,
    MethodNotAllowedError,
    ModelNotFoundError,
    ModelUnavailableError,
    NotReadyError,
    RequestRejectedError,
    ServiceError,
    UnsupportedMediaTypeError,
)
from plumbline.service.schema import OutcomesRequest, PredictRequest

_REF = "#/components/schemas/{name}"
_BODY_ERRORS = (
    BodyTooSlowError,
    BodyTooLargeError,
    UnsupportedMediaTypeError,
    RequestRejectedError,
    ModelNotFoundError,
    MethodNotAllowedError,
)


def build_openapi(version: str) -> dict[str, Any]:
    """Return the document; ``version`` is the software's."""
    kinds = (
        PredictRequest,
        OutcomesRequest,
        PredictAnswer,
        OutcomesAnswer,
        ModelsAnswer,
        StatusAnswer,
        ErrorAnswer,
    )
    references, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    refs = dict(zip(kinds, references, strict=True))
    predict = _operation(
        "predict",
        "Judge windows of features, oldest step first.",
        refs,
        PredictAnswer,
        body=PredictRequest,
        errors=(*_BODY_ERRORS, ModelUnavailableError, LogUnavailableError),
    )
    predict["parameters"] = [
        {
            "name": purpose.HEADER,
            "in": "header",
            "required": False,
            "description": f"{purpose.CANARY}: answered, neither recorded nor counted, size 0.",
            "schema": {"type": "string"},
        }
    ]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Plumbline service", "version": version},
        "paths": {
            "/predict": {"post": predict},
            "/outcomes": {
                "post": _operation(
                    "outcomes",
                    "Say what became of predictions.",
                    refs,
                    OutcomesAnswer,
                    body=OutcomesRequest,
                    errors=(*_BODY_ERRORS, LogUnavailableError),
                )
            },
            "/models": {"get": _operation("models", "What is served.", refs, ModelsAnswer)},
            "/livez": {"get": _operation("livez", "The process is alive.", refs, StatusAnswer)},
            "/readyz": {
                "get": _operation(
                    "readyz",
                    "The service should get traffic.",
                    refs,
                    StatusAnswer,
                    errors=(NotReadyError,),
                )
            },
            "/metrics": {"get": _plain("metrics", "Prometheus' text format, all workers.")},
            "/openapi.json": {"get": _document()},
        },
        "components": {"schemas": components},
    }


def _operation(
    name: str,
    summary: str,
    refs: dict[Any, Any],
    answer: type,
    *,
    body: type | None = None,
    errors: tuple[type[ServiceError], ...] = (MethodNotAllowedError,),
) -> dict[str, Any]:
    """Return one operation, its errors grouped by status."""
    by_status: dict[int, list[str]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error.code)
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": _json(refs[answer])},
            **{
                str(status): {
                    "description": ", ".join(codes),
                    "content": _json(refs[ErrorAnswer]),
                }
                for status, codes in sorted(by_status.items())
            },
        },
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(refs[body])}
    return operation


def _plain(name: str, summary: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": {"description": "Done.", "content": content}},
    }


def _document() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "responses": {"200": {"description": "Done.", "content": _json({"type": "object"})}},
    }


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
