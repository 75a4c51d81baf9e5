"""What came of logged predictions, worked out from bars with the label of their training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import SECOND
from plumbline.store.outcome import OutcomeRow
from plumbline.store.prediction import PredictionBatch
from plumbline.training.bar_rows import refuse_interval
from plumbline.training.bars import Bars
from plumbline.training.config import Experiment
from plumbline.training.data import UNNAMED, read_bars, resolve
from plumbline.training.errors import ConfigError
from plumbline.training.labels import Truth
from plumbline.training.sent_rows import known_symbols


@dataclass(frozen=True)
class Hindsight:
    """Outcomes of predictions, and how many there are none of.

    Attributes
    ----------
    rows
        Outcomes, one for each output whose truth is known, in the order of the predictions.
    without_bar
        Predictions whose bar is not among the bars, or that do not say which it is.
    unknown
        Predictions whose outcome the bars do not reach, or that the label masks.
    """

    rows: tuple[OutcomeRow, ...]
    without_bar: int
    unknown: int


def read_truths(
    manifest: Manifest, location: str, *, time_format: str | None = None
) -> dict[str, tuple[Bars, Truth]]:
    """Read the bars of every symbol a model knows, and say what came of each.

    Parameters
    ----------
    manifest
        Of the version whose label is asked.
    location
        A file of bars, or a data set known by name.
    time_format
        Of the file; by default that of the model's configuration.

    Raises
    ------
    DataError
        If they cannot be read, or are of another interval.
    ConfigError
        If the model was packed: its label is its owner's.
    """
    try:
        experiment = Experiment.of_manifest(manifest.training)
    except ConfigError as error:
        raise ConfigError(
            f"{manifest.name} {manifest.version} was packed, and what its truth means is its "
            "owner's: send outcomes to POST /outcomes yourself"
        ) from error
    known, label = manifest.data.symbols, experiment.build_label()
    form = experiment.data.time_format if time_format is None else time_format
    alone = known[0] if len(known) == 1 else UNNAMED
    source = resolve(location, symbol=alone, time_format=form)
    bars = read_bars(source, symbols=() if len(known) == 1 else known)
    for one in bars:
        refuse_interval(one, manifest.bar_interval_seconds, location)
    return {one.symbol: (one, label.build(one)) for one in bars}


def look_back(
    manifest: Manifest,
    rows: PredictionBatch,
    truths: dict[str, tuple[Bars, Truth]],
    *,
    received: int,
) -> Hindsight:
    """Say what came of predictions.

    Parameters
    ----------
    manifest, rows
        Of the version, and its rows of the log.
    truths
        From `read_truths`.
    received
        The present time, microseconds; what was known later is not known yet.
    """
    symbols = known_symbols(rows.symbol, tuple(truths))
    found: list[OutcomeRow] = []
    without_bar = unknown = 0
    for row, symbol in enumerate(symbols):
        bars, truth = truths.get(symbol, (None, None))
        place = None if bars is None else _place(bars, int(rows.bar_time[row]))
        if place is None or truth is None:
            without_bar += 1
            continue
        known_at = int(truth.known_at[place]) + manifest.bar_interval_seconds * SECOND
        values = truth.values[place]
        if known_at > received or not np.isfinite(values).any():
            unknown += 1
            continue
        found += _told(
            manifest,
            str(rows.prediction_id[row]),
            values.tolist(),
            float(truth.forward_return[place]),
            times=(known_at, received),
        )
    return Hindsight(tuple(found), without_bar, unknown)


def _place(bars: Bars, time: int) -> int | None:
    place = int(np.searchsorted(bars.time, time))
    return place if place < len(bars) and bars.time[place] == time else None


def _told(
    manifest: Manifest,
    prediction_id: str,
    values: Sequence[float],
    forward_return: float,
    *,
    times: tuple[int, int],
) -> list[OutcomeRow]:
    """Return an outcome of each output whose truth is known."""
    told = []
    for spec, value in zip(manifest.outputs, values, strict=True):
        if not np.isfinite(value):
            continue
        is_choice = spec.kind == "choice"
        beside = forward_return if spec.name == manifest.primary else float("nan")
        number = beside if is_choice else float(value)
        told.append(
            OutcomeRow(
                prediction_id=prediction_id,
                known_at=times[0],
                received=times[1],
                model=manifest.name,
                output=spec.name,
                label=spec.choices[int(value)] if is_choice else None,
                value=number if np.isfinite(number) else None,
            )
        )
    return told
