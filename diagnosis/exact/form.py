"""The form of one output's wrong answers: constant, scaled, offset, exchanged or of other rows.

Each form is fitted on the wrong rows and must then give every one of them within the slack of
backends, so that three rows of three numbers name a temperature and no noise passes for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.spec import OutputSpec

_MOSTLY = 0.9
_MATCHED = 0.6
_CONSTANT = 1e-5
_SURELY = 20
"""Wrong rows from which a correlation says something."""

_UNRELATED = 0.35


@dataclass(frozen=True)
class Form:
    """What wrong answers of one output are: a kind, a clause, and the factor of scaled ones."""

    kind: str
    said: str
    factor: float | None = None


def form_of(
    spec: OutputSpec, logged: FloatArray, right: FloatArray, wrong: BoolArray, tight: FloatArray
) -> Form:
    """Name the form of the wrong rows.

    Parameters
    ----------
    spec
        Of the output.
    logged, right : (m, members · width) floating
        Oldest first, sound rows too: a wrong answer may be the right one of another row.
    wrong : (m,) bool
        At least one.
    tight : (members · width,) float64
        How far apart equal numbers may lie.
    """
    shape = (-1, spec.members, spec.width)
    x = np.asarray(right, np.float64)
    y = np.asarray(logged, np.float64)
    bad = y[wrong]
    if not np.isfinite(bad).all():
        return Form("not_finite", "they are no finite numbers")
    if not np.isfinite(x[wrong]).all():
        return Form("otherwise", "they are finite where the right ones are not")
    slack = tight.reshape(spec.members, spec.width).max(axis=0)
    if spec.members > 1:
        found = _members(spec, bad.reshape(shape), x[wrong].reshape(shape), slack)
        if found is not None:
            return found
    own = _block(spec, bad.reshape(shape), x[wrong].reshape(shape), slack)
    return own or _of_other_rows(x, y, wrong, tight) or _unnamed(spec, bad, x[wrong])


def _members(
    spec: OutputSpec, bad: FloatArray, right: FloatArray, slack: FloatArray
) -> Form | None:
    """Look at ``(m, members, width)`` member by member."""
    alike = (np.ptp(bad, axis=1) <= slack).all()
    if alike and not (np.ptp(right, axis=1) <= slack).all():
        return Form("members_equal", f"all {spec.members} members say the same")
    off = (np.abs(bad - right) > slack).any(axis=2).any(axis=0)
    if off.all() or not off.any():
        return None
    places = np.flatnonzero(off).tolist()
    which = _listed([str(place + 1) for place in places])
    who = f"member {which} of {spec.members}" if len(places) == 1 else f"members {which}"
    if len(bad) > 2 and (np.ptp(bad[:, off], axis=0) <= slack).all():
        return Form("members_missing", f"{who} say the same whatever the input")
    own = _block(spec, bad[:, off], right[:, off], slack)
    return Form(own.kind if own else "otherwise", f"of {who}, {own.said if own else _UNLIKE}")


def _block(spec: OutputSpec, bad: FloatArray, right: FloatArray, slack: FloatArray) -> Form | None:
    """Try the forms that a row's own right answer makes: ``(n, members, width)`` both."""
    names = names_of(spec)
    said, true = bad, right
    if spec.kind == "choice":  # a number added to all logits changes nothing
        said, true = (each - each.mean(axis=2, keepdims=True) for each in (bad, right))
    if (np.abs(said - true) <= slack).all():
        return Form("level", "one number is added to all of them, which changes no probability")
    flat = (-1, spec.width)
    return (
        _exchanged(said.reshape(flat), true.reshape(flat), slack, names)
        or _affine(spec, said, true, slack)
        or _column_by_column(bad, right, slack, names)
    )


def _exchanged(
    bad: FloatArray, right: FloatArray, slack: FloatArray, names: Sequence[str]
) -> Form | None:
    width = bad.shape[1]
    if width < 2:
        return None
    near = np.array(
        [
            [(np.abs(bad[:, i] - right[:, j]) <= slack[j]).mean() >= _MOSTLY for j in range(width)]
            for i in range(width)
        ]
    )
    source = near.argmax(axis=1)
    if not near.any(axis=1).all() or sorted(source.tolist()) != list(range(width)):
        return None
    moved = [names[i] for i in range(width) if source[i] != i]
    if len(moved) == 2:
        return Form("exchanged", f"{moved[0]} and {moved[1]} are exchanged")
    return Form("exchanged", f"{_listed(moved)} are in another order")


def _affine(spec: OutputSpec, bad: FloatArray, right: FloatArray, slack: FloatArray) -> Form | None:
    """Fit one factor for all numbers, and an offset for each number of each member."""
    rows, members, width = bad.shape
    if rows < 3 or rows * width <= width + 2:
        return None
    factor, offset = _fit(bad, right)
    if not _explains(bad, right, factor, offset, slack):
        return None
    if abs(factor) * max(right.std(axis=0).max(), slack.max()) <= slack.max() / 8:
        return Form("constant", "they are the same whatever the input")
    if abs(factor - 1.0) <= 2e-3:
        if members > 1 and (np.ptp(offset, axis=0) > 4 * slack).any():
            return Form("offset", "every member is moved by numbers of its own")
        return Form("offset", _offsets(spec, offset.mean(axis=0)))
    return Form("scaled", _scaled(bad, factor, offset, slack), factor)


def _scaled(bad: FloatArray, factor: float, offset: FloatArray, slack: FloatArray) -> str:
    if factor < 0:
        return f"their sign is inverted (times {factor:.4g})"
    rounding = 4 * slack * max(1.0, abs(factor)) + 2e-3 * np.abs(bad).max()
    if (np.abs(offset) <= rounding).all():
        return f"they are {factor:.4g} times the right ones"
    much = f"{factor:.4g} times more" if factor > 1 else f"{1 / factor:.4g} times less"
    return f"they vary {much} about their mean"


def _fit(bad: FloatArray, right: FloatArray) -> tuple[float, FloatArray]:
    y, x = bad - bad.mean(axis=0), right - right.mean(axis=0)
    power = float((x * x).sum())
    factor = float((x * y).sum()) / power if power > 0 else 0.0
    return factor, bad.mean(axis=0) - factor * right.mean(axis=0)


def _explains(
    bad: FloatArray, right: FloatArray, factor: float, offset: FloatArray, slack: FloatArray
) -> bool:
    allowed = slack * max(1.0, abs(factor))
    return bool((np.abs(bad - factor * right - offset) <= allowed).mean() >= _MOSTLY)


def _column_by_column(
    bad: FloatArray, right: FloatArray, slack: FloatArray, names: Sequence[str]
) -> Form | None:
    """Look for numbers that are constant or scaled beside others that are right."""
    if len(bad) < 5 or bad.shape[2] < 2:
        return None
    said, factors = [], []
    for j, name in enumerate(names):
        own, true = bad[:, :, j : j + 1], right[:, :, j : j + 1]
        if (np.abs(own - true) <= slack[j]).all():
            continue
        factor, offset = _fit(own, true)
        if not _explains(own, true, factor, offset, slack[j : j + 1]):
            return None
        constant = abs(factor) * true.std() <= max(slack[j] / 8, _CONSTANT)
        factors.append(0.0 if constant else factor)
        said.append(f"{name} is constant" if constant else f"{name} is scaled by {factor:.3g}")
    if not said:
        return None
    one = factors[0] if np.ptp(factors) <= 2e-3 * abs(factors[0]) else None
    kind = "columns" if one is None else "scaled" if one else "constant"
    return Form(kind, "; ".join(said), one)


def _offsets(spec: OutputSpec, offset: FloatArray) -> str:
    """Say which number is too high or too low, and by how much."""
    shift = offset - np.median(offset) if spec.kind == "choice" and len(offset) > 2 else offset
    most = np.abs(shift).max()
    parts = [
        f"{name} is {abs(by):.3g} too {'high' if by > 0 else 'low'}"
        for name, by in zip(names_of(spec), shift.tolist(), strict=True)
        if abs(by) > 0.05 * most
    ]
    return ", ".join(parts)


def _of_other_rows(
    right: FloatArray, logged: FloatArray, wrong: BoolArray, tight: FloatArray
) -> Form | None:
    """Look for each wrong answer among the right ones of all rows."""
    places = np.flatnonzero(wrong)
    distance = np.abs(logged[places, None, :] - right[None, :, :]) / tight
    far = distance.max(axis=2)
    far[~np.isfinite(far)] = np.inf
    source = far.argmin(axis=1)
    matched = far[np.arange(len(places)), source] <= 1.0
    if matched.sum() < 3 or matched.mean() < _MATCHED or len(np.unique(source[matched])) < 3:
        return None
    return Form("other_rows", "they are the right ones of other rows")


_UNLIKE = "they are unlike the right ones in no simple way"


def _unnamed(spec: OutputSpec, bad: FloatArray, right: FloatArray) -> Form:
    """Say at least whether they follow the right ones."""
    if len(bad) < _SURELY:
        return Form("otherwise", _UNLIKE)
    y, x = bad.reshape(-1, spec.width), right.reshape(-1, spec.width)
    y, x = y - y.mean(axis=0), x - x.mean(axis=0)
    sizes = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    known = sizes > 0
    if not known.any():
        return Form("otherwise", _UNLIKE)
    correlation = float(((x * y).sum(axis=0)[known] / sizes[known]).max())
    if correlation <= _UNRELATED:
        said = f"they do not follow the input (correlation {correlation:.2f} with the right ones)"
        return Form("noise", said)
    return Form("otherwise", f"{_UNLIKE} (correlation {correlation:.2f})")


def names_of(spec: OutputSpec) -> tuple[str, ...]:
    """Return what the numbers of a member are called."""
    if spec.choices:
        return spec.choices
    if spec.kind == "value":
        return ("the mean", "the deviation")[: spec.width]
    return tuple(f"number {i + 1}" for i in range(spec.width)) if spec.width > 1 else (spec.kind,)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
