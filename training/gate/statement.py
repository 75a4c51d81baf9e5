"""What an output states, and what came true of it, as pairs of plain columns.

A choice with sides states a direction (how far up outweighs down) and a distance (how probable it
is that the market moves at all); one without states each class; a value states its mean and, where
that varies, its deviation; a score its order. Most skill on markets is in the distance, and a model
may know that and not the direction, so the two are always told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.bundle.array import AnyArray, FloatArray
from plumbline.bundle.calibration import ValueCalibration
from plumbline.bundle.heads import Head
from plumbline.bundle.heads.score import normal_scores
from plumbline.bundle.heads.value import ValueHead
from plumbline.bundle.reading import Reading

DIRECTION = "direction"
DISTANCE = "distance"


@dataclass(frozen=True)
class Stated:
    """One thing an output states, row by row, and what came true of it.

    Attributes
    ----------
    name
        ``direction``, ``distance``, or the class.
    said, true : (n,) float64
        NaN in ``true`` where it is not known.
    """

    name: str
    said: FloatArray
    true: FloatArray


def statements(
    head: Head[Any], reading: Reading, calibration: Any, truth: FloatArray, group: AnyArray | None
) -> tuple[Stated, ...]:
    """Return what one output states of rows, beside what came true ``(n,)`` of them."""
    said, true = said_of(head, reading, calibration), true_of(head, truth, group)
    return tuple(Stated(name, said[name], true[name]) for name in said if name in true)


def said_of(head: Head[Any], reading: Reading, calibration: Any) -> dict[str, FloatArray]:
    """Return what an output states, by name, ``(n,)`` each."""
    if head.spec.kind == "choice":
        positions = _positions(head)
        if _has_sides(positions):
            away = np.abs(positions)
            said = {DIRECTION: head.direction(reading)}
            return said | ({DISTANCE: reading.centre @ away} if np.ptp(away) > 0 else {})
        return {name: reading.centre[:, k] for k, name in _classes(head)}
    said = {DIRECTION: head.direction(reading)}
    if isinstance(head, ValueHead) and isinstance(calibration, ValueCalibration):
        said[DISTANCE] = np.log(np.maximum(head.deviation(reading, calibration), 1e-12))
    return said


def true_of(head: Head[Any], truth: FloatArray, group: AnyArray | None) -> dict[str, FloatArray]:
    """Return what came true, by the same names; NaN where that is not known."""
    known = np.isfinite(truth)
    if head.spec.kind == "choice":
        places = np.where(known, truth, 0).astype(np.int64)
        positions = _positions(head)
        if _has_sides(positions):
            held = np.where(known, positions[places], np.nan)
            away = {DISTANCE: np.abs(held)} if np.ptp(np.abs(positions)) > 0 else {}
            return {DIRECTION: held} | away
        return {
            name: np.where(known, (places == k).astype(float), np.nan) for k, name in _classes(head)
        }
    if head.spec.kind == "score":
        return {DIRECTION: normal_scores(truth, group)}
    middle = float(truth[known].mean()) if known.any() else 0.0
    return {DIRECTION: truth, DISTANCE: np.abs(truth - middle)}


def concatenated(
    first: Mapping[str, FloatArray], second: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """Return the rows of both, one after the other."""
    return {name: np.concatenate([first[name], second[name]]) for name in first if name in second}


def _positions(head: Head[Any]) -> FloatArray:
    return np.asarray(head.spec.positions or (0.0,) * head.spec.width, np.float64)


def _has_sides(positions: FloatArray) -> bool:
    return bool((positions > 0).any() and (positions < 0).any())


def _classes(head: Head[Any]) -> list[tuple[int, str]]:
    """All classes but the first of two, which says nothing new."""
    return list(enumerate(head.spec.choices))[1 if head.spec.width == 2 else 0 :]
