"""The wire format of answers; `openapi` publishes exactly these structures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from plumbline.bundle.finding import Verdict


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer to one instance, of a model with a single choice."""

    prediction_id: str
    action: str
    probabilities: dict[str, float]
    confidence: float
    position: float
    size: float
    epistemic: float | msgspec.UnsetType = msgspec.UNSET
    """How far the members disagree, in nats; of a model with several."""


class ChoiceAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="choice"):
    """What a choice among classes says."""

    probabilities: dict[str, float]
    confidence: float
    epistemic: float


class ValueAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="value"):
    """What a forecast says: the interval holds nine in ten of what will come."""

    mean: float
    deviation: float
    interval: tuple[float, float]
    epistemic: float


class ScoreAnswer(msgspec.Struct, frozen=True, tag_field="kind", tag="score"):
    """What a ranking says: the rank is a share of the cross-section, 1 being the best."""

    score: float
    rank: float
    expected: float
    epistemic: float


class PluginAnswer(msgspec.Struct, frozen=True):
    """What an output of a plug-in's kind says, beside whatever else its head adds."""

    kind: str


class OutputsPrediction(msgspec.Struct, frozen=True, gc=False):
    """The answer to one instance, of any other model: each output as its head says it."""

    prediction_id: str
    action: str | None
    position: float
    size: float
    outputs: dict[str, dict[str, Any]]


class PredictAnswer(msgspec.Struct, frozen=True):
    """Body of the answer of ``POST /predict``; one version gave all of it."""

    model: str
    version: str
    verdict: Verdict
    predictions: list[Any]


class OutcomesAnswer(msgspec.Struct, frozen=True):
    """Body of the answer of ``POST /outcomes``."""

    accepted: int


class ServedInput(msgspec.Struct, frozen=True):
    """One input a model takes."""

    name: str
    source: str
    shape: list[int]
    dtype: str
    columns: list[str]
    columns_hash: str
    bars_needed: int | None
    """Of an input of raw bars: send so many or more."""


class ServedOutput(msgspec.Struct, frozen=True):
    """One output a model gives."""

    name: str
    kind: str
    horizon_seconds: int
    members: int
    choices: list[str]
    positions: list[float]


class ServedModel(msgspec.Struct, frozen=True):
    """What a client must know to ask a model."""

    name: str
    version: str
    generation: int
    family: str
    unit: str
    inputs: list[ServedInput]
    outputs: list[ServedOutput]
    primary: str
    policy: str
    actions: list[str]
    features: list[str]
    features_hash: str
    bar_interval_seconds: int
    verdict: Verdict
    sized: bool
    sizes: str
    """Whether sizes are suggested, withheld by the model's policy, or held back, and why."""
    device: str
    loaded_at: datetime


class ModelsAnswer(msgspec.Struct, frozen=True):
    """Body of the answer of ``GET /models``; a model that could not be loaded yet is not in it."""

    models: list[ServedModel]


class StatusAnswer(msgspec.Struct, frozen=True):
    """Body of the answer of ``GET /livez`` and ``GET /readyz``."""

    status: str


class ErrorContent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong, for programs (``code``) and people (``message``)."""

    code: str
    message: str
    expected: Any = None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Body of every answer that is not a success."""

    error: ErrorContent
