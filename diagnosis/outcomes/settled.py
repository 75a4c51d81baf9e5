"""Rows whose truth is known: what a score is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.spec import OutputSpec


@dataclass(frozen=True)
class Settled:
    """Rows of one output, in the order of their moments.

    Attributes
    ----------
    moment : (n,) int64
        Rows of one moment share a market, and a score of them is one trial; microseconds.
    centre : (n, w) float64
        As it was logged.
    epistemic : (n,) float64
        Disagreement of the members.
    action : (n,) int64
        Of the policy, where it decides by this output; else -1.
    position, size : (n,) float64
        As the policy suggested; zero where it decides by another output.
    truth : (n,) float64
        A choice's place, or a value.
    """

    moment: IntArray
    centre: FloatArray
    epistemic: FloatArray
    action: IntArray
    position: FloatArray
    size: FloatArray
    truth: FloatArray

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: IntArray | BoolArray | slice) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        return replace(self, **{each.name: getattr(self, each.name)[rows] for each in fields(self)})


def joined(parts: Sequence[Settled]) -> Settled:
    """Return rows one after the other."""
    names = [each.name for each in fields(Settled)]
    return Settled(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def of_reference(
    reference: ReferenceProfile, spec: OutputSpec, place: int, centre: slice, *, decides: bool
) -> Settled:
    """Return the rows of a reference whose truth of one output is known, by moment.

    Parameters
    ----------
    reference, spec
        Of a bundle, and of the output.
    place, centre
        Which of the outputs it is, and where its numbers lie among the centres.
    decides
        Whether the policy decides by it.
    """
    nothing = np.zeros(len(reference))
    found = Settled(
        moment=reference.group if spec.kind == "score" else reference.bar_time,
        centre=np.asarray(reference.centre[:, centre], np.float64),
        epistemic=np.asarray(reference.epistemic[:, place], np.float64),
        action=np.asarray(reference.action, np.int64) * decides - (not decides),
        position=np.asarray(reference.position, np.float64) if decides else nothing,
        size=np.asarray(reference.size, np.float64) if decides else nothing,
        truth=reference.truth[:, place],
    )
    known = np.flatnonzero(np.isfinite(found.truth))
    return found.take(known[np.argsort(found.moment[known], kind="stable")])


def by_moment(scores: FloatArray, moment: IntArray) -> FloatArray:
    """Average row scores ``(n, s)`` over each moment, oldest first: ``(m, s)``.

    NaN are left out; a moment without any other number has NaN.
    """
    _, begins, code = np.unique(moment, return_index=True, return_inverse=True)
    if len(begins) == len(moment):
        return scores[begins]
    return means_of(scores, code, len(begins))


def means_of(scores: FloatArray, code: IntArray, groups: int) -> FloatArray:
    """Average ``(n, s)`` over groups numbered from 0: ``(groups, s)``; NaN are left out."""
    known = np.isfinite(scores)
    out = np.full((groups, scores.shape[1]), np.nan)
    for place in range(scores.shape[1]):
        rows = known[:, place]
        count = np.bincount(code[rows], minlength=groups)
        total = np.bincount(code[rows], scores[rows, place], minlength=groups)
        seen = count > 0
        out[seen, place] = total[seen] / count[seen]
    return out
