"""Whether features, labels or a model know what nobody can know yet.

What a linear reader of the features tells of a row's truth is followed through time: asked of rows
that are older than the row in question, of the row itself, and of later ones. With sound features
it knows little of the way the market will go at the row itself, much one bar later, and ever more
until the outcome is complete: knowledge sets in *after* the row. Three things look otherwise.

* Features that know some of the future know much at the row itself, and nothing of it when they
  are one bar older, or as old as the outcome is long. What can truly be foreseen fades slowly.
* A label that stands some rows from where it belongs makes knowledge set in elsewhere.
* A model that has learnt the validation rows by heart knows at the row what its own answers of
  some bars earlier do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from plumbline.bundle.array import IntArray
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.ruling import Ruling
from plumbline.training.gate.ground import MOST_ROWS
from plumbline.training.gate.held import Held
from plumbline.training.gate.rival import Scale, correlation, fit_ridge, ridge
from plumbline.training.gate.statement import DIRECTION, DISTANCE

HIGH, NOTABLE = 0.2, 0.12
"""Correlation with the way the market goes, from which on knowledge must fade slowly: over some
bars, and from one bar to the next."""
KEPT_A_BAR, KEPT_A_REACH, KEPT_LONG = 0.6, 0.4, 0.3
"""Least part that is left one bar earlier, as many as outcomes are long, and eight at least."""
AS_A_MEMORY = 0.9
"""What loses a little with every bar may lose more: so much of what its first bar foretells."""
LONG = 8
SUDDEN = 0.12
"""Variance of other truths explained at the row beyond what was explained before; sound: .05."""
WIDEST = 48
"""Rows to either side that are looked at."""
STEEP = 0.15
"""Least rise of the correlation within one row that is an onset."""
_SURE = 1.645


@dataclass(frozen=True)
class Foresight:
    """Correlation of a reader with what came true, by age of what it reads.

    Attributes
    ----------
    at
        By offset in rows: below 0 older than the row, 0 the row, above 0 later.
    independent
        Outcomes that do not overlap.
    """

    at: dict[int, float]
    independent: float

    def surely(self, offset: int) -> float:
        """Lower bound of the correlation at an offset, one in twenty below it.

        References
        ----------
        Fisher (1921), "On the probable error of a coefficient of correlation".
        """
        if self.independent < 10:
            return 0.0
        found = np.arctanh(np.clip(self.at[offset], -0.999, 0.999))
        return float(np.tanh(found - _SURE / np.sqrt(self.independent - 3)))


class Timeline:
    """Rows of the ground and of the validation, of which earlier and later neighbours are known."""

    def __init__(self, held: Held, *, every: bool = False) -> None:
        self._held = held
        ground = held.ground
        most = None if every else -MOST_ROWS
        features = np.asarray(held.validation.features, np.float64)
        symbol = _symbols(held)
        time = held.moments
        if ground is not None:
            newest = np.sort(np.argsort(ground.bar_time, kind="stable")[most:])
            features = np.concatenate([ground.features[newest], features])
            symbol = np.concatenate([ground.symbol[newest].astype(str), symbol.astype(str)])
            time = np.concatenate([ground.bar_time[newest], time])
            self._true = {
                name: np.concatenate([held.ground_true[name][newest], held.true[name]])
                for name in held.true
            }
        else:
            self._true = dict(held.true)
        old = len(time) - len(held.moments)
        self._is_old = np.arange(len(time)) < old
        self._order = np.lexsort((time, symbol))
        _, self._code = np.unique(symbol[self._order], return_inverse=True)
        self._features = Scale(features[self._is_old] if old else features)(features)

    @cached_property
    def _place(self) -> IntArray:
        """Where each row stands in the order of symbols and times."""
        place = np.empty(len(self._order), np.int64)
        place[self._order] = np.arange(len(self._order))
        return place

    def neighbours(self, offset: int) -> IntArray:
        """Return the row so many bars later (earlier below 0) of each, -1 where there is none."""
        n = len(self._order)
        moved = self._place + offset
        inside = np.clip(moved, 0, n - 1)
        same = (moved == inside) & (self._code[inside] == self._code[self._place])
        return np.where(same, self._order[inside], -1)

    def foresight_of_features(self, name: str, offsets: list[int]) -> Foresight:
        """Follow what a ridge regression, learnt on the ground, tells on the validation rows."""
        true = self._true[name]
        at = {}
        for offset in offsets:
            beside = self.neighbours(offset)
            usable = np.isfinite(true) & (beside >= 0)
            learn, test = usable & self._is_old, usable & ~self._is_old
            if learn.sum() < 100 or test.sum() < 50:
                at[offset] = 0.0
                continue
            weights = fit_ridge(self._features[beside[learn]], true[learn, None])
            told = ridge(self._features[beside[test]], weights)[:, 0]
            at[offset] = correlation(told, true[test])
        return Foresight(at, self._independent(name))

    def foresight_of_answers(self, name: str, offsets: list[int]) -> Foresight:
        """Follow what the model's own older answers tell on the validation rows."""
        true, at = self._held.true[name], {}
        first = int(self._is_old.sum())
        for offset in offsets:
            beside = self.neighbours(offset)[first:] - first
            usable = np.isfinite(true) & (beside >= 0)
            said = self._held.said[name]
            enough = usable.sum() >= 50
            at[offset] = correlation(said[beside[usable]], true[usable]) if enough else 0.0
        return Foresight(at, self._independent(name))

    def _independent(self, name: str) -> float:
        known = np.isfinite(self._held.true[name])
        return len(np.unique(self._held.moments[known])) / self._held.reach


def foreknows(held: Held) -> Ruling:
    """Hold when features or answers know the future, or labels stand where they do not belong."""
    if held.ground is None or held.validation.features is None or not held.enough:
        return Ruling(False)
    timeline = Timeline(held)
    reach = held.reach
    findings: list[Finding] = []
    for name in held.true:
        readers = {"A linear reader of the features": timeline.foresight_of_features}
        if name in held.said:
            readers["The model"] = timeline.foresight_of_answers
        for reader, follow in readers.items():
            foresight = follow(name, sorted({0, -1, -reach, -max(reach, LONG)}))
            cause = (
                _forgets(foresight, reach)
                if name == DIRECTION
                else _sudden(foresight, reach)
                if reader != "The model" and name == DISTANCE
                else None
            )
            findings.append(_finding(held, reader, name, foresight, cause))
            if cause is not None:
                return Ruling(
                    True,
                    f"{reader} knows the future: of the {name}, {cause}. Look for features that "
                    "see later bars, labels that stand too late, or these rows among those that "
                    "taught the weights.",
                    tuple(findings),
                )
    return _onset(held, timeline, findings)


def _forgets(foresight: Foresight, reach: int) -> str | None:
    """Say so if much is known at the row of which little was known shortly before."""
    for age, least, high in (
        (1, KEPT_A_BAR, NOTABLE),
        (reach, KEPT_A_REACH, HIGH),
        (max(reach, LONG), KEPT_LONG, HIGH),
    ):
        kept = foresight.at[-age] / max(foresight.at[0], 1e-9)
        if foresight.surely(0) <= high or kept >= least or _fades(foresight, age, reach):
            continue
        return (
            f"correlation {foresight.at[0]:.2f} at the row, {foresight.at[-age]:.2f} when what "
            f"it reads is {'one bar' if age == 1 else f'{age} bars'} older"
        )
    return None


def _fades(foresight: Foresight, age: int, reach: int) -> bool:
    """Whether what was known at an age is what each bar leaves of it, as with a memory."""
    if age == 1:
        return False
    a_bar = max(foresight.at[-1] / foresight.at[0], 0.0)
    kept = foresight.at[-age] / foresight.at[0]
    if age > reach:  # nothing of the outcome is seen there, so that chance alone may hide the rest
        kept += _SURE / np.sqrt(max(foresight.independent - 3, 1.0)) / foresight.at[0]
        return bool(kept >= 0.5 * a_bar**age)
    return bool(kept >= AS_A_MEMORY * a_bar**age)


def _sudden(foresight: Foresight, reach: int) -> str | None:
    """Say so if the row explains much that neither bar before explained."""
    before = max(foresight.at[-reach], 0.0)
    now = max(foresight.at[0], 0.0)
    sudden = (now**2 - before**2) / max(1 - before**2, 1e-9)
    if foresight.surely(0) > before and sudden > SUDDEN:
        return (
            f"correlation {now:.2f} at the row, {before:.2f} when what it reads is {reach} bars "
            "older"
        )
    return None


def _onset(held: Held, timeline: Timeline, findings: list[Finding]) -> Ruling:
    """Hold when knowledge of the direction sets in at another row than the next."""
    if DIRECTION not in held.true or held.head.spec.kind == "score":
        return Ruling(False, "", tuple(findings))
    widest = min(WIDEST, len(held.moments) // 20)
    foresight = timeline.foresight_of_features(DIRECTION, list(range(-widest, widest + 1)))
    rises = {k: foresight.at[k + 1] - foresight.at[k] for k in range(-widest, widest)}
    steepest = max(rises, key=lambda k: rises[k])
    wrong = (
        abs(steepest) > 1
        and rises[steepest] > STEEP
        and rises[steepest] > 2 * max(rises[0], 0.0)
        and foresight.independent >= 30
    )
    if not wrong:
        return Ruling(False, "", tuple(findings))
    where = f"{abs(steepest)} rows {'later' if steepest > 0 else 'earlier'} than it should"
    finding = Finding(
        name="onset_of_knowledge",
        level=Level.FAIL,
        value=float(steepest),
        threshold=0.0,
        n=len(held.moments),
        message=f"What the bars tell of the label rises most from row {steepest:+d} to row "
        f"{steepest + 1:+d}; of a label in its place, from 0 to +1.",
    )
    return Ruling(
        True,
        f"The labels do not belong to their rows: what the bars tell of them sets in {where}. "
        "Look for labels that were shifted, or that look further ahead than their horizon says.",
        (*findings, finding),
    )


def _finding(
    held: Held, reader: str, name: str, foresight: Foresight, cause: str | None
) -> Finding:
    older = "".join(
        f", {value:.2f} at {offset}" for offset, value in foresight.at.items() if offset
    )
    return Finding(
        name="foreknowledge",
        level=Level.FAIL if cause else Level.PASS,
        value=foresight.at[0],
        threshold=HIGH if name == DIRECTION else None,
        n=int(np.isfinite(held.true[name]).sum()),
        message=f"{reader} agrees with the {name} by {foresight.at[0]:.2f} (a correlation) at the "
        f"row{older} bars.",
        output=held.output if len(held.context.outputs.specs) > 1 else "",
    )


def _symbols(held: Held) -> np.ndarray:
    symbol = held.validation.symbol
    return np.full(len(held.moments), "") if symbol is None else np.asarray(symbol)
