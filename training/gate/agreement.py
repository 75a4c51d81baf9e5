"""Whether a candidate says of served windows what it, and the champion, should say of them.

A gain is fooled: noise moves, and so do answers that are dealt out among the rows. What an output
states is therefore compared, row by row, with what a stand-in says of the same inputs: its own
surrogate, fitted on its own reference, and the champion's. A model that follows its surrogate on
the reference and not on served windows answers something else there; one whose direction goes
against it has its outputs exchanged. Where candidate and champion, both sound, say different things
of the same windows, nobody knows yet which is right: they have parted, and the candidate waits in
the shadow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.bundle.heads import Head
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.gate.rival import correlation

CLEAR = 0.3
"""Agreement with the surrogate on the reference, above which it must be kept."""
LOST = 0.4
"""Part of it, below which it is lost, sure at one in twenty."""
PARTED = 0.3
"""Agreement of candidate and champion, below which they have parted."""
LEAST = 50
"""Windows needed to tell."""
_SURE = 1.645


@dataclass(frozen=True)
class Agreement:
    """How far two speakers agree on one thing they state.

    Attributes
    ----------
    name
        ``direction``, ``distance``, or the coordinate.
    usual
        Their correlation on the reference.
    found, high
        That on served windows, and its upper bound.
    """

    name: str
    usual: float
    found: float
    high: float

    @property
    def lost(self) -> bool:
        """Whether it was clear on the reference and is gone on served windows."""
        return self.usual >= CLEAR and self.high < LOST * self.usual

    @property
    def reversed(self) -> bool:
        """Whether they contradict each other."""
        return self.usual >= CLEAR and self.high < 0


def judge_agreement(live: Sample, context: Context, found: Diagnosis, *, output: str) -> Diagnosis:
    """Return the verdict on served windows, or another if the model belies its own surrogate.

    Parameters
    ----------
    live
        What the model says of served windows.
    context
        With its reference.
    found
        What the diagnosis said of them; kept unless it was sound.
    output
        The primary one.
    """
    if not found.sized or context.baseline is None:
        return found
    agreements = agreements_with(live, context, context.baseline, output)
    findings = (*found.findings, *(_finding(each, len(live)) for each in agreements))
    for verdict, wrong, what in (
        (Verdict.ANTI_SIGNAL, [a for a in agreements if a.reversed], "contradicts"),
        (Verdict.FLAT, [a for a in agreements if a.lost], "does not follow"),
    ):
        if wrong:
            worst = min(wrong, key=lambda each: each.found)
            return Diagnosis(
                verdict=verdict,
                cause=f"Of served windows the {worst.name} it states {what} the inputs as it does "
                f"on its reference: agreement with its own surrogate is {worst.found:+.2f} there, "
                f"{worst.usual:+.2f} here.",
                findings=findings,
                n=found.n,
            )
    return found.model_copy(update={"findings": findings})


def agreements_with(
    live: Sample, context: Context, baseline: Baseline, output: str
) -> tuple[Agreement, ...]:
    """Compare what is said of served windows with what a reference's surrogate says of them."""
    measured = baseline.outputs[output]
    if live.features is None or measured.explained is None:
        return ()
    known: BoolArray = measured.surrogate.knows(live.features)
    if known.sum() < LEAST:
        return ()
    head = context.outputs.heads[output]
    said = live.readings[output].coordinates[known]
    told = measured.surrogate.predict(np.asarray(live.features)[known])
    usual = stated(head, measured.coordinates - measured.residuals)
    meant = stated(head, measured.coordinates)
    here, there = stated(head, said), stated(head, told)
    return tuple(
        Agreement(
            name,
            correlation(meant[name], usual[name]),
            correlation(here[name], there[name]),
            _highest(correlation(here[name], there[name]), int(known.sum())),
        )
        for name in here
    )


def have_parted(candidate: Sample, champion: Sample, context: Context, output: str) -> bool:
    """Tell whether two sound models say different things of the same served windows.

    The direction counts only where sizes are suggested on it: where it is not known, any two
    models differ in it.
    """
    if len(candidate) < LEAST or len(candidate) != len(champion):
        return False
    head = context.outputs.heads[output]
    here = stated(head, candidate.readings[output].coordinates)
    there = stated(head, champion.readings[output].coordinates)
    alike = {name: correlation(here[name], there[name]) for name in here}
    sided = len(alike) > 1 and context.outputs.withheld
    asked = [alike[name] for name in alike if not (sided and name == "direction")]
    return any(_highest(each, len(candidate)) < PARTED for each in asked)


def stated(head: Head[Any], coordinates: FloatArray) -> dict[str, FloatArray]:
    """Return direction and distance of coordinates ``(n, c)``, or each coordinate."""
    positions = np.asarray(head.spec.positions or (), np.float64)
    if len(positions) == coordinates.shape[1] and (positions > 0).any() and (positions < 0).any():
        found = {"direction": coordinates @ positions}
        away = np.abs(positions) - np.abs(positions).mean()
        return found | ({"distance": coordinates @ away} if away.any() else {})
    width = coordinates.shape[1]
    names = head.spec.choices if len(head.spec.choices) == width else (head.spec.name,)
    return {name: coordinates[:, place] for place, name in enumerate(names[:width])}


def _highest(found: float, n: int) -> float:
    bounded = np.arctanh(np.clip(found, -0.999, 0.999)) + _SURE / np.sqrt(max(n - 3, 1))
    return float(np.tanh(bounded))


def _finding(agreement: Agreement, n: int) -> Finding:
    return Finding(
        name="surrogate_agreement",
        level=Level.FAIL if agreement.lost or agreement.reversed else Level.PASS,
        value=agreement.found,
        threshold=LOST * agreement.usual,
        n=n,
        message=f"The {agreement.name} stated of served windows agrees with the model's own "
        f"surrogate by {agreement.found:+.2f}, on the reference by {agreement.usual:+.2f}.",
    )
