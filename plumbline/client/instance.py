"""What is asked, as a caller has it: arrays, times, names; and as the wire wants it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike

Time: TypeAlias = datetime | np.datetime64 | str
"""With a zone; `numpy.datetime64`, which has none, is UTC."""


@dataclass(frozen=True, eq=False)
class Instance:
    """One row to be judged: by its ``features``, its ``bars``, or its ``inputs`` by name.

    Attributes
    ----------
    features : (t, f) or (f,)
        The window, oldest step first.
    bars : (b, 6)
        Time, open, high, low, close, volume; oldest first. A time may also be text or a datetime.
    inputs
        By name, each as ``features``, for a model that takes several.
    symbol, time
        Whose row it is, and the open time of its last bar.
    group
        Which cross-section it belongs to; by default all instances of a request are one.
    id
        Yours; the same id is the same row of the log. By default one is made.
    """

    features: ArrayLike | None = None
    bars: ArrayLike | Sequence[Sequence[object]] | None = None
    inputs: Mapping[str, ArrayLike] | None = None
    symbol: str = "default"
    time: Time | None = None
    group: str | None = None
    id: str | None = None

    def to_wire(self, place: str, group: str) -> dict[str, Any]:
        """Return the JSON object, complete: sent twice, it is the same row of the same group.

        Raises
        ------
        ValueError
            If a number is not finite or a time has no zone; ``place`` names the instance.
        """
        wire: dict[str, Any] = {
            "id": uuid4().hex if self.id is None else self.id,
            "symbol": self.symbol,
            "group": group if self.group is None else self.group,
        }
        if self.time is not None:
            wire["time"] = _time(self.time, f"{place}.time")
        if self.features is not None:
            wire["features"] = _numbers(self.features, f"{place}.features")
        if self.bars is not None:
            wire["bars"] = _bars(self.bars, f"{place}.bars")
        if self.inputs is not None:
            wire["inputs"] = {
                name: _numbers(value, f"{place}.inputs.{name}")
                for name, value in self.inputs.items()
            }
        return wire


@dataclass(frozen=True)
class Outcome:
    """What became of a prediction; of a label and a value at least one.

    Attributes
    ----------
    prediction_id
        Of the prediction.
    label
        The choice that was right.
    value
        The number that came true.
    output
        Of a model with several; by default the primary one.
    known_at
        When it became known; by default when the service hears of it.
    """

    prediction_id: str
    label: str | None = None
    value: float | None = None
    output: str | None = None
    known_at: Time | None = None

    def to_wire(self, place: str) -> dict[str, Any]:
        """Return the JSON object; raises as `Instance.to_wire`."""
        wire: dict[str, Any] = {"prediction_id": self.prediction_id}
        if self.label is not None:
            wire["label"] = self.label
        if self.value is not None:
            wire["value"] = _numbers(self.value, f"{place}.value")
        if self.output is not None:
            wire["output"] = self.output
        if self.known_at is not None:
            wire["known_at"] = _time(self.known_at, f"{place}.known_at")
        return wire


def instances_to_wire(instances: Sequence[Instance | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return instances as JSON objects, each with an id and a group."""
    own = uuid4().hex[:16]
    return [
        (one if isinstance(one, Instance) else Instance(**one)).to_wire(f"instances[{i}]", own)
        for i, one in enumerate(instances)
    ]


def outcomes_to_wire(outcomes: Sequence[Outcome | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return outcomes as JSON objects."""
    return [
        (one if isinstance(one, Outcome) else Outcome(**one)).to_wire(f"outcomes[{i}]")
        for i, one in enumerate(outcomes)
    ]


def _numbers(value: ArrayLike, place: str) -> Any:
    """Return numbers as nested lists."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{place}: expected rows of the same length: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{place}: expected numbers, found {array.dtype}")
    plain = array.astype(np.float64)
    if not np.isfinite(plain).all():
        where = "".join(f"[{i}]" for i in np.argwhere(~np.isfinite(plain))[0])
        raise ValueError(
            f"{place}{where} is {plain[~np.isfinite(plain)][0]}: a model is asked about finite "
            "numbers alone; leave out windows that have a gap"
        )
    return plain.tolist()


def _bars(value: Any, place: str) -> list[list[Any]]:
    """Return bars as lists, a time that is no number as text."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        found: list[list[Any]] = _numbers(value, place)
        return found
    rows = []
    for i, row in enumerate(value):
        time, *others = row
        if isinstance(time, datetime | np.datetime64 | str):
            time = _time(time, f"{place}[{i}][0]")
        else:
            time = _numbers(time, f"{place}[{i}][0]")
        rows.append([time, *_numbers(others, f"{place}[{i}]")])
    return rows


def _time(value: Time, place: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, np.datetime64):
        return f"{np.datetime_as_string(value.astype('datetime64[us]'))}Z"
    if value.tzinfo is None:
        raise ValueError(
            f"{place} is {value.isoformat()}, without a zone: say which, as "
            "datetime(…, tzinfo=timezone.utc)"
        )
    return value.isoformat()
