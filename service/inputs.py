"""From a decoded request to the arrays a graph takes, with everything checked on the way.

Nothing is padded, cut or guessed: what is not exactly what the manifest says is refused, and the
refusal says what was expected. The one exception is that more bars than are needed may be sent, of
which the newest are taken.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.inputs import given
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.spec import BAR_COLUMNS, InputSpec
from plumbline.service.errors import (
    FeatureMismatchError,
    NonFiniteFeaturesError,
    RequestRejectedError,
)
from plumbline.service.memory import AnswerMemory
from plumbline.service.schema import Instance, PredictRequest, microseconds

_TIME, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(len(BAR_COLUMNS))
_SECONDS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))
"""By size: seconds, milliseconds, microseconds, nanoseconds since 1970."""
_CODES = {"float32": "f", "float64": "d"}
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_NEARLY = 0.1
"""How far a distance of bars may be off: where clocks change, a day has 23 hours."""
_TELLING = 4
"""So many distances, and one of them is the interval; fewer may all span a weekend."""


def build_inputs(
    request: PredictRequest, manifest: Manifest, memory: AnswerMemory, ids: Sequence[str]
) -> dict[str, FloatArray]:
    """Return the inputs of all instances by name: ``(n, *shape)``.

    Parameters
    ----------
    request, manifest
        What was sent, and what the model takes.
    memory
        Of this worker's own answers, for inputs from the log that the request leaves out.
    ids
        Of the predictions, one per instance; an answer that is asked for again is not its own past.

    Raises
    ------
    FeatureMismatchError
        An input is missing, unknown or of another shape, or the features hash is another.
    NonFiniteFeaturesError
        A number does not fit the input's type.
    RequestRejectedError
        Bars are not in order, at another interval, or no bars at all.
    """
    specs = given(manifest.inputs)
    _check_hash(request, specs)
    found = {}
    for spec in specs:
        sent = [
            _sent(index, instance, spec, specs) for index, instance in enumerate(request.instances)
        ]
        if spec.source == "log":
            sent = _remembered(request.instances, sent, spec, memory, ids)
        if spec.source == "bars":
            interval = manifest.bar_interval_seconds
            values = np.stack([_bars(place, rows, spec, interval) for place, rows in sent])
            found[spec.name] = _typed(values, spec, [place for place, _ in sent])
        else:
            found[spec.name] = _columns(sent, spec)
    return found


def _check_hash(request: PredictRequest, specs: Sequence[InputSpec]) -> None:
    if request.features_hash is None:
        return
    known = {spec.sha256: spec for spec in specs if spec.source == "features"}
    if request.features_hash not in known:
        raise FeatureMismatchError(
            "features_hash is not that of the model's feature names in their order",
            expected={
                spec.name: {"sha256": key, "features": list(spec.names)}
                for key, spec in known.items()
            },
        )


def _sent(
    index: int, instance: Instance, spec: InputSpec, specs: Sequence[InputSpec]
) -> tuple[str, Sequence[object]]:
    """Return where in the request an input is, and what stands there; nothing of a log left out."""
    place = f"instances[{index}]"
    plain = instance.bars is None and instance.inputs is None
    if plain and len(specs) == 1 and spec.source == "features" and instance.features is not None:
        return f"{place}.features", instance.features
    ways = {"features": instance.features, "bars": instance.bars, "inputs": instance.inputs}
    used = [way for way, value in ways.items() if value is not None]
    asked = [each for each in specs if each.source != "log"]
    short = asked[0].source if len(asked) == 1 else "inputs"
    if len(used) != 1 and asked:
        raise FeatureMismatchError(
            f"{place} has {' and '.join(used) or 'none of features, bars and inputs'}",
            expected={"one of": sorted({short, "inputs"}), **_expected(specs)},
        )
    if instance.inputs is not None:
        if unknown := sorted(set(instance.inputs) - {each.name for each in specs}):
            raise FeatureMismatchError(
                f"{place}.inputs has {unknown}, which the model does not take",
                expected=_expected(specs),
            )
        if spec.name in instance.inputs:
            return f"{place}.inputs.{spec.name}", instance.inputs[spec.name]
    elif used and used[0] == short and spec in asked:
        return f"{place}.{short}", instance.features or instance.bars or []
    if spec.source == "log":
        return f"{place}.inputs.{spec.name}", ()
    what = f"{place}.{used[0]}" if used and used[0] != "inputs" else f"{place}.inputs"
    raise FeatureMismatchError(
        f"{what}: the model takes {spec.name!r} from {spec.source}, which is not there",
        expected=_expected(specs),
    )


def _remembered(
    instances: Sequence[Instance],
    sent: Sequence[tuple[str, Sequence[object]]],
    spec: InputSpec,
    memory: AnswerMemory,
    ids: Sequence[str],
) -> list[tuple[str, Sequence[object]]]:
    """Fill in the worker's own past answers where the request has none."""
    whole, symbols = [], set()
    for instance, (place, rows), name in zip(instances, sent, ids, strict=True):
        if rows or (instance.inputs and spec.name in instance.inputs):
            whole.append((place, rows))
            continue
        if instance.symbol in symbols:
            raise RequestRejectedError(
                f"{place} is left out, and symbol {instance.symbol!r} stands in the request twice: "
                "the second answer would have to know the first; send it, or one request for each",
                expected=_expected([spec]),
            )
        symbols.add(instance.symbol)
        whole.append((place, memory.recall(instance.symbol, occasion(instance, name), spec)))
    return whole


def occasion(instance: Instance, prediction_id: str) -> str:
    """Return what an answer is remembered under: its bar, or else its id; a retry has the same."""
    return prediction_id if instance.time is None else instance.time.isoformat()


def _expected(specs: Sequence[InputSpec]) -> dict[str, object]:
    return {spec.name: {"shape": list(spec.shape), "source": spec.source} for spec in specs}


def _columns(sent: Sequence[tuple[str, Sequence[object]]], spec: InputSpec) -> FloatArray:
    """Return columns of all instances ``(n, *shape)`` in the input's type, every length compared.

    Packing takes half the time of `numpy.array` and a cast; what a type cannot hold it makes
    infinite, and the slow way then says which it was.
    """
    for place, rows in sent:
        _check_shape(place, rows, spec)
    flat = [rows if isinstance(rows[0], float) else chain.from_iterable(rows) for _, rows in sent]  # type: ignore[arg-type]  # lists, as has been checked
    shape = (len(sent), *spec.shape)
    packed = struct.pack(f"{math.prod(shape)}{_CODES[spec.dtype]}", *chain.from_iterable(flat))
    values = np.frombuffer(packed, spec.dtype).reshape(shape)
    typed: FloatArray = values + 0.0  # -0.0 becomes 0.0, so that equal inputs have equal hashes
    if not np.isfinite(typed).all():
        exact = np.array([rows for _, rows in sent], np.float64).reshape(shape)
        return _typed(exact, spec, [place for place, _ in sent])
    return typed


def _check_shape(place: str, rows: Sequence[object], spec: InputSpec) -> None:
    steps, width = spec.steps, len(spec.names)
    with suppress(TypeError):  # a number has no length
        if len(rows) == steps and set(map(len, rows)) == {width}:  # type: ignore[arg-type]  # above
            return
    expected = {"window_length": steps, "features": width}
    flat = bool(rows) and not isinstance(rows[0], list)
    if flat and len(spec.shape) == 1:
        if len(rows) != width or any(isinstance(each, list) for each in rows):
            raise FeatureMismatchError(
                f"{place} has {len(rows)} numbers, expected {width}", expected=expected
            )
        return
    if len(rows) != steps or flat:
        found = f"{len(rows)} numbers" if flat else f"{len(rows)} steps"
        raise FeatureMismatchError(
            f"{place} has {found}, expected {steps} steps of {width}, oldest first",
            expected=expected,
        )
    for step, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width:
            length = len(row) if isinstance(row, list) else "no"
            raise FeatureMismatchError(
                f"{place}[{step}] has {length} numbers, expected {width}", expected=expected
            )


def _typed(values: FloatArray, spec: InputSpec, places: Sequence[str]) -> FloatArray:
    """Return values in the input's type, refusing those that do not fit it."""
    with np.errstate(over="ignore"):
        typed = values.astype(spec.dtype)
    typed += 0.0  # -0.0 becomes 0.0, so that equal inputs have equal hashes
    finite = np.isfinite(typed)
    if not finite.all():
        row, *where = (int(i) for i in np.argwhere(~finite)[0])
        path = "".join(f"[{i}]" for i in where)
        raise NonFiniteFeaturesError(
            f"{places[row]}{path} ({spec.names[where[-1]]}) is {values[(row, *where)]!r}",
            expected={"range": f"a {spec.dtype}, finite"},
        )
    return typed


def _bars(place: str, rows: Sequence[object], spec: InputSpec, interval: int) -> FloatArray:
    """Return the newest bars a model needs, ``(steps, 6) float64``, time in seconds."""
    expected = {"bars": spec.steps, "columns": list(BAR_COLUMNS), "interval_seconds": interval}
    if len(rows) < spec.steps:
        raise FeatureMismatchError(
            f"{place} has {len(rows)} bars, expected {spec.steps} or more, oldest first",
            expected=expected,
        )
    first = len(rows) - spec.steps
    values = np.empty((spec.steps, len(BAR_COLUMNS)))
    for step, row in enumerate(rows[first:]):
        here = f"{place}[{first + step}]"
        if not isinstance(row, list) or len(row) != len(BAR_COLUMNS):
            length = len(row) if isinstance(row, list) else "no"
            raise FeatureMismatchError(
                f"{here} has {length} values, expected {', '.join(BAR_COLUMNS)}", expected=expected
            )
        values[step, _TIME] = _seconds(f"{here}[0]", row[_TIME])
        for column in range(_OPEN, len(BAR_COLUMNS)):
            if isinstance(row[column], str):
                raise RequestRejectedError(
                    f"{here}[{column}] ({BAR_COLUMNS[column]}) is text, expected a number",
                    expected=expected,
                )
            values[step, column] = row[column]
    _check_bars(place, values, first, interval, expected)
    return values


def _seconds(place: str, value: object) -> float:
    """Read a time: ISO 8601, or seconds, milliseconds, microseconds or nanoseconds since 1970."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise RequestRejectedError(
                f"{place} is {value[:40]!r}", expected="ISO 8601, or a number since 1970"
            ) from error
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = aware.timestamp()
    else:
        number = float(value)  # type: ignore[arg-type]  # the decoder takes numbers and texts
        seconds = number / next(unit for size, unit in _SECONDS if abs(number) < size)
    if not 0 <= seconds < _LATEST:
        raise RequestRejectedError(
            f"{place} is {str(value)[:40]}", expected={"from": "1970", "before": "2200"}
        )
    return seconds


def _check_bars(
    place: str, values: FloatArray, first: int, interval: int, expected: Mapping[str, object]
) -> None:
    def refuse(step: int, what: str) -> None:
        raise RequestRejectedError(f"{place}[{first + step}]: {what}", expected=dict(expected))

    steps = np.diff(values[:, _TIME])
    if len(steps) and (steps <= 0).any():
        refuse(int((steps <= 0).argmax()) + 1, "is not later than the bar before it")
    least = float(steps.min()) if len(steps) else interval
    too_far = len(steps) >= _TELLING and least > interval * (1 + _NEARLY)
    if least < interval * (1 - _NEARLY) or too_far:
        refuse(
            int(steps.argmin()) + 1,
            f"is {least:g} s after the bar before it, and none is nearer: the model takes "
            f"bars of {interval} s",
        )
    price = values[:, _OPEN : _CLOSE + 1]
    broken = ~(price > 0).all(axis=1) | ~(values[:, _VOLUME] >= 0)
    if broken.any():
        refuse(int(broken.argmax()), "expected prices above zero and a volume of zero or more")
    crossed = (values[:, _HIGH] < price.max(axis=1)) | (values[:, _LOW] > price.min(axis=1))
    if crossed.any():
        refuse(int(crossed.argmax()), "its high is not the highest price, or its low the lowest")


def bar_times(request: PredictRequest, manifest: Manifest) -> list[int | None]:
    """Return the open time of each newest bar, microseconds since 1970: as said, or as sent.

    Only after `build_inputs` has checked the bars.

    Raises
    ------
    RequestRejectedError
        If ``time`` is beyond what the log can hold, or is not that of the newest bar sent.
    """
    named = next((spec.name for spec in manifest.inputs if spec.source == "bars"), "")
    times = []
    for index, instance in enumerate(request.instances):
        place = f"instances[{index}].time"
        said = None if instance.time is None else microseconds(instance.time, place)
        bars = (instance.bars or (instance.inputs or {}).get(named)) if named else None
        if bars:
            newest = bars[-1]
            first = newest[0] if isinstance(newest, list) else newest
            sent = round(_seconds("the newest bar", first) * 1e6)
            if said not in (None, sent):
                raise RequestRejectedError(
                    f"{place} is {instance.time}, and the newest bar is of another time",
                    expected="the open time of the newest bar, or nothing",
                )
            said = sent
        times.append(said)
    return times
