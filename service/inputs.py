"""From a decoded request to the arrays a graph takes, with everything checked on the way.

Nothing is padded, cut or guessed: what is not exactly what the manifest says is refused, and the
refusal says what was expected. The one exception is that more bars than are needed may be sent, of
which the newest are taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

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
from plumbline.service.memory import Memory
from plumbline.service.schema import Instance, PredictRequest

_TIME, _OPEN, _HIGH, _LOW, _CLOSE, _VOLUME = range(len(BAR_COLUMNS))
_SECONDS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))
"""By size: seconds, milliseconds, microseconds, nanoseconds since 1970."""


def build_inputs(
    request: PredictRequest, manifest: Manifest, memory: Memory
) -> dict[str, FloatArray]:
    """Return the inputs of all instances by name: ``(n, *shape)``.

    Parameters
    ----------
    request, manifest
        What was sent, and what the model takes.
    memory
        Of this worker's own answers, for inputs from the log that the request leaves out.

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
            _sent(index, instance, spec, specs, memory)
            for index, instance in enumerate(request.instances)
        ]
        if spec.source == "bars":
            interval = manifest.bar_interval_seconds
            values = np.stack([_bars(place, rows, spec, interval) for place, rows in sent])
        else:
            values = _columns(sent, spec)
        found[spec.name] = _typed(values, spec, [place for place, _ in sent])
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
    index: int,
    instance: Instance,
    spec: InputSpec,
    specs: Sequence[InputSpec],
    memory: Memory,
) -> tuple[str, Sequence[object]]:
    """Return where in the request an input is, and what stands there."""
    place = f"instances[{index}]"
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
        return f"{place}.inputs.{spec.name}", memory.recall(instance.symbol, spec)
    what = f"{place}.{used[0]}" if used and used[0] != "inputs" else f"{place}.inputs"
    raise FeatureMismatchError(
        f"{what}: the model takes {spec.name!r} from {spec.source}, which is not there",
        expected=_expected(specs),
    )


def _expected(specs: Sequence[InputSpec]) -> dict[str, object]:
    return {spec.name: {"shape": list(spec.shape), "source": spec.source} for spec in specs}


def _columns(sent: Sequence[tuple[str, Sequence[object]]], spec: InputSpec) -> FloatArray:
    """Return columns of all instances ``(n, *shape) float64`` after comparing every length."""
    for place, rows in sent:
        _check_shape(place, rows, spec)
    values = np.array([rows for _, rows in sent], np.float64)
    return values.reshape(len(sent), *spec.shape)


def _check_shape(place: str, rows: Sequence[object], spec: InputSpec) -> None:
    steps, width = spec.steps, len(spec.names)
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
        return aware.timestamp()
    number = float(value) if isinstance(value, int | float) else float("nan")
    return number / next(unit for size, unit in _SECONDS if abs(number) < size)


def _check_bars(
    place: str, values: FloatArray, first: int, interval: int, expected: Mapping[str, object]
) -> None:
    def refuse(step: int, what: str) -> None:
        raise RequestRejectedError(f"{place}[{first + step}]: {what}", expected=dict(expected))

    steps = np.diff(values[:, _TIME])
    if len(steps) and (steps <= 0).any():
        refuse(int((steps <= 0).argmax()) + 1, "is not later than the bar before it")
    if len(steps) and steps.min() != interval:
        refuse(
            int(steps.argmin()) + 1,
            f"is {steps.min():g} s after the bar before it, and none is nearer: the model takes "
            f"bars of {interval} s",
        )
    price = values[:, _OPEN : _CLOSE + 1]
    broken = ~(price > 0).all(axis=1) | ~(values[:, _VOLUME] >= 0)
    if broken.any():
        refuse(int(broken.argmax()), "expected prices above zero and a volume of zero or more")
    crossed = (values[:, _HIGH] < price.max(axis=1)) | (values[:, _LOW] > price.min(axis=1))
    if crossed.any():
        refuse(int(crossed.argmax()), "its high is not the highest price, or its low the lowest")


def last_bar_time(bars: list[list[float | str]]) -> int:
    """Return the open time of the newest bar, microseconds since 1970; of bars already checked."""
    return round(_seconds("the last bar", bars[-1][0]) * 1e6)
