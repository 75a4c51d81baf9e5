"""The gate: a bundle that has collapsed, leaks, reads the clock or knows nothing is not promoted.

```
validation rows ─► diagnose ─► the probes, in order ─► direction ─► passed, sized or not
served windows ──► diagnose, held against the reference ────────────┘
```

The judgement is `diagnosis`, the same that watches the live stream. It is asked twice: about the
validation rows, and about inputs that were really served, because a model may be sound on one
and collapsed on the other. A model that lives then faces the probes: each looks for one way to seem
good without knowing anything. Last, its direction is tested apart: a model that knows when to stand
aside and not which way passes, and suggests no sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis, Finding, Verdict
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.gate.alignment import points_backwards
from plumbline.training.gate.clock import beyond_clock
from plumbline.training.gate.direction import direction
from plumbline.training.gate.foreknowledge import foreknows
from plumbline.training.gate.ground import Ground
from plumbline.training.gate.held import Held
from plumbline.training.gate.ladder import climb, explains_too_much, score_ladder
from plumbline.training.gate.overlap import overlaps
from plumbline.training.gate.rivalry import parts_from
from plumbline.training.gate.rows import Answer
from plumbline.training.gate.served import accuses, ask, judge_served, reason_of, sound_rows
from plumbline.training.live import LiveRows
from plumbline.training.metrics import score


@dataclass(frozen=True)
class Probe:
    """One way to seem good without knowing anything, and the verdict on who does."""

    verdict: Verdict
    ask: Callable[[Held], Ruling]


PROBES = (
    Probe(Verdict.LEAK, overlaps),
    Probe(Verdict.LEAK, foreknows),
    Probe(Verdict.LEAK, explains_too_much),
    Probe(Verdict.ANTI_SIGNAL, points_backwards),
    Probe(Verdict.NO_SIGNAL, beyond_clock),
)


def judge(
    validation: Sample,
    context: Context,
    *,
    answer: Answer,
    ground: Ground | None = None,
    live: LiveRows | None = None,
    champion: tuple[Bundle, Answer] | None = None,
) -> ValidationReport:
    """Judge a bundle that is about to be written.

    Parameters
    ----------
    validation
        What the model says of the validation rows, in order, masked ones among them.
    context
        Its outputs and feature names, and its own healthy stream, against which live rows are held.
    answer
        The model that will be served.
    ground
        Older rows, from which rivals learn; without it fewer questions can be asked.
    live
        Served inputs, if there are any.
    champion
        The version that serves, and its graph, to face the same served inputs.
    """
    alone = Context(context.outputs, context.features)
    held = Held(validation, alone, context.outputs.primary, ground)
    held = replace(held, ladder=climb(held))
    found = _probed(diagnose(validation, alone), held)
    withheld, told = direction(held)
    reasons = [] if found.sound else [reason_of("validation rows", found)]
    on_live, parted = _on_served(live, answer, context, champion, withheld)
    if on_live is not None and accuses(on_live):
        reasons.append(reason_of("served windows", on_live))
    return ValidationReport(
        passed=not reasons,
        validation=found.model_copy(update={"findings": (*found.findings, *told)}),
        live=on_live,
        metrics=score(validation, context.outputs) | score_ladder(held, held.ladder),
        reasons=tuple(reasons),
        withheld=withheld,
        parted=parted,
    )


def _on_served(
    live: LiveRows | None,
    answer: Answer,
    context: Context,
    champion: tuple[Bundle, Answer] | None,
    withheld: str,
) -> tuple[Diagnosis | None, bool]:
    """Judge the model on served inputs, and say whether it parts there from the champion."""
    if live is None:
        return None, False
    said = ask(live, sound_rows(live, context), answer, context.outputs)
    found = judge_served(said, context)
    if champion is None or accuses(found):
        return found, False
    held = replace(context, outputs=replace(context.outputs, withheld=withheld))
    return found, parts_from(*champion, live, said, held)


def _probed(found: Diagnosis, held: Held) -> Diagnosis:
    """Return the diagnosis, or that of the first probe that holds of a model that lives."""
    if not found.sound:
        return found
    findings: list[Finding] = list(found.findings)
    decided: tuple[Verdict, str] | None = None
    for probe in PROBES:
        ruling = probe.ask(held)
        findings += ruling.findings
        if ruling.holds:
            decided = probe.verdict, ruling.cause
            break
    if decided is None:
        return found.model_copy(update={"findings": tuple(findings)})
    return Diagnosis(verdict=decided[0], cause=decided[1], findings=tuple(findings), n=found.n)
