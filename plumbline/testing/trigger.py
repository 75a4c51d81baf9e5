"""The contract of triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from plumbline.bundle.finding import Diagnosis, Remedy, Verdict
from plumbline.bundle.verdict import Side
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Trigger
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.incident import Origin
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget
from plumbline.testing.contract import hold, require, require_kind

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
COOLDOWN = timedelta(hours=1)
TARGET = AliasTarget(version="0123456789abcdef", actor="a", reason="r", time=NOW)


def situation(verdict: Verdict, *, asked: bool = False, rows: int = 50, **more: Any) -> Situation:
    """Return a moment of a model, for triggers to look at.

    Parameters
    ----------
    verdict
        What is said of the version that serves.
    asked
        Whether a webhook and a person ask for a retrain.
    rows
        Predictions judged.
    more
        Further fields of a `Situation`.
    """
    diagnosis = Diagnosis(verdict=verdict, cause="why", n=rows)
    requests = tuple(
        Request(id=f"{n:016x}", kind=kind, actor="ada", reason="please", received=NOW)
        for n, kind in enumerate(RequestKind)
    )
    judgement = Judgement(
        diagnosis=diagnosis, decided_by="row-1", detected_after=9, rows=rows, evidence=()
    )
    return Situation(
        model="m",
        champion=Generation(3, TARGET),
        judgement=judgement,
        requests=requests if asked else (),
        **more,
    )


def check_trigger(
    kind: type[Trigger], parameters: Mapping[str, Any] | None = None, *, asking: Situation
) -> None:
    """Hold a trigger to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``; its defaults if left out.
    asking
        A situation in which it asks for a retrain, from `situation`.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Trigger)
    hold(kind.__qualname__, _PROMISES, _Subject(kind, dict(parameters or {}), asking))


@dataclass(frozen=True)
class _Subject:
    kind: type[Trigger]
    parameters: dict[str, Any]
    asking: Situation

    def build(self, **more: Any) -> Trigger:
        return self.kind(self.kind.Params.model_validate({**self.parameters, **more}))


def _is_silent_when_all_is_well(subject: _Subject) -> None:
    """Nobody asked, the verdict is healthy, few predictions: nothing."""
    decision = subject.build().decide(situation(Verdict.HEALTHY), NOW)
    require(decision == NOTHING, f"it asks to {decision.remedy.value} when all is well")


def _asks_in_its_case(subject: _Subject) -> None:
    """In its case it asks for a retrain, with a reason, an actor and a cause."""
    decision = subject.build().decide(subject.asking, NOW)
    require(decision.remedy is Remedy.RETRAIN, f"it asks for {decision.remedy.value}")
    lacking = [each for each in ("actor", "cause", "reason") if not getattr(decision, each)]
    require(not lacking, f"its decision has no {', '.join(lacking)}")


def _has_no_memory(subject: _Subject) -> None:
    """Equal situations get equal decisions, whoever is asked and how often."""
    trigger = subject.build()
    first = trigger.decide(subject.asking, NOW)
    require(trigger.decide(subject.asking, NOW) == first, "asking twice changes the decision")
    other = subject.build().decide(subject.asking, NOW + COOLDOWN)
    require(other == first, "another instance decides otherwise an hour later")


def _keeps_the_cooldown(subject: _Subject) -> None:
    """Silent until the second at which the cool-down ends, and not after."""
    trigger = subject.build(cooldown=COOLDOWN)
    recent = replace(subject.asking, last_retrain=NOW)
    early = trigger.decide(recent, NOW + COOLDOWN - timedelta(seconds=1))
    require(early == NOTHING, "it asks for a retrain before the cool-down is over")
    late = trigger.decide(recent, NOW + COOLDOWN)
    require(late.remedy is Remedy.RETRAIN, "it is still silent when the cool-down is over")


def _leaves_broken_inputs_alone(subject: _Subject) -> None:
    """No retrain while the inputs are broken; else orders go on, and routines about outcomes."""
    for verdict in (each for each in Verdict if each.facts.remedy is Remedy.CALL):
        decision = subject.build().decide(situation(verdict, asked=True, rows=1_000), NOW)
        lost = decision.origin is Origin.ROUTINE and verdict.facts.side is Side.DATA
        free = not verdict.facts.of_input and (lost or decision.origin is Origin.ORDER)
        said = f"it asks for a retrain under {verdict}"
        require(free or decision.remedy is not Remedy.RETRAIN, said)


_PROMISES = (
    _is_silent_when_all_is_well,
    _asks_in_its_case,
    _has_no_memory,
    _keeps_the_cooldown,
    _leaves_broken_inputs_alone,
)
