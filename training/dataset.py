"""The rows a model learns from: windows of features, their labels, and an account of every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.spec import InputSpec
from plumbline.training.bars import Bars
from plumbline.training.errors import TrainingError
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, build_table
from plumbline.training.labels import Label
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
    bars : (n, 6) float64
        What the features were computed from; see `bundle.spec.BAR_COLUMNS`.
    truth : (n, outputs) float64
        NaN where it is not known.
    known_at : (n,) int64
        When all that is known of a row was known, microseconds.
    forward_return : (n,) float64
        Over the primary output's horizon; NaN where it is not known.
    group : (n,) int64
        Which rows are one cross-section; each row its own for labels that judge row by row.
    complete : (n,) bool
        Whether the row ends a whole window: ``window_length`` rows of finite features.
    names
        Of the columns of the features.
    window_length, bars_needed
        Rows in a window, and bars to compute them from.
    """

    time: IntArray
    symbol: np.ndarray
    close: FloatArray
    features: FloatArray
    bars: FloatArray
    truth: FloatArray
    known_at: IntArray
    forward_return: FloatArray
    group: IntArray
    complete: BoolArray
    names: tuple[str, ...]
    window_length: int
    bars_needed: int

    def __len__(self) -> int:
        return len(self.time)

    def with_mirror(self, features: FloatArray, label: Label[Any]) -> Dataset:
        """Return these rows and, after them, those of the market quoted the other way round.

        One over the price is a market, too: EUR/USD and USD/EUR. There what rises falls, and a
        BUY is a SELL. Who learns from both cannot mistake the drift of a few months for a rule.

        Parameters
        ----------
        features : (n, f) float32
            Of these bars, mirrored.
        label
            Knows what is true of the other market.

        Raises
        ------
        TrainingError
            If the label has no mirror image.
        """
        try:
            truth = label.mirrored(self.truth)
        except ValueError as error:
            raise TrainingError(str(error)) from error
        other = replace(
            self,
            close=1 / self.close,
            features=features,
            bars=_mirrored(self.bars),
            truth=truth,
            forward_return=1 / (1 + self.forward_return) - 1,
            group=self.group + self.group.max(initial=0) + 1,
        )
        both: dict[str, Any] = {
            name: np.concatenate([value, getattr(other, name)])
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray)
        }
        return replace(self, **both)

    @property
    def window_shape(self) -> tuple[int, int]:
        """Steps and features of a window."""
        return self.window_length, self.features.shape[1]

    def windows(self, rows: IntArray) -> FloatArray:
        """Return the windows that end at these rows: ``(m, t, f) float32``, oldest first."""
        view = sliding_window_view(self.features, self.window_length, axis=0)
        picked: FloatArray = view[rows - self.window_length + 1].transpose(0, 2, 1)
        return np.ascontiguousarray(picked)

    def inputs(self, rows: IntArray, specs: Sequence[InputSpec]) -> dict[str, FloatArray]:
        """Return what a graph with these inputs is given for these rows, by name."""
        found: dict[str, FloatArray] = {}
        for spec in specs:
            if spec.source == "bars":
                view = sliding_window_view(self.bars, self.bars_needed, axis=0)
                picked = view[rows - self.bars_needed + 1].transpose(0, 2, 1)
                found[spec.name] = np.ascontiguousarray(picked)
            elif spec.source == "features":
                found[spec.name] = self.windows(rows)
        return found

    def batches(self, rows: IntArray) -> Iterator[IntArray]:
        """Yield rows `WINDOW_BATCH` at a time, to bound the memory their windows take."""
        for start in range(0, len(rows), WINDOW_BATCH):
            yield rows[start : start + WINDOW_BATCH]

    @property
    def labelled(self) -> BoolArray:
        """Rows of which at least one output's truth is known: ``(n,)``."""
        return np.asarray(np.isfinite(self.truth).any(axis=1))

    def rows(self, split: Split, part: str) -> IntArray:
        """Return the rows of a part that may teach or judge: whole, labelled, clear of borders."""
        clear = self.clear(split, part)
        inside = self.known_at[clear] < split.part(part).end
        labelled: IntArray = clear[self.labelled[clear] & inside]
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
        labelled = self.labelled
        counts["warm_up"] = int((~self.complete).sum())
        counts["masked"] = int((self.complete & ~labelled).sum())
        used = 0
        for part in split.parts:
            counts[part.name] = len(self.rows(split, part.name))
            used += counts[part.name]
        counts["purged"] = int((self.complete & labelled).sum()) - used
        return counts


def _mirrored(bars: FloatArray) -> FloatArray:
    """Return bars ``(n, 6)`` quoted the other way round, where highs are lows."""
    time, opened, high, low, closed, volume = bars.T
    return np.stack([time, 1 / opened, 1 / low, 1 / high, 1 / closed, volume], axis=1)


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
    truths = [label.build(one) for one in bars]
    time = np.concatenate([one.time for one in bars])
    group = np.arange(len(time))
    if label.unit == "cross_section":
        group = np.unique(time, return_inverse=True)[1]
    return Dataset(
        time=time,
        symbol=np.concatenate([np.full(len(one), one.symbol) for one in bars]),
        close=np.concatenate([one.close for one in bars]),
        features=np.concatenate(features),
        bars=np.concatenate([bar_array(one) for one in bars]),
        truth=np.concatenate([one.values for one in truths]),
        known_at=np.concatenate([one.known_at for one in truths]),
        forward_return=np.concatenate([one.forward_return for one in truths]),
        group=group,
        complete=np.concatenate([_complete(one, window_length) for one in features]),
        names=feature_set.names,
        window_length=window_length,
        bars_needed=feature_set.bars_needed(window_length),
    )


def _complete(features: FloatArray, window_length: int) -> BoolArray:
    finite = np.isfinite(features).all(axis=1)
    complete = np.zeros(len(features), dtype=bool)
    if len(features) >= window_length:
        complete[window_length - 1 :] = sliding_window_view(finite, window_length).all(axis=-1)
    return complete
