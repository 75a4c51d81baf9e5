"""Whether a change of the inputs can be the trace of a revised bar.

Vendors revise bars. The columns of later bars remember the one that was revised, for as long as
their memory: a rolling mean is shifted by a constant, a rolling deviation nearly scaled, others are
just different. None of that accuses a client. What no single bar can do, does: one factor on
several columns, or a large one on a column; a sign, another order, blanks, everything a bar late,
or averaged with the bars before;
numbers that used to be usual and are far out now; most columns something else altogether; or
columns that the time of the week decides, whatever is traded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.diagnosis.exact.comparison import FEWEST, ROUNDING, Scale
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind

_LARGE = math.log(1.25)
_SHARED = math.log(1.02)
_SEVERAL = 3
_FAR = 1.5
_USUAL = 2.5
_NEARLY_ALWAYS = 0.8
_HALF = 0.5
_PART = 0.25

_FACTORS = (RelationKind.SCALED, RelationKind.UNIT, RelationKind.SIGN)


def no_revision(
    difference: Difference, said: FloatArray, expected: FloatArray, scale: Scale
) -> bool:
    """Whether no revised bar explains how the inputs have changed.

    Parameters
    ----------
    difference
        Of the rows.
    said, expected : (n, f)
        As they are now, and as they were sent before.
    scale
        Of the reference.
    """
    relations = [difference.relations[j] for j in difference.places]
    counts = Counter(each.kind for each in relations)
    half = len(difference.names) / 2
    return (
        _factors(relations)
        or counts[RelationKind.PERMUTED] > 1
        or counts[RelationKind.STANDARDISED] >= min(_SEVERAL, half)
        or counts[RelationKind.AFFINE] >= half
        or (counts[RelationKind.BLANK] > 0 and difference.n >= FEWEST)
        or _late(relations)
        or any(_mixed(each) for each in relations)
        or _far(difference, said, expected, scale)
        or _others(difference, said, expected, scale) >= half
    )


def another_time(
    said: FloatArray, expected: FloatArray, scale: Scale, timed: Sequence[int]
) -> bool:
    """Whether most of the columns that the time decides are off in nearly every row.

    Parameters
    ----------
    said, expected : (n, f)
        As they are now, and as they were sent before, of bars that are certainly the same.
    scale
        Of the reference.
    timed
        Places of those columns.
    """
    if not len(timed) or len(said) < FEWEST:
        return False
    apart = np.abs(said - expected)[:, timed] > 2 * ROUNDING * scale.deviation[timed]
    return bool((apart.mean(axis=0) >= _NEARLY_ALWAYS).mean() > _HALF)


def _factors(relations: list[Relation]) -> bool:
    """Whether a column has a large factor, or several have the same."""
    factors = [each.factor for each in relations if each.kind in _FACTORS]
    if any(factor < 0 or abs(math.log(factor)) >= _LARGE for factor in factors):
        return True
    shared = Counter(f"{factor:.3g}" for factor in factors if abs(math.log(factor)) >= _SHARED)
    return any(times >= _SEVERAL for times in shared.values())


def _late(relations: list[Relation]) -> bool:
    rows = Counter(each.rows for each in relations if each.kind is RelationKind.LATE)
    return any(times >= min(_SEVERAL, len(relations)) and times > 1 for times in rows.values())


def _mixed(relation: Relation) -> bool:
    """Whether a column is an average of its own rows, and not nearly its own."""
    return relation.kind is RelationKind.MIXED and abs(relation.weights[0] - 1) >= _PART


def _far(difference: Difference, said: FloatArray, expected: FloatArray, scale: Scale) -> bool:
    """Whether a column is shifted from where it usually is to somewhere else, and not back."""
    for j in difference.places:
        each = difference.relations[j]
        if each.kind is not RelationKind.SHIFTED or difference.n < FEWEST:
            continue
        before = abs(float(np.nanmedian(expected[:, j])) - scale.mean[j]) / scale.deviation[j]
        after = abs(float(np.nanmedian(said[:, j])) - scale.mean[j]) / scale.deviation[j]
        moved = abs(each.offset) / scale.deviation[j]
        if moved >= _FAR and before <= _USUAL and after > before:
            return True
    return False


def _others(difference: Difference, said: FloatArray, expected: FloatArray, scale: Scale) -> int:
    """Count the columns that are something else in nearly every row."""
    if difference.n < FEWEST:
        return 0
    off = np.abs(said - expected) > 0.1 * scale.deviation
    return sum(
        difference.relations[j].kind in (RelationKind.OTHER, RelationKind.NOISE)
        and float(off[:, j].mean()) >= _NEARLY_ALWAYS
        for j in difference.places
    )
