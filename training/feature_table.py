"""A feature set applied to the whole history of a symbol, piece by piece, in bounded memory."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plumbline.bundle.array import FloatArray
from plumbline.training.bars import MICROSECOND, Bars
from plumbline.training.errors import DataError, FeatureError
from plumbline.training.feature_sets import FEATURE_SETS, FeatureSet

PIECE = 4096
"""Rows computed at once; with their memory before them, so that pieces join without a seam."""


def resolve_feature_set(
    kind: str, parameters: dict[str, Any], bars: Sequence[Bars]
) -> FeatureSet[Any]:
    """Return a feature set by name, with everything filled in that follows from the bars."""
    found = FEATURE_SETS[kind]
    feature_set = found(found.resolved(found.Params.model_validate(parameters), bars))
    return feature_set.eval().requires_grad_(False)  # type: ignore[no-any-return]  # torch


def bar_array(bars: Bars) -> FloatArray:
    """Return bars as the graph takes them: ``(n, 6) float64``, the time in seconds."""
    columns = (bars.time / MICROSECOND, bars.open, bars.high, bars.low, bars.close, bars.volume)
    return np.stack(columns, axis=1).astype(np.float64)


def mirrored(bars: Bars) -> Bars:
    """Return the market quoted the other way round: one over the price, where highs are lows."""
    return replace(
        bars, open=1 / bars.open, high=1 / bars.low, low=1 / bars.high, close=1 / bars.close
    )


def build_table(feature_set: FeatureSet[Any], bars: Bars) -> FloatArray:
    """Compute every column of every bar.

    Parameters
    ----------
    feature_set
        From `resolve_feature_set`.
    bars
        Of one symbol, checked.

    Returns
    -------
    (n, f) float32
        The first ``memory`` rows are NaN.

    Raises
    ------
    FeatureError
        If the feature set gives another shape or type than it promises.
    DataError
        If a row with its memory is not finite; the message names the columns.
    """
    names, memory = feature_set.names, feature_set.memory
    table = np.full((len(bars), len(names)), np.nan, dtype=np.float32)
    for start in range(memory, len(bars), PIECE):
        stop = min(start + PIECE, len(bars))
        piece = bar_array(bars.take(slice(start - memory, stop)))
        table[start:stop] = compute(feature_set, piece[None])[0]
    finite = np.isfinite(table[memory:])
    if not finite.all():
        wrong = [names[column] for column in np.flatnonzero(~finite.all(axis=0))]
        row = memory + int((~finite.all(axis=1)).argmax())
        raise DataError(f"{bars.symbol}: {wrong} are not finite from bar {row} on; check the bars")
    return table


def refuse_standing(names: Sequence[str], features: FloatArray) -> None:
    """Refuse columns that are the same in every row: a service takes such a one for a fault.

    Raises
    ------
    FeatureError
        Naming the columns.
    """
    known = features[np.isfinite(features).all(axis=1)]
    if len(known) > 1 and (same := (known == known[0]).all(axis=0)).any():
        wrong = [name for name, one in zip(names, same, strict=True) if one]
        raise FeatureError(
            f"{wrong} have the same value in all {len(known)} rows, as columns of volume do "
            "without volume and those of the hour with daily bars: choose another [features] kind, "
            "or parameters that leave them out"
        )


def compute(feature_set: FeatureSet[Any], bars: FloatArray) -> FloatArray:
    """Compute the rows of a batch of bars ``(n, b, 6)``: ``(n, b - memory, f) float32``.

    Raises
    ------
    FeatureError
        If the feature set fails, or gives another shape or type than it promises.
    """
    expected = (len(bars), bars.shape[1] - feature_set.memory, len(feature_set.names))
    name = type(feature_set).__name__
    try:
        with torch.inference_mode():
            found: FloatArray = feature_set(torch.from_numpy(bars)).numpy()
    except (RuntimeError, IndexError, TypeError, AttributeError) as error:
        line = traceback.extract_tb(error.__traceback__)[-1]
        raise FeatureError(
            f"{name} cannot be computed of bars {bars.shape}, with its memory of "
            f"{feature_set.memory}: {error} ({Path(line.filename).name}, line {line.lineno})"
        ) from error
    if found.shape != expected or found.dtype != np.float32:
        raise FeatureError(
            f"{name} gave {found.dtype} {found.shape} for bars "
            f"{bars.shape}, expected float32 {expected}: bars minus its memory of "
            f"{feature_set.memory}, and one column a name"
        )
    return found
