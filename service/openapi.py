"""The true OpenAPI 3.1 document, made from the very structures that decode and encode."""

from __future__ import annotations

from typing import Any

import msgspec

from plumbline.bundle import purpose
from plumbline.service.answer import (
    ChoiceAnswer,
    ErrorAnswer,
    OutputsPrediction,
    PluginAnswer,
    Prediction,
    ScoreAnswer,
    ValueAnswer,
)
from plumbline.service.endpoint import ENDPOINTS, Endpoint

_REF = "#/components/schemas/{name}"
_PREDICTIONS = (Prediction, OutputsPrediction)
_OUTPUTS = (ChoiceAnswer, ValueAnswer, ScoreAnswer, PluginAnswer)
_CANARY = {
    "name": purpose.HEADER,
    "in": "header",
    "required": False,
    "description": f"{purpose.CANARY}: answered, neither recorded nor counted, size 0.",
    "schema": {"type": "string"},
}

_CLIENT = {
    "name": purpose.CLIENT,
    "in": "header",
    "required": False,
    "description": "Your name, for the log and the status page.",
    "schema": {"type": "string", "maxLength": purpose.MAX_CLIENT},
}


def build_openapi(version: str) -> dict[str, Any]:
    """Return the document; ``version`` is the software's."""
    spoken = [kind for each in ENDPOINTS for kind in (each.body, each.answer)]
    structures = [k for k in spoken if k is not None and issubclass(k, msgspec.Struct)]
    kinds = tuple(dict.fromkeys([*structures, ErrorAnswer, *_PREDICTIONS, *_OUTPUTS]))
    references, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    refs = dict(zip(kinds, references, strict=True))
    # msgspec has no unions of structures without a tag
    components["PredictAnswer"]["properties"]["predictions"]["items"] = {
        "anyOf": [refs[kind] for kind in _PREDICTIONS]
    }
    known = [kind.__struct_config__.tag for kind in (ChoiceAnswer, ValueAnswer, ScoreAnswer)]
    components["PluginAnswer"]["properties"]["kind"]["not"] = {"enum": known}
    components["OutputsPrediction"]["properties"]["outputs"]["additionalProperties"] = {
        "anyOf": [refs[kind] for kind in _OUTPUTS]
    }
    paths: dict[str, dict[str, Any]] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Plumbline service", "version": version},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(endpoint: Endpoint, refs: dict[Any, Any]) -> dict[str, Any]:
    """Return one operation, its errors grouped by status."""
    by_status: dict[int, list[str]] = {}
    for error in endpoint.errors:
        by_status.setdefault(error.status, []).append(error.code)
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": {
            "200": {"description": "Done.", "content": _content(endpoint.answer, refs)},
            **{
                str(status): {
                    "description": ", ".join(codes),
                    "content": _content(ErrorAnswer, refs),
                }
                for status, codes in sorted(by_status.items())
            },
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(endpoint.body, refs)}
    if endpoint.canary:
        operation["parameters"] = [_CANARY, _CLIENT]
    return operation


def _content(kind: type, refs: dict[Any, Any]) -> dict[str, Any]:
    if kind is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": refs.get(kind, {"type": "object"})}}
