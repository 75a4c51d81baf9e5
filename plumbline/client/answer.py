"""What the service says, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, TypeAlias

from plumbline.bundle.verdict import Verdict
from plumbline.client.errors import ProtocolError

_VERDICTS = {verdict.value: verdict for verdict in Verdict}


@dataclass(frozen=True)
class ChoiceOutput:
    """A choice: its calibrated probabilities, and how far the model's members disagree."""

    probabilities: Mapping[str, float]
    confidence: float
    epistemic: float


@dataclass(frozen=True)
class ValueOutput:
    """A forecast: mean, standard deviation of the truth around it, and the interval of 90 %."""

    mean: float
    deviation: float
    interval: tuple[float, float]
    epistemic: float


@dataclass(frozen=True)
class ScoreOutput:
    """A ranking: the score, its rank in the cross-section (0 to 1), and what that is worth."""

    score: float
    rank: float
    expected: float
    epistemic: float


@dataclass(frozen=True)
class OtherOutput:
    """An output of a kind that a plug-in brings: what the service says of it, as it came."""

    kind: str
    said: Mapping[str, Any]


Output: TypeAlias = ChoiceOutput | ValueOutput | ScoreOutput | OtherOutput


@dataclass(frozen=True)
class Prediction:
    """The answer to one instance.

    Attributes
    ----------
    prediction_id
        To report its outcome by.
    action
        Of the policy; None for one without actions.
    position, size
        Direction, -1 to 1, and share of capital: hold ``position * size``. The size is zero while
        the monitor's verdict on the version is an unhealthy one.
    probabilities
        Of the choice, where the model has exactly one; else None.
    outputs
        By name. Empty for a model with one choice and nothing else, which answers in short form.
    model, version, verdict
        Which version gave it, and what the monitor says of that now.
    """

    prediction_id: str
    action: str | None
    position: float
    size: float
    probabilities: Mapping[str, float] | None
    outputs: Mapping[str, Output]
    model: str
    version: str
    verdict: Verdict

    @property
    def confidence(self) -> float | None:
        """The largest probability."""
        return None if self.probabilities is None else max(self.probabilities.values())


@dataclass(frozen=True)
class ServedInput:
    """One input that a model takes."""

    name: str
    source: str
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    columns_hash: str


@dataclass(frozen=True)
class ServedOutput:
    """One output that a model gives."""

    name: str
    kind: str
    horizon_seconds: int
    members: int
    choices: tuple[str, ...]


@dataclass(frozen=True)
class ServedModel:
    """What must be known to ask a model, and what serves now."""

    name: str
    version: str
    generation: int
    family: str
    unit: str
    inputs: tuple[ServedInput, ...]
    outputs: tuple[ServedOutput, ...]
    primary: str
    policy: str
    actions: tuple[str, ...]
    features: tuple[str, ...]
    features_hash: str
    bar_interval_seconds: int
    verdict: Verdict
    sized: bool
    device: str
    loaded_at: datetime
    sizes: str = ""
    """``suggested``, or why they are zero; of an older service nothing."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Fields that this client does not know."""

    @classmethod
    def of_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Read one model of ``GET /models``."""
        known = set(cls.__dataclass_fields__)
        fields: dict[str, Any] = {name: value for name, value in wire.items() if name in known}
        fields |= {
            "inputs": tuple(_input(each) for each in wire["inputs"]),
            "outputs": tuple(_output(each) for each in wire["outputs"]),
            "actions": tuple(wire["actions"]),
            "features": tuple(wire["features"]),
            "verdict": _VERDICTS[wire["verdict"]],
            "loaded_at": datetime.fromisoformat(wire["loaded_at"]),
            "more": {name: value for name, value in wire.items() if name not in known},
        }
        return cls(**fields)


def _input(wire: Mapping[str, Any]) -> ServedInput:
    return ServedInput(
        wire["name"],
        wire["source"],
        tuple(wire["shape"]),
        tuple(wire["columns"]),
        wire["columns_hash"],
    )


def _output(wire: Mapping[str, Any]) -> ServedOutput:
    return ServedOutput(
        wire["name"],
        wire["kind"],
        wire["horizon_seconds"],
        wire["members"],
        tuple(wire["choices"]),
    )


def read_predictions(wire: Mapping[str, Any], asked: int) -> list[Prediction]:
    """Read the body of an answer to ``POST /predict``, of either form.

    Raises
    ------
    ProtocolError
        If it is no such answer, or has another number of predictions than was asked for.
    """
    try:
        found = [_prediction(one, wire) for one in wire["predictions"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"no answer of /predict: {type(error).__name__}: {error}") from error
    if len(found) != asked:
        raise ProtocolError(f"{asked} instances were asked about, {len(found)} answered")
    return found


def read_models(wire: Mapping[str, Any]) -> tuple[ServedModel, ...]:
    """Read the body of an answer to ``GET /models``; raises `ProtocolError` if it is none."""
    try:
        return tuple(ServedModel.of_wire(one) for one in wire["models"])
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"no answer of /models: {type(error).__name__}: {error}") from error


def _prediction(one: Mapping[str, Any], answer: Mapping[str, Any]) -> Prediction:
    outputs = {name: _said(said) for name, said in one.get("outputs", {}).items()}
    choices = [each for each in outputs.values() if isinstance(each, ChoiceOutput)]
    probabilities = one.get("probabilities")
    if probabilities is None and len(choices) == 1:
        probabilities = choices[0].probabilities
    return Prediction(
        prediction_id=one["prediction_id"],
        action=one["action"],
        position=one["position"],
        size=one["size"],
        probabilities=probabilities,
        outputs=outputs,
        model=answer["model"],
        version=answer["version"],
        verdict=_VERDICTS[answer["verdict"]],
    )


def _said(wire: Mapping[str, Any]) -> Output:
    kind = wire["kind"]
    if kind == "choice":
        return ChoiceOutput(wire["probabilities"], wire["confidence"], wire["epistemic"])
    if kind == "value":
        low, high = wire["interval"]
        return ValueOutput(wire["mean"], wire["deviation"], (low, high), wire["epistemic"])
    if kind == "score":
        return ScoreOutput(wire["score"], wire["rank"], wire["expected"], wire["epistemic"])
    return OtherOutput(kind, {name: value for name, value in wire.items() if name != "kind"})
