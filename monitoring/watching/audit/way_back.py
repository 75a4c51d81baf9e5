"""Whether a change of the inputs is the way back from one that was told before.

What a client says now is put through the first change. If that gives what was sent meanwhile, the
client is what it was before. Nothing is estimated anew: the way back from numbers that were divided
by a large one would be known poorly, and a short window shows few rows of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.diagnosis.exact.comparison import MOST, Scale
from plumbline.diagnosis.exact.relation import LINES, Difference, Relation, RelationKind
from plumbline.monitoring.watching.audit.look import TRACE, Look

_NEAR = 0.1
_HALF = 0.5


def leads_back(first: Difference, wrong: Sequence[Look], scale: Scale) -> bool:
    """Whether wrong windows show the end of a change.

    Parameters
    ----------
    first
        The change.
    wrong
        Windows since, that are not what was sent of their bars.
    scale
        Of the reference.
    """
    right = tested = 0
    for j in first.places:
        relation = first.relations[j]
        guesses = [_through(relation, each.said[:, j], each, j) for each in wrong]
        if any(guess is None for guess in guesses):
            continue
        off = np.concatenate([each.off for each in wrong])
        guess = np.concatenate([each for each in guesses if each is not None])[off]
        sent = np.concatenate([each.expected[:, j] for each in wrong])[off]
        allowed = _NEAR * abs(relation.factor) * scale.deviation[j]
        known = np.isfinite(guess) & np.isfinite(sent)
        if known.sum() < TRACE:
            continue
        tested += 1
        right += bool((np.abs(guess - sent)[known] <= allowed).mean() >= MOST)
    return tested >= _HALF * len(first.places) and tested > 0 and right >= MOST * tested


def _through(relation: Relation, said: FloatArray, seen: Look, j: int) -> FloatArray | None:
    """Return what a column becomes by a change, None where that cannot be told from what it is."""
    if relation.kind in LINES:
        line: FloatArray = relation.factor * said.astype(np.float64) + relation.offset
        return line
    if relation.kind is RelationKind.PERMUTED:
        return seen.said[:, relation.column]
    if relation.kind is RelationKind.LATE:
        return _late(said, relation.rows)
    if relation.kind is RelationKind.MIXED:
        before = seen.expected[:, j] if relation.mixes_itself else said
        rows = [said, *(_late(before, lag) for lag in range(1, len(relation.weights)))]
        mixed: FloatArray = np.stack(rows, axis=1) @ np.array(relation.weights)
        return mixed
    return None


def _late(said: FloatArray, rows: int) -> FloatArray:
    """Return steps so many rows late, or early where there are fewer than none."""
    moved = np.full(len(said), np.nan)
    if rows > 0:
        moved[rows:] = said[:-rows]
    else:
        moved[:rows] = said[-rows:]
    return moved
