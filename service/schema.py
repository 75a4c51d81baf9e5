"""The wire format of requests: what is decoded, strictly, and what is refused.

msgspec decodes straight into these structures: unknown fields, strings or booleans where a number
belongs, NaN, infinities and numbers beyond a double are refused with the path of the culprit. Of a
repeated key the last one counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import msgspec
import numpy as np

from plumbline.bundle import moment
from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.service.errors import (
    FeatureMismatchError,
    MalformedJsonError,
    NonFiniteFeaturesError,
    RequestRejectedError,
)

MAX_INSTANCES = 1024
MAX_OUTCOMES = 4096
_MESSAGE_CHARS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class Instance(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """One window to be judged."""

    features: list[list[float]]
    id: Id | None = None
    symbol: Name = "default"
    time: Time | None = None


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of ``POST /predict``."""

    instances: Annotated[list[Instance], msgspec.Meta(min_length=1, max_length=MAX_INSTANCES)]
    model: Name | None = None
    features_hash: str | None = None


class Outcome(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What became of one prediction."""

    prediction_id: Id
    label: Name | None = None
    forward_return: float | None = None
    time: Time | None = None


class OutcomesRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of ``POST /outcomes``."""

    outcomes: Annotated[list[Outcome], msgspec.Meta(min_length=1, max_length=MAX_OUTCOMES)]
    model: Name | None = None


T = TypeVar("T")


class Decoder(Generic[T]):
    """Bytes to one of the structures above.

    Parameters
    ----------
    kind
        The structure.
    expected
        A small example, shown to whoever sends something else.
    """

    def __init__(self, kind: type[T], expected: object) -> None:
        self._decoder = msgspec.json.Decoder(kind, strict=True)
        self._expected = expected

    def decode(self, body: bytes) -> T:
        """Return the decoded body.

        Raises
        ------
        MalformedJsonError
            It is not JSON in UTF-8 (a byte order mark is not, nor is NaN).
        RequestRejectedError
            It is JSON of another shape; the message has the path.
        """
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise RequestRejectedError(_shorten(error), expected=self._expected) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"not JSON: {_shorten(error)}"
            raise MalformedJsonError(message, expected=self._expected) from error


def _shorten(error: Exception) -> str:
    """Return the message; it may quote what was sent, so not all of it."""
    text = str(error)
    return text if len(text) <= _MESSAGE_CHARS else text[:_MESSAGE_CHARS] + "…"


PREDICT = Decoder(
    PredictRequest, {"instances": [{"features": [["<number>, one per feature"], "…one per step"]}]}
)
OUTCOMES = Decoder(
    OutcomesRequest,
    {"outcomes": [{"prediction_id": "…", "label": "<class>", "forward_return": 0.0}]},
)


def microseconds(time: datetime, place: str) -> int:
    """Return a time as microseconds since 1970 UTC.

    Raises
    ------
    RequestRejectedError
        If it is before 1970 or after 2200: not every reader of the log can hold that.
    """
    if not _EPOCH <= time < _LATEST:
        raise RequestRejectedError(
            f"{place} is {time.isoformat()}", expected={"from": "1970", "before": "2200"}
        )
    return moment.microseconds(time)


def build_windows(request: PredictRequest, manifest: Manifest) -> FloatArray:
    """Return all windows of a request as ``(n, t, f) float32``.

    Raises
    ------
    FeatureMismatchError
        A window has another shape, or the client's features hash is another; nothing is padded.
    NonFiniteFeaturesError
        A number does not fit a 32-bit float.
    """
    steps, width = manifest.window_length, len(manifest.features.names)
    if request.features_hash not in (None, manifest.features.sha256):
        raise FeatureMismatchError(
            "features_hash is not that of the model's feature names in their order",
            expected={
                "features_hash": manifest.features.sha256,
                "features": list(manifest.features.names),
            },
        )
    for index, instance in enumerate(request.instances):
        _check_shape(index, instance.features, steps, width)
    values = np.array([instance.features for instance in request.instances], np.float64)
    with np.errstate(over="ignore"):
        windows = values.astype(np.float32)
    windows += 0.0  # -0.0 becomes 0.0, so that equal windows have equal hashes
    finite = np.isfinite(windows)
    if not finite.all():
        row, step, column = (int(i) for i in np.argwhere(~finite)[0])
        raise NonFiniteFeaturesError(
            f"instances[{row}].features[{step}][{column}] ({manifest.features.names[column]}) "
            f"is {values[row, step, column]!r}",
            expected={"range": "a 32-bit float, at most 3.4e38 either way"},
        )
    return windows


def _check_shape(index: int, features: list[list[float]], steps: int, width: int) -> None:
    place = f"instances[{index}].features"
    expected = {"window_length": steps, "features": width}
    if len(features) != steps:
        raise FeatureMismatchError(
            f"{place} has {len(features)} steps, expected {steps}, oldest first", expected=expected
        )
    for step, row in enumerate(features):
        if len(row) != width:
            raise FeatureMismatchError(
                f"{place}[{step}] has {len(row)} numbers, expected {width}", expected=expected
            )
