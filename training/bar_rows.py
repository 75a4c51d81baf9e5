"""A whole file of bars as rows that a model can be asked about, computed as in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import Manifest
from plumbline.training.bars import COLUMNS, MICROSECOND, Bars
from plumbline.training.config import Experiment
from plumbline.training.data import UNNAMED, read_bars, resolve
from plumbline.training.data_check import check_bars, refuse_defects
from plumbline.training.errors import ConfigError, DataError
from plumbline.training.packing.rows import SYMBOL, TIME, Rows, sorted_rows


def read_bar_rows(
    location: str, *, interval_seconds: int, symbol: str | None, time_format: str | None = None
) -> Rows:
    """Read bars as the rows of a model that takes bars.

    Parameters
    ----------
    location
        A file of bars, or a data set known by name.
    interval_seconds
        Of the bars the model was made for.
    symbol
        Whose bars; by default those of every symbol in the file.
    time_format
        Of `datetime.strptime`, for times that are not in ISO 8601.

    Raises
    ------
    DataError
        If they cannot be read, are of another interval, or training would refuse them.
    """
    bars = _read(location, symbol, time_format)
    for one in bars:
        refuse_interval(one, interval_seconds, location)
    refuse_defects([check_bars(one) for one in bars])
    tables = [{name: getattr(one, name) for name in COLUMNS} for one in bars]
    return _rows(bars, tables, location)


def read_feature_rows(
    location: str, manifest: Manifest, *, symbol: str | None, time_format: str | None = None
) -> Rows:
    """Read bars as the rows of a model that takes features, which are computed as in training.

    The bars that the first row looks back at give none. Parameters and errors are those of
    `read_bar_rows`; moreover:

    Raises
    ------
    ConfigError
        If the model's own configuration is not there: it was packed, and its columns are its
        owner's.
    TrainingError
        If this version of the software computes other features than the bundle's.
    """
    from plumbline.training.feature_table import build_table  # noqa: PLC0415  # needs torch
    from plumbline.training.window import same_feature_set  # noqa: PLC0415  # as well

    try:
        experiment = Experiment.of_manifest(manifest.training)
    except ConfigError as error:
        raise ConfigError(
            f"{manifest.name} {manifest.version} takes columns of its owner's making, which cannot "
            "be computed from bars: give a file of those columns, without --bars"
        ) from error
    known = manifest.data.symbols
    name = symbol or (known[0] if len(known) == 1 else None)
    data = experiment.data
    form = data.time_format if time_format is None else time_format
    bars = _read(location, name, form)
    for one in bars:
        refuse_interval(one, manifest.bar_interval_seconds, location)
    refuse_defects(
        [check_bars(one, largest_step=data.largest_step) for one in bars],
        refuse_also=data.refuse_also,
    )
    feature_set = same_feature_set(manifest, experiment, bars)
    kept, tables = [], []
    for one in bars:
        if len(one) <= feature_set.memory:
            raise DataError(
                f"{location}: {len(one)} bars of {one.symbol}, expected more than the "
                f"{feature_set.memory} that a row of features looks back at"
            )
        rows = build_table(feature_set, one)[feature_set.memory :]
        kept.append(one.take(slice(feature_set.memory, None)))
        tables.append(dict(zip(feature_set.names, rows.T, strict=True)))
    return _rows(kept, tables, location)


def refuse_interval(bars: Bars, interval_seconds: int, location: str) -> None:
    """Refuse bars of another interval than a model was made for; raises `DataError`."""
    if bars.interval != interval_seconds * MICROSECOND:
        raise DataError(
            f"{location}: bars of {bars.symbol} last {bars.interval / MICROSECOND:g} s, and the "
            f"model was made for bars of {interval_seconds} s: give bars of that length"
        )


def _read(location: str, symbol: str | None, time_format: str | None) -> tuple[Bars, ...]:
    return read_bars(resolve(location, symbol=symbol or UNNAMED, time_format=time_format))


def _rows(bars: Sequence[Bars], tables: Sequence[dict[str, FloatArray]], location: str) -> Rows:
    time = np.concatenate([one.time for one in bars])
    symbol = np.repeat([one.symbol for one in bars], [len(one) for one in bars])
    columns = {
        TIME: pa.array(time, pa.timestamp("us", "UTC")),
        SYMBOL: pa.array(symbol.tolist(), pa.string()),
    }
    for name in tables[0]:
        columns[name] = pa.array(np.concatenate([table[name] for table in tables]))
    return sorted_rows(pa.table(columns), location, source=location)
