"""What the report draws of the validation rows, reduced to what a picture can show."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reference import ReferenceProfile
from plumbline.store.run import Equity, ReliabilityBin, Series, ValidationPicture
from plumbline.training.bars import as_datetime

BINS = 10
HISTOGRAM_BINS = 20
POINTS = 200
"""Of the equity line: as many as a page is wide."""


def draw_validation(
    reference: ReferenceProfile,
    rows: IntArray,
    outputs: Outputs,
    *,
    forward_return: FloatArray,
    cost: float | None,
) -> ValidationPicture:
    """Reduce the validation rows to what the report draws of them.

    Parameters
    ----------
    reference
        The stream that holds them.
    rows : (n,) int64
        Which of its rows they are.
    outputs
        What gave them; the primary output is drawn.
    forward_return : (n,) float64
        Of these rows, over the primary output's horizon; NaN where it is not known.
    cost
        Of a round trip per unit of size; None if it cannot be told, so that no equity is drawn.
    """
    spec = outputs.policy.output
    truth = reference.truth[rows, outputs.names.index(spec.name)]
    centre = np.asarray(reference.centre[rows, outputs.centre_slices[spec.name]], np.float64)
    # A choice has a number for each class; of other kinds the first says where the centre is.
    said = {spec.name: centre[:, 0]}
    if spec.choices:
        said = dict(zip(spec.choices, centre.T, strict=True))
    known = np.isfinite(truth)
    was = {
        name: (truth == place).astype(float) if spec.choices else truth
        for place, name in enumerate(said)
    }
    every = np.concatenate(list(said.values()))
    ends = (0.0, 1.0) if spec.choices else (float(every.min()), float(every.max()))
    actions = outputs.policy.actions
    taken = reference.action[rows]
    drawn = None
    if cost is not None:
        held = reference.position[rows] * reference.size[rows]
        drawn = equity(reference.bar_time[rows], held, forward_return, cost=cost)
    return ValidationPicture(
        rows=len(rows),
        output=spec.name,
        kind=spec.kind,
        names=tuple(said),
        reliability={n: reliability(said[n][known], was[n][known]) for n in said},
        histogram={n: _histogram(said[n], ends) for n in said},
        ends=ends,
        actions=actions,
        action_shares=_shares(taken[taken >= 0], len(actions)),
        truth_shares=_shares(truth[known], len(actions) if actions == spec.choices else 0),
        equity=drawn,
    )


def reliability(said: FloatArray, was: FloatArray) -> tuple[ReliabilityBin, ...]:
    """Compare what was said with what was, in bins that hold about equally many rows.

    References
    ----------
    DeGroot and Fienberg (1983), "The Comparison and Evaluation of Forecasters", section 2.
    """
    if not len(said):
        return ()
    order = np.argsort(said, kind="stable")
    return tuple(
        ReliabilityBin(said=float(said[part].mean()), was=float(was[part].mean()), rows=len(part))
        for part in np.array_split(order, min(BINS, len(order)))
    )


def equity(
    time: IntArray, held: FloatArray, forward_return: FloatArray, *, cost: float
) -> Equity | None:
    """Add up what the suggested sizes would have made; None where no outcome is known.

    Beside it stands the same turnover, always bought: what the market alone would have given.

    Parameters
    ----------
    time : (n,) int64
        Microseconds, in any order.
    held : (n,) floating
        Size with its sign.
    forward_return : (n,) float64
        NaN where it is not known; such rows are left out.
    cost
        Of a round trip per unit of size.
    """
    known = np.flatnonzero(np.isfinite(forward_return))
    if not len(known):
        return None
    order = known[np.argsort(time[known], kind="stable")]
    taken, outcome = held[order].astype(np.float64), forward_return[order]
    paid = cost * np.abs(taken)
    turnover = float(np.abs(taken).sum())
    flat = np.full(len(order), turnover / len(order))
    places = np.unique(np.linspace(0, len(order) - 1, min(POINTS, len(order))).round().astype(int))
    lines = {"model": taken * outcome - paid, "always buy": flat * (outcome - cost)}
    return Equity(
        time=tuple(as_datetime(int(moment)) for moment in time[order][places]),
        lines=tuple(
            Series(name=name, values=tuple(np.cumsum(gains)[places].tolist()))
            for name, gains in lines.items()
        ),
        cost=cost,
        turnover=turnover,
        break_even=float((taken * outcome).sum()) / turnover if turnover else None,
    )


def _shares(places: AnyArray, names: int) -> tuple[float, ...]:
    if not names:
        return ()
    counts = np.bincount(places.astype(np.int64), minlength=names)
    return tuple((counts / max(counts.sum(), 1)).tolist())


def _histogram(said: FloatArray, ends: tuple[float, float]) -> tuple[int, ...]:
    return tuple(np.histogram(said, HISTOGRAM_BINS, ends)[0].tolist())
