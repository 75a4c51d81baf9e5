"""The monitor's own verdict asks for its own remedy."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Remedy
from plumbline.bundle.verdict import Side
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.repair.triggers.base import NOTHING, Decision, Trigger

_IGNORED = frozenset({Remedy.NONE, Remedy.REFUSE})


class VerdictTrigger(Trigger):
    """Asks for whatever remedy the present verdict names.

    `Remedy.REFUSE` belongs to a gate: a serving model is past it. Where outcomes say of one that
    serves that it has no signal, the diagnosis asks for a person instead.
    """

    name: ClassVar[str] = "verdict"

    @override
    def _wish(self, situation: Situation) -> Decision:
        judgement = situation.judgement
        diagnosis = judgement.diagnosis
        if diagnosis.remedy in _IGNORED:
            return NOTHING
        # Canaries and outcomes decide without a row: one fault of one promotion is one cause.
        decided_by = judgement.decided_by or f"generation {situation.champion.number}"
        others = "the canary" if diagnosis.verdict.facts.side is Side.ARTEFACT else "outcomes"
        row = f"prediction {judgement.decided_by}" if judgement.decided_by else others
        return Decision(
            remedy=diagnosis.remedy,
            actor="verdict",
            cause=f"{diagnosis.verdict}|{decided_by}",
            reason=f"decided by {row}",
        )
