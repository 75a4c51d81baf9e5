"""The endpoints of the API: the one list from which routes, metrics and the document are made."""

from __future__ import annotations

from dataclasses import dataclass

from plumbline.service.answer import ModelsAnswer, OutcomesAnswer, PredictAnswer, StatusAnswer
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

_BODY_ERRORS = (
    BodyTooSlowError,
    BodyTooLargeError,
    UnsupportedMediaTypeError,
    RequestRejectedError,
    ModelNotFoundError,
    MethodNotAllowedError,
)


@dataclass(frozen=True)
class Endpoint:
    """One path of the API.

    Attributes
    ----------
    path, method
        Where it is asked.
    name
        Its operation in the document; the worker has a handler of this name.
    summary
        One sentence.
    answer
        What a good answer is: a structure, ``dict`` for any JSON object, ``str`` for text.
    body
        What it takes, or None.
    errors
        What it may refuse with.
    canary
        Whether the header that tells a canary means something here.
    """

    path: str
    method: str
    name: str
    summary: str
    answer: type
    body: type | None = None
    errors: tuple[type[ServiceError], ...] = (MethodNotAllowedError,)
    canary: bool = False


ENDPOINTS = (
    Endpoint(
        "/predict",
        "POST",
        "predict",
        "Judge rows: columns, bars, or several inputs by name; oldest step first.",
        PredictAnswer,
        body=PredictRequest,
        errors=(*_BODY_ERRORS, ModelUnavailableError, LogUnavailableError),
        canary=True,
    ),
    Endpoint(
        "/outcomes",
        "POST",
        "outcomes",
        "Say what became of predictions.",
        OutcomesAnswer,
        body=OutcomesRequest,
        errors=(*_BODY_ERRORS, ModelUnavailableError, LogUnavailableError),
    ),
    Endpoint("/models", "GET", "models", "What is served.", ModelsAnswer),
    Endpoint("/livez", "GET", "livez", "The process is alive.", StatusAnswer),
    Endpoint(
        "/readyz",
        "GET",
        "readyz",
        "The service should get traffic.",
        StatusAnswer,
        errors=(NotReadyError,),
    ),
    Endpoint("/metrics", "GET", "metrics", "Prometheus' text format, all workers.", str, errors=()),
    Endpoint("/openapi.json", "GET", "openapi", "This document.", dict, errors=()),
)
