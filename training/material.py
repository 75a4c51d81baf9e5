"""The material of a training: checked bars, features, labels and the split, ready to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import BAR_COLUMNS, InputSpec
from plumbline.bundle.stress import StressRows
from plumbline.training.agreement import BUDGET, check_agreement
from plumbline.training.bars import Bars, as_datetime, as_microseconds, digest_of
from plumbline.training.config import DataParams, Experiment
from plumbline.training.data import read_bars, resolve
from plumbline.training.data_check import DataReport, check_bars, refuse_defects, refuse_idle_volume
from plumbline.training.dataset import Dataset, build_dataset
from plumbline.training.errors import DataError
from plumbline.training.feature_promises import check_future
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import (
    build_table,
    mirrored,
    refuse_standing,
    resolve_feature_set,
)
from plumbline.training.label_promises import check_label
from plumbline.training.labels import Label
from plumbline.training.split import Split, split_bars
from plumbline.training.stress import stress
from plumbline.training.twins import refuse_twins


@dataclass(frozen=True)
class Material:
    """Everything before the first weight.

    Attributes
    ----------
    experiment
        With everything filled in that follows from the bars: what the manifest records.
    feature_set
        What the columns were computed with, and will be.
    label
        Says what came true.
    dataset, split
        Rows, and which part they belong to.
    reports
        Defects of the bars of each symbol.
    digest
        SHA-256 of the bars.
    interval
        Of the bars, in microseconds.
    mirror : (n, f) float32 or None
        Features of the mirrored bars, if those are to be learnt from.
    stress
        Rows of markets under stress.
    """

    experiment: Experiment
    feature_set: FeatureSet[Any]
    label: Label[Any]
    dataset: Dataset
    split: Split
    reports: tuple[DataReport, ...]
    digest: str
    interval: int
    mirror: FloatArray | None
    stress: StressRows

    @property
    def lessons(self) -> Dataset:
        """What may be learnt from: the rows and, if asked for, their mirror images.

        A mirror image has the time of its row, and so lies in the same part of the split.
        """
        if self.mirror is None:
            return self.dataset
        return self.dataset.with_mirror(self.mirror, self.label)

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What a request to the model carries."""
        steps, width = self.dataset.window_shape
        if self.experiment.input == "features":
            names = self.dataset.names
            return (InputSpec(name="features", shape=(steps, width), names=names),)
        shape = (self.dataset.bars_needed, len(BAR_COLUMNS))
        return (
            InputSpec(name="bars", shape=shape, source="bars", names=BAR_COLUMNS, dtype="float64"),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbols, in order."""
        return tuple(report.symbol for report in self.reports)

    def account(self) -> dict[str, int]:
        """Say where every row went, and how many bars have a defect that is only counted."""
        counted = {
            name: sum(getattr(report, name) for report in self.reports)
            for name in ("gaps", "missing", "zero_volume")
        }
        return {**self.dataset.account(self.split), **counted}


def prepare(experiment: Experiment) -> Material:
    """Read and check bars, compute features and labels, and split them by time.

    Raises
    ------
    TrainingError
        If bars cannot be read or must be refused, or too few are left.
    """
    data = experiment.data
    source = resolve(data.source, symbol=data.symbol, time_format=data.time_format)
    chosen = [_choose(one, data) for one in read_bars(source, symbols=data.symbols)]
    reports = tuple(check_bars(one, largest_step=data.largest_step) for one in chosen)
    refuse_defects(reports, refuse_also=data.refuse_also)
    refuse_twins(chosen)
    features = experiment.features
    feature_set = resolve_feature_set(features.kind, features.parameters, chosen)
    parameters = feature_set.recorded_parameters
    experiment = experiment.changed(features={"kind": features.kind, "parameters": parameters})
    refuse_idle_volume(chosen, feature_set.names, partial(build_table, feature_set))
    label = experiment.build_label()
    check_label(label, chosen)
    dataset = build_dataset(chosen, feature_set, label, experiment.window_length)
    refuse_standing(dataset.names, dataset.features)
    _check_agreement(feature_set, chosen, dataset)
    check_future(feature_set, chosen[0], dataset.window_length)
    params = experiment.split.without_test() if experiment.ends_now else experiment.split
    split = split_bars(dataset.time, params, horizon=label.horizon)
    mirror = [build_table(feature_set, mirrored(one)) for one in chosen] if data.mirror else None
    return Material(
        experiment,
        feature_set,
        label,
        dataset,
        split,
        reports,
        digest_of(chosen),
        _interval(chosen),
        mirror=None if mirror is None else np.concatenate(mirror),
        stress=stress(feature_set, chosen),
    )


def _check_agreement(feature_set: FeatureSet[Any], bars: Sequence[Bars], dataset: Dataset) -> None:
    """Compare windows of every symbol with its table; see `training.agreement`."""
    begin = 0
    for one in bars:
        table = dataset.features[begin : begin + len(one)]
        begin += len(one)
        check_agreement(feature_set, one, table, dataset.window_length, budget=BUDGET // len(bars))


def _choose(bars: Bars, data: DataParams) -> Bars:
    """Leave out bars that had not closed by ``until``, and the oldest beyond ``max_bars``."""
    if data.until is not None:
        end = as_microseconds(data.until)
        if len(bars) and end < bars.time[0] + bars.interval:
            raise DataError(
                f"{bars.symbol}: no bar had closed by {data.until:%Y-%m-%d %H:%M}, "
                f"the first opens at {as_datetime(int(bars.time[0])):%Y-%m-%d %H:%M}"
            )
        bars = bars.until(end)
    return bars if data.max_bars is None else bars.take(slice(-data.max_bars, None))


def _interval(bars: Sequence[Bars]) -> int:
    found = sorted({one.interval for one in bars})
    if len(found) > 1:
        seconds = [interval // 1_000_000 for interval in found]
        raise DataError(f"the symbols have bars of different length, in seconds: {seconds}")
    return int(np.int64(found[0]))
