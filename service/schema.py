"""The wire format of requests: what is decoded, strictly, and what is refused.

msgspec decodes straight into these structures: unknown fields, strings or booleans where a number
belongs, NaN, infinities and numbers beyond a double are refused with the path of the culprit. Of a
repeated key the last one counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

import msgspec

from plumbline.bundle import moment
from plumbline.service.errors import MalformedJsonError, RequestRejectedError

MAX_INSTANCES = 1024
MAX_OUTCOMES = 4096
_MESSAGE_CHARS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PRINTABLE)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=PRINTABLE)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


Columns = list[list[float] | float]
"""A window, oldest step first, or one step alone."""


class Instance(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """One row to be judged: by its ``features``, its ``bars``, or its ``inputs`` by name."""

    features: Columns | None = None
    bars: list[list[float | str]] | None = None
    inputs: dict[str, Columns] | None = None
    id: Id | None = None
    symbol: Name = "default"
    time: Time | None = None
    group: Name | None = None


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Body of ``POST /predict``."""

    instances: Annotated[list[Instance], msgspec.Meta(min_length=1, max_length=MAX_INSTANCES)]
    model: Name | None = None
    features_hash: str | None = None


class Outcome(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What became of one prediction."""

    prediction_id: Id
    output: Name | None = None
    label: Name | None = None
    value: float | None = None
    known_at: Time | None = None


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
    {"outcomes": [{"prediction_id": "…", "label": "<choice>", "value": 0.0}]},
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
