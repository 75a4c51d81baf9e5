"""The promises of a feature set, each checked on bars: for ours and for a stranger's alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from plumbline.bundle.array import FloatArray
from plumbline.bundle.manifest import ScalerSpec
from plumbline.bundle.spec import BAR_COLUMNS, InputSpec, OutputSpec
from plumbline.training.agreement import TOLERANCE, check_agreement
from plumbline.training.bars import COLUMNS, Bars
from plumbline.training.errors import FeatureError
from plumbline.training.export import export_network
from plumbline.training.feature_sets import FeatureSet
from plumbline.training.feature_table import bar_array, build_table, compute
from plumbline.training.network import BarNetwork, Network
from plumbline.training.readout import Readout
from plumbline.training.target import Target

EVERY_WINDOW = 10**9
SAMPLED = 400
"""Bars beyond those of one window, of which a training changes the newer half."""


def check_feature_set(feature_set: FeatureSet[Any], bars: Bars, *, window_length: int = 32) -> None:
    """Hold a feature set to everything it promises.

    Names are unique; shape and type are as stated; every row is finite; rows of a batch are
    independent; the future changes nothing; each window gives what the whole history gave; and the
    exported graph says the same at every batch size.

    Parameters
    ----------
    feature_set
        With its parameters resolved.
    bars
        A few hundred more than `bars_needed`, sound and moving.
    window_length
        Rows in a window.

    Raises
    ------
    FeatureError
        With the first promise that is broken, and the column that breaks it.
    ExportError
        If the exported graph says something else.
    """
    names = feature_set.names
    if len(set(names)) != len(names) or not names:
        raise FeatureError(f"names must be unique and not empty, got {names}")
    needed = feature_set.bars_needed(window_length)
    if len(bars) < needed + 10:
        raise FeatureError(f"{len(bars)} bars are too few for a check, give {needed + 10} or more")
    table = build_table(feature_set, bars)
    scale = _scale(table[feature_set.memory :])
    _check_batch(feature_set, bars, needed, scale)
    _hold_to_the_past(feature_set, bars, table, scale)
    check_agreement(feature_set, bars, table, window_length, budget=EVERY_WINDOW)
    _check_export(feature_set, bars, table, needed)


def _scale(rows: FloatArray) -> FloatArray:
    scale: FloatArray = rows.std(axis=0, dtype=np.float64)
    return np.where(scale > 0, scale, 1.0)


def _check_batch(feature_set: FeatureSet[Any], bars: Bars, needed: int, scale: FloatArray) -> None:
    windows = _windows(bars, needed)[:: max((len(bars) - needed) // 4, 1)]
    together = compute(feature_set, windows)
    alone = np.concatenate([compute(feature_set, window[None]) for window in windows])
    _refuse(feature_set, together - alone, scale, "in a batch than alone: rows see each other")


def check_future(feature_set: FeatureSet[Any], bars: Bars, window_length: int) -> None:
    """Change the newest bars of a training, and see that no feature before them moves.

    Parameters
    ----------
    feature_set
        With its parameters resolved.
    bars
        Of one symbol, checked; the newest few hundred are looked at.
    window_length
        Rows in a window.

    Raises
    ------
    FeatureError
        Naming the column that looks ahead.
    """
    newest = bars.take(slice(-(feature_set.bars_needed(window_length) + SAMPLED), None))
    if len(newest) <= feature_set.memory + 2:
        return
    table = build_table(feature_set, newest)
    _hold_to_the_past(feature_set, newest, table, _scale(table[feature_set.memory :]))


def _hold_to_the_past(
    feature_set: FeatureSet[Any], bars: Bars, table: FloatArray, scale: FloatArray
) -> None:
    now = (feature_set.memory + len(bars)) // 2
    factor = np.where(np.arange(len(bars)) > now, 3.0, 1.0)
    other = replace(bars, **{name: getattr(bars, name) * factor for name in COLUMNS})
    before = slice(feature_set.memory, now + 1)
    apart = build_table(feature_set, other)[before] - table[before]
    _refuse(feature_set, apart, scale, "when later bars are others: it looks ahead")


def _check_export(feature_set: FeatureSet[Any], bars: Bars, table: FloatArray, needed: int) -> None:
    known = table[feature_set.memory :]
    scaler = ScalerSpec(
        mean=tuple(known.mean(axis=0).tolist()), scale=tuple(_scale(known).tolist())
    )
    windows = _windows(bars, needed)
    spread = np.unique(np.linspace(0, len(windows) - 1, 8).round().astype(int))
    shown = OutputSpec(
        name="shown",
        kind="score",
        horizon_seconds=1,
        width=len(feature_set.names),
        members=needed - feature_set.memory,
    )
    network = Network(nn.Identity(), scaler, Readout((Target(shown),)))
    bars_input = InputSpec(
        name="bars",
        shape=(needed, len(BAR_COLUMNS)),
        source="bars",
        names=BAR_COLUMNS,
        dtype="float64",
    )
    export_network(BarNetwork(feature_set, network), (bars_input,), windows[spread])


def _windows(bars: Bars, needed: int) -> FloatArray:
    view = sliding_window_view(bar_array(bars), needed, axis=0)
    return np.ascontiguousarray(view.transpose(0, 2, 1))


def _refuse(feature_set: FeatureSet[Any], apart: FloatArray, scale: FloatArray, how: str) -> None:
    largest = (np.abs(apart) / scale).reshape(-1, len(scale)).max(axis=0)
    if not (largest <= TOLERANCE).all():
        worst = int(np.nan_to_num(largest, nan=np.inf).argmax())
        raise FeatureError(
            f"{feature_set.names[worst]!r} is {largest[worst]:.2g} standard deviations different "
            + how
        )
