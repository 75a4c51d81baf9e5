"""Recomputation: the newest logged inputs against what training computes of the same bars.

Run as ``python -m plumbline.training.recompute``: the monitor launches it, which may not know this
room. What it prints, one JSON document, is a `diagnosis.exact.recomputed.Recomputed`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.errors import BundleError
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import SECOND
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.diagnosis.exact.recomputed import Pairs, Recomputed, compare
from plumbline.store.errors import StoreError
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import COLUMNS, Bars
from plumbline.training.config import Experiment
from plumbline.training.data import UNNAMED, read_bars, resolve
from plumbline.training.data_check import check_bars, refuse_defects
from plumbline.training.errors import ConfigError, DataError, TrainingError
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, build_table, mirrored
from plumbline.training.reach import measure_reach
from plumbline.training.sent_rows import (
    EARLIEST,
    LATEST,
    Sent,
    Sheet,
    known_symbols,
    lay_beside,
    newest_each,
    sent_bars,
    sent_columns,
)
from plumbline.training.window import same_feature_set

ROWS: Final = 200
"""Newest rows of each symbol."""

_MOST_ROWS = 10_000


def recompute(
    objects: Objects,
    bundle: Bundle,
    location: str,
    *,
    rows: int = ROWS,
    symbols: Sequence[str] = (),
    time_format: str | None = None,
) -> Recomputed:
    """Compute the newest logged inputs of a version again and compare them.

    Parameters
    ----------
    objects, bundle
        The store, and the version.
    location
        A file of bars, or a data set known by name.
    rows
        Newest rows of each symbol.
    symbols
        Whose rows; everybody's by default.
    time_format
        Of the file; by default that of the model's configuration.

    Raises
    ------
    TrainingError
        If the bars cannot be read, training would refuse them, or this software computes other
        features than the bundle's.
    StoreError
        If the log cannot be read.
    """
    manifest = bundle.manifest
    experiment = _experiment(manifest)
    known = manifest.data.symbols
    limit = min(rows * max(len(known), 1), _MOST_ROWS)
    batch = PredictionLog(objects, manifest.name).read(version=bundle.version, limit=limit)
    if symbols:
        named = known_symbols(batch.symbol, known)
        batch = batch.take(np.isin(named, known_symbols(np.array(symbols), known)))
    bars = _read(location, experiment, known, time_format)
    _refuse_another_interval(bars, manifest, location)
    feature_set = same_feature_set(manifest, experiment, bars)
    raw = sent_bars(batch, manifest.inputs[0], known) if _takes_bars(manifest) else None
    if raw is not None and len(raw.time):
        pairs, skipped = _pair_bars(raw, bars)
    else:
        sent = newest_each(sent_columns(batch, known), rows)
        pairs, skipped = _pair_columns(sent, bars, bundle, feature_set, experiment)
    judged = compare(pairs)
    return Recomputed(
        model=manifest.name,
        version=bundle.version,
        bars=location,
        compared=len(pairs),
        skipped=skipped,
        rows=judged.rows,
        wrong=judged.wrong,
        symbols=judged.symbols,
        clients=judged.clients,
        open=judged.open,
        verdict=judged.sentence(len(pairs)),
    )


def _experiment(manifest: Manifest) -> Experiment:
    try:
        return Experiment.of_manifest(manifest.training)
    except ConfigError as error:
        raise ConfigError(
            f"{manifest.name} {manifest.version} takes columns of its owner's making, which cannot "
            "be computed from bars"
        ) from error


def _takes_bars(manifest: Manifest) -> bool:
    return [spec.source for spec in manifest.inputs] == ["bars"]


def _read(
    location: str, experiment: Experiment, known: tuple[str, ...], time_format: str | None
) -> tuple[Bars, ...]:
    """Read the bars of every symbol a model knows; a file of one need not name it."""
    alone = known[0] if len(known) == 1 else UNNAMED
    wanted = () if len(known) == 1 else known
    forms = [time_format or experiment.data.time_format, None]
    for form in dict.fromkeys(forms):
        try:
            source = resolve(location, symbol=alone, time_format=form)
            return read_bars(source, symbols=wanted)
        except DataError:
            if form is None or time_format is not None:
                raise
    raise AssertionError("the last of the forms is None")


def _refuse_another_interval(bars: Sequence[Bars], manifest: Manifest, location: str) -> None:
    for one in bars:
        if one.interval != manifest.bar_interval_seconds * SECOND:
            raise DataError(
                f"{location}: bars of {one.symbol} last {one.interval / SECOND:g} s, and "
                f"{manifest.name} was made for bars of {manifest.bar_interval_seconds} s"
            )


def _pair_columns(
    sent: Sent,
    bars: Sequence[Bars],
    bundle: Bundle,
    feature_set: FeatureSet[Any],
    experiment: Experiment,
) -> tuple[Pairs, dict[str, int]]:
    """Compute the columns of the bars that were asked about, and lay both beside each other."""
    sheets = {}
    for one in bars:
        some = _around(one, sent, feature_set.memory)
        if len(some):
            data = experiment.data
            report = check_bars(some, largest_step=data.largest_step)
            refuse_defects([report], refuse_also=data.refuse_also)
        sheets[one.symbol] = Sheet(
            time=some.time,
            values=build_table(feature_set, some).astype(np.float64),
            mirror=build_table(feature_set, mirrored(some)).astype(np.float64),
            interval=one.interval,
        )
    names, scale = bundle.manifest.feature_names, Scale.of(bundle.reference.features)
    reach = measure_reach(feature_set, scale.deviation)
    return lay_beside(sent, sheets, names, scale, reach)


def _pair_bars(sent: Sent, bars: Sequence[Bars]) -> tuple[Pairs, dict[str, int]]:
    """Lay the bars of whole windows beside those of the file."""
    sheets = {
        one.symbol: Sheet(
            time=one.time,
            values=bar_array(one)[:, 1:],
            mirror=bar_array(mirrored(one))[:, 1:],
            interval=one.interval,
        )
        for one in bars
    }
    values = np.concatenate([sheet.values for sheet in sheets.values()])
    steps = np.concatenate([np.diff(sheet.values, axis=0) for sheet in sheets.values()])
    scale = Scale(values.mean(axis=0), Scale.of(steps).deviation)
    return lay_beside(sent, sheets, COLUMNS, scale, np.ones(len(COLUMNS), np.int64))


def _around(bars: Bars, sent: Sent, memory: int) -> Bars:
    """Leave out bars that no row asks about, or can have been mistaken for: files may be long."""
    asked = sent.time[(sent.symbol == bars.symbol) & (sent.time >= 0)]
    if not len(asked):
        return bars.take(slice(0))
    first, last = np.searchsorted(bars.time, [asked.min(), asked.max()])
    hours_back = 24 * 3_600 * SECOND // bars.interval
    back = memory + max(LATEST, hours_back)
    return bars.take(slice(max(int(first) - back, 0), int(last) + EARLIEST + 1))


def main(arguments: list[str] | None = None) -> int:
    """Print what came of it as JSON; what cannot be known is an answer, too."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("store", "model", "version", "bars"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--symbol", action="append", default=[])
    parser.add_argument("--time-format", default=None)
    given = parser.parse_args(arguments)
    try:
        objects = Objects(given.store, create=False)
        bundle = ModelRegistry(objects, given.model).open(given.version)
        found = recompute(
            objects,
            bundle,
            given.bars,
            rows=given.rows,
            symbols=given.symbol,
            time_format=given.time_format,
        )
    except TrainingError as error:
        found = unknown(given.model, given.version, given.bars, str(error))
    except (StoreError, BundleError) as error:
        print(error, file=sys.stderr)  # noqa: T201  # for the job's log
        return 1
    sys.stdout.write(found.to_json().decode())
    return 0


def unknown(model: str, version: str, bars: str, reason: str) -> Recomputed:
    """Return what is to be said where nothing could be compared."""
    verdict = f"Unknown: {reason}"
    return Recomputed(model=model, version=version, bars=bars, compared=0, verdict=verdict)


if __name__ == "__main__":
    sys.exit(main())
