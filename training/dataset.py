"""The rows a model learns from: windows of features, their labels, and an account of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.training.bars import Bars
from plumbline.training.errors import LabelError, TrainingError
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import build_table
from plumbline.training.labels import CLASSES, MASKED, Label
from plumbline.training.split import Split

WINDOW_BATCH = 1024


@dataclass(frozen=True)
class Dataset:
    """Every bar with its features and label; rows of one symbol are consecutive, oldest first.

    Attributes
    ----------
    time : (n,) int64
        Open time, microseconds.
    symbol : (n,) str
        Of each row.
    close : (n,) float64
        Price.
    features : (n, f) float32
        NaN in the warm-up.
    names
        Of the columns of the features.
    labels : (n,) int8
        `MASKED` where unknown.
    forward_return : (n,) float64
        NaN where masked.
    complete : (n,) bool
        Whether the row ends a whole window: ``window_length`` rows of finite features.
    window_length
        Bars in a window.
    """

    time: IntArray
    symbol: np.ndarray
    close: FloatArray
    features: FloatArray
    names: tuple[str, ...]
    labels: IntArray
    forward_return: FloatArray
    complete: BoolArray
    window_length: int

    def __len__(self) -> int:
        return len(self.time)

    def with_mirror(self, features: FloatArray) -> Dataset:
        """Return these rows and, after them, those of the market quoted the other way round.

        One over the price is a market, too: EUR/USD and USD/EUR. There what rises falls, and a
        BUY is a SELL. Who learns from both cannot mistake the drift of a few months for a rule.

        Parameters
        ----------
        features : (n, f) float32
            Of these bars, mirrored.
        """
        other = replace(
            self,
            close=1 / self.close,
            features=features,
            labels=np.where(self.labels == MASKED, MASKED, len(CLASSES) - 1 - self.labels),
            forward_return=1 / (1 + self.forward_return) - 1,
        )
        arrays = {
            field.name: np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
            if field.name not in {"names", "window_length"}
        }
        return Dataset(names=self.names, window_length=self.window_length, **arrays)

    @property
    def window_shape(self) -> tuple[int, int]:
        """Steps and features of a window."""
        return self.window_length, self.features.shape[1]

    def windows(self, rows: IntArray) -> FloatArray:
        """Return the windows that end at these rows: ``(m, t, f) float32``, oldest first."""
        view = sliding_window_view(self.features, self.window_length, axis=0)
        picked: FloatArray = view[rows - self.window_length + 1].transpose(0, 2, 1)
        return np.ascontiguousarray(picked)

    def batches(self, rows: IntArray) -> Iterator[FloatArray]:
        """Yield the windows of these rows, `WINDOW_BATCH` at a time, to bound memory."""
        for start in range(0, len(rows), WINDOW_BATCH):
            yield self.windows(rows[start : start + WINDOW_BATCH])

    def rows(self, split: Split, part: str) -> IntArray:
        """Return the rows of a part that may teach or judge: whole, labelled, clear of borders."""
        clear = self.clear(split, part)
        labelled: IntArray = clear[self.labels[clear] != MASKED]
        return labelled

    def clear(self, split: Split, part: str) -> IntArray:
        """Return the whole rows of a part that are clear of its borders, masked ones among them."""
        return np.flatnonzero(self.complete & split.usable(part, self.time))

    def stream(self, split: Split, *parts: str) -> IntArray:
        """Return every whole row of consecutive parts, labelled or not, after the first's embargo.

        Nothing is missing at the border between two parts, so that the rows are a stream.
        """
        begin = split.part(parts[0]).start + split.embargo
        inside = (self.time >= begin) & (self.time < split.part(parts[-1]).end)
        return np.flatnonzero(self.complete & inside)

    def account(self, split: Split) -> dict[str, int]:
        """Say where every row went; the numbers after ``read`` add up to it."""
        counts = {"read": len(self)}
        labelled = self.labels != MASKED
        counts["warm_up"] = int((~self.complete).sum())
        counts["masked"] = int((self.complete & ~labelled).sum())
        used = 0
        for part in split.parts:
            counts[part.name] = len(self.rows(split, part.name))
            used += counts[part.name]
        counts["purged"] = int((self.complete & labelled).sum()) - used
        return counts


def build_dataset(
    bars: Sequence[Bars], feature_set: FeatureSet[Any], label: Label[Any], window_length: int
) -> Dataset:
    """Compute features and labels of every symbol and lay them end to end.

    Raises
    ------
    DataError
        If a feature is not finite after its warm-up.
    """
    features = [build_table(feature_set, one) for one in bars]
    labels = [label.build(one) for one in bars]
    return Dataset(
        time=np.concatenate([one.time for one in bars]),
        symbol=np.concatenate([np.full(len(one), one.symbol) for one in bars]),
        close=np.concatenate([one.close for one in bars]),
        features=np.concatenate(features),
        names=feature_set.names,
        labels=np.concatenate([one.classes for one in labels]),
        forward_return=np.concatenate([one.forward_return for one in labels]),
        complete=np.concatenate([_complete(one, window_length) for one in features]),
        window_length=window_length,
    )


def class_shares(dataset: Dataset, rows: IntArray, part: str) -> tuple[float, ...]:
    """Return the share of each class, refusing rows that cannot teach all of them.

    Raises
    ------
    TrainingError
        If there are no rows.
    LabelError
        If a class is missing.
    """
    if not len(rows):
        raise TrainingError(
            f"no rows are left in the {part} part after warm-up, masks, purge and embargo: "
            "give more bars, or shorten the horizon, the window or the embargo"
        )
    counts = np.bincount(dataset.labels[rows], minlength=len(CLASSES))
    if not counts.all():
        said = ", ".join(f"{name} {count}" for name, count in zip(CLASSES, counts, strict=True))
        raise LabelError(
            f"the {part} part lacks a class ({said}): lower the label's threshold or give more bars"
        )
    return tuple((counts / counts.sum()).tolist())


def _complete(features: FloatArray, window_length: int) -> BoolArray:
    finite = np.isfinite(features).all(axis=1)
    complete = np.zeros(len(features), dtype=bool)
    if len(features) >= window_length:
        complete[window_length - 1 :] = sliding_window_view(finite, window_length).all(axis=-1)
    return complete
