"""What comes of a shadow, from what was seen in it: wait, promote, or refuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from plumbline.monitoring.watching.shadow import ShadowState


@dataclass(frozen=True)
class Opinion:
    """What comes of a shadow, so far.

    Attributes
    ----------
    ready
        Whether the version may be promoted.
    refused
        Why it may not, ever; empty while that is open.
    note
        What it rests on.
    """

    ready: bool = False
    refused: str = ""
    note: str = ""


WAIT = Opinion()


@dataclass(frozen=True)
class Terms:
    """What a version must show in shadow.

    Attributes
    ----------
    rows
        Answers that must have been judged.
    seconds
        How long there is for them; None for as long as it takes.
    binding
        Whether fewer will not do when the time is up.
    """

    rows: int
    seconds: float | None
    binding: bool = False


def opinion_of(state: ShadowState, terms: Terms, now: datetime) -> Opinion:
    """Hold what was seen of a version in shadow against what is asked of it.

    A fault of the version refuses it at once. What may yet clear, broken inputs and an alarm that
    nothing explains, is waited for, until the time is up.
    """
    if fault := _fault(state):
        return Opinion(refused=fault)
    age = now - state.challenger.value.time
    late = terms.seconds is not None and age >= timedelta(seconds=terms.seconds)
    if doubt := _doubt(state):
        return Opinion(refused=f"in shadow {doubt} when its time was up") if late else WAIT
    verdict, rows = state.judgement.verdict, state.rows
    if rows >= terms.rows:
        return Opinion(ready=True, note=f"{verdict} after {rows} rows in shadow{_agreed(state)}")
    if not late:
        return WAIT
    seen = f"shadow saw {rows} rows in {terms.seconds:g} s, fewer than {terms.rows}"
    if terms.binding:
        return Opinion(refused=f"it parts from the champion for no reason that was found; {seen}")
    return Opinion(ready=True, note=f"{seen}, and nothing against it{_agreed(state)}")


def _fault(state: ShadowState) -> str:
    """Say why a version can never be promoted, or nothing."""
    facts, rows = state.judgement.verdict.facts, state.rows
    if state.fault is not None:
        return state.fault
    if state.silent:
        total = state.silent + rows
        return f"in shadow it had no finite answer to {state.silent} of {total} requests"
    if facts.sized or facts.of_input:
        return ""
    verdict, cause = state.judgement.verdict, state.judgement.diagnosis.cause
    return f"in shadow it was judged {verdict} after {rows} rows: {cause}"


def _doubt(state: ShadowState) -> str:
    """Say what is open about a version: no accusation yet, and no clean bill either."""
    verdict = state.judgement.verdict
    if verdict.facts.of_input:
        return f"its inputs were judged {verdict}"
    evidence = state.judgement.evidence  # of the input it is the champion's as well, and no fault
    alarmed = [each.detector for each in evidence if each.alarmed and each.subject == "output"]
    return f"{' and '.join(dict.fromkeys(alarmed))} had alarmed" if alarmed else ""


def _agreed(state: ShadowState) -> str:
    if state.agreement is None:
        return ""
    return f"; it does as the champion does in {state.agreement:.0%} of {state.pairs} requests"
