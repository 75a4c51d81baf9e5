"""Putting a confirmed fault of answers into a sentence and a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.exact.answers import (
    AnswerRelation,
    Answers,
    Slack,
    relate_answers,
    who,
    worker,
)
from plumbline.monitoring.watching.audit.account import Account
from plumbline.monitoring.watching.audit.answer_fault import AnswerFault
from plumbline.monitoring.watching.audit.doubt import Doubt, Standing
from plumbline.monitoring.watching.audit.reading import ReadingCheck

_UNKNOWN = AnswerRelation("otherwise", "they are unlike the right ones")


def name_answer_fault(bundle: Bundle, doubt: Doubt, account: Account, slack: Slack) -> AnswerFault:
    """Name a fault of raw numbers by the newest rows kept with their inputs."""
    answers = account.answers(slack)
    relation, own = _UNKNOWN, ""
    if answers is not None and answers.wrong.any():
        relation = relate_answers(answers, bundle.manifest.outputs)
        own = worker(_since_first(answers))
    which = who(_counts(doubt), doubt.sound) + (f", those of {own}," if own else "")
    cause = (
        f"The service does not answer what version {bundle.version} says of the inputs it logs: "
        f"asked again, {which} come out otherwise; {relation.said}."
    )
    return _fault("answer", cause, relation, doubt)


def name_reading_fault(
    bundle: Bundle, doubt: Doubt, reading: ReadingCheck, account: Account
) -> AnswerFault:
    """Name a fault of calibration or policy by the newest rows that were read otherwise."""
    kind, said, version = reading.relate(account.others)
    which = who(_counts(doubt), doubt.sound)
    cause = (
        f"Logged raw numbers are not read as version {bundle.version} reads them, with its "
        f"calibration and its policy: {which}; {said}."
    )
    return _fault("reading", cause, AnswerRelation(kind, said, version=version), doubt)


def _confirmed(doubt: Doubt) -> Standing:
    if doubt.standing is None:
        raise ValueError("there is no confirmed fault to name")
    return doubt.standing


def _counts(doubt: Doubt) -> dict[str, tuple[int, int]]:
    """Return by accused symbol how many answers were checked and how many were wrong."""
    accused = sorted(_confirmed(doubt).symbols)
    return {each: doubt.counts[each] for each in accused if each in doubt.counts}


def _fault(
    kind: Literal["answer", "reading"],
    cause: str,
    relation: AnswerRelation,
    doubt: Doubt,
) -> AnswerFault:
    standing, counts = _confirmed(doubt), _counts(doubt)
    n = sum(each for each, _ in counts.values())
    share = sum(wrong for _, wrong in counts.values()) / max(n, 1)
    finding = Finding(
        name="replay" if kind == "answer" else "reading",
        level=Level.FAIL,
        value=share,
        threshold=0.0,
        n=n,
        message=cause,
        output=relation.outputs[0] if len(relation.outputs) == 1 else "",
    )
    return AnswerFault(
        kind=kind,
        symbols=tuple(sorted(standing.symbols)),
        everywhere=not doubt.sound,
        row=standing.place,
        since_rows=standing.since_rows,
        relation=relation.kind,
        share=share,
        outputs=relation.outputs,
        version=relation.version,
        cause=cause,
        finding=finding,
        counts=counts,
    )


def _since_first(answers: Answers) -> Answers:
    """Return the rows from the first wrong one on."""
    rows = slice(int(answers.wrong.argmax()), None)
    return replace(
        answers,
        logged=answers.logged[rows],
        right=answers.right[rows],
        symbol=answers.symbol[rows],
        seq=answers.seq[rows],
        others={},
    )
