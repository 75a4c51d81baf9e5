"""The newest window of a file of bars, as a request that the service of a bundle takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.training.bars import MICROSECOND, Bars, as_datetime, as_microseconds
from plumbline.training.config import Experiment
from plumbline.training.data import near, read_bars, resolve
from plumbline.training.data_check import check_bars, refuse_defects
from plumbline.training.errors import ConfigError, DataError, TrainingError
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, build_table, resolve_feature_set


@dataclass(frozen=True)
class Window:
    """What a model is shown once.

    Attributes
    ----------
    symbol
        Whose bars, by the name the model was trained with.
    bar_time
        Open time of the last bar, microseconds.
    rows : (t, f) float32 or (b, 6) float64
        Columns, or the bars they are computed from in the graph; oldest first.
    """

    symbol: str
    bar_time: int
    rows: FloatArray

    def request(self, manifest: Manifest) -> dict[str, Any]:
        """Return the body of ``POST /predict`` that asks a bundle about this window."""
        moment = as_datetime(self.bar_time).isoformat().replace("+00:00", "Z")
        (given,) = manifest.inputs
        instance = {
            given.source: self.rows.astype(float).tolist(),
            "symbol": self.symbol,
            "time": moment,
        }
        hashed = {"features_hash": given.sha256} if given.source == "features" else {}
        return {"model": manifest.name, **hashed, "instances": [instance]}


def read_window(
    manifest: Manifest,
    location: str,
    *,
    at: datetime,
    symbol: str | None = None,
    time_format: str | None = None,
) -> Window:
    """Read bars and compute the window of the newest that had closed, as training would have.

    Parameters
    ----------
    manifest
        Of the bundle that will be asked.
    location
        A file of bars, or a data set known by name.
    at
        The moment: bars that close later do not exist yet.
    symbol
        Whose bars; need not be said if the model knows one alone.
    time_format
        Of the file; by default that of the model's configuration.

    Raises
    ------
    DataError
        If there are too few bars, bars of another interval, or none of that symbol, or if training
        would refuse them.
    ConfigError
        If the model was packed: its columns are its owner's.
    TrainingError
        If this version of the software computes other features than the bundle's.
    """
    try:
        experiment = Experiment.of_manifest(manifest.training)
    except ConfigError as error:
        raise ConfigError(
            f"{manifest.name} {manifest.version} takes columns of its owner's making, which cannot "
            "be computed from bars: send the columns themselves, which GET /models lists"
        ) from error
    name = _known_symbol(manifest, symbol)
    form = experiment.data.time_format if time_format is None else time_format
    found = read_bars(resolve(location, symbol=name, time_format=form))
    if len(found) > 1:
        raise DataError(
            f"{location}: bars of {len(found)} symbols, and {manifest.name} was made from bars "
            "without a symbol: give a file with one of them alone"
        )
    data = experiment.data
    report = check_bars(found[0], largest_step=data.largest_step)
    refuse_defects([report], refuse_also=data.refuse_also)
    bars = found[0]
    row = _newest_closed(bars, manifest, at, location)
    feature_set = same_feature_set(manifest, experiment, [bars])
    steps = experiment.window_length
    _refuse_too_few(bars.take(slice(row + 1)), steps, feature_set, location)
    if manifest.inputs[0].source == "bars":
        needed = feature_set.bars_needed(steps)
        raw = bar_array(bars.take(slice(row + 1 - needed, row + 1)))
        return Window(name, int(bars.time[row]), raw)
    # Of the whole file, as in training: a row is the same to the last bit then.
    table = build_table(feature_set, bars)[: row + 1]
    return Window(name, int(bars.time[row]), table[-steps:])


def same_feature_set(
    manifest: Manifest, experiment: Experiment, bars: Sequence[Bars]
) -> FeatureSet[Any]:
    """Return the feature set that a bundle was taught on.

    Raises
    ------
    TrainingError
        If this version of the software computes other features.
    """
    features = experiment.features
    feature_set = resolve_feature_set(features.kind, features.parameters, bars)
    if feature_set.names != manifest.feature_names:
        raise TrainingError(
            f"{manifest.name} {manifest.version} has other features than this version of plumbline "
            "computes: train a new one with `plumbline train`"
        )
    return feature_set


def _known_symbol(manifest: Manifest, symbol: str | None) -> str:
    """Return the symbol asked for, or the only one a bundle knows."""
    known = manifest.data.symbols
    if symbol is None and len(known) == 1:
        return known[0]
    if symbol in known:
        return str(symbol)
    listed = near(symbol or "", known) or known[:10]
    what = "which symbol is not said" if symbol is None else f"symbol {symbol!r} is unknown"
    raise DataError(
        f"{what}: {manifest.name} {manifest.version} knows {len(known)}, as "
        f"{', '.join(listed)}: say --symbol with one of them"
    )


def _newest_closed(bars: Bars, manifest: Manifest, at: datetime, location: str) -> int:
    """Return which bar closed last before a moment, refusing bars of another interval."""
    expected = manifest.bar_interval_seconds
    if bars.interval != expected * MICROSECOND:
        raise DataError(
            f"{location}: bars of {bars.symbol} last {bars.interval / MICROSECOND:g} s, and "
            f"{manifest.name} {manifest.version} was made for bars of {expected} s: give bars of "
            "that length, or train a new model on these"
        )
    closed = np.flatnonzero(bars.time + bars.interval <= as_microseconds(at))
    if not len(closed):
        raise DataError(
            f"{location}: no bar of {bars.symbol} had closed by {at:%Y-%m-%d %H:%M}, the first "
            f"opens at {as_datetime(int(bars.time[0])):%Y-%m-%d %H:%M}: say a later --at"
        )
    return int(closed[-1])


def _refuse_too_few(bars: Bars, steps: int, feature_set: FeatureSet[Any], location: str) -> None:
    needed = feature_set.bars_needed(steps)
    if len(bars) < needed:
        raise DataError(
            f"{location}: {len(bars)} bars of {bars.symbol} until "
            f"{as_datetime(int(bars.time[-1])):%Y-%m-%d %H:%M}, expected {needed}, the "
            f"{steps} of a window and {feature_set.memory} before them that "
            f"its features look back at: give {needed - len(bars)} earlier ones"
        )
