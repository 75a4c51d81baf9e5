"""What earlier versions were like: which was last well, and what each insisted on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from plumbline.bundle.finding import Remedy
from plumbline.diagnosis.share import top_action
from plumbline.monitoring.repair.need import remedy_of
from plumbline.store.board import verdict_board
from plumbline.store.incident import Incident
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry

_ROWS = 200
_INSISTS = 0.9


class Fallback:
    """The past of one model, read from the store."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._registry = ModelRegistry(objects, model)
        self._board = verdict_board(objects, model)
        self._log = PredictionLog(objects, model)

    def last_healthy(self, *, besides: Collection[str | None]) -> str | None:
        """Return the newest former champion of which the last word was that it was well."""
        words = {head.value.version: head.value.diagnosis for head in self._board.history()}
        for target in reversed(self._registry.history()):
            version = target.value.version
            said = words.get(version)
            if version not in besides and said is not None and said.verdict.facts.well:
                return version
        return None

    def insists_on(self, version: str) -> int | None:
        """Return the action a version took in nine of ten of its newest rows, or None."""
        rows = self._log.read(version=version, limit=_ROWS)
        if len(rows) == 0:
            return None
        if rows.action.min() < 0:
            return None  # a policy without actions insists on none
        top = top_action(rows.action, int(rows.action.max()) + 1)
        return top[0] if top is not None and top[1] >= _INSISTS else None


def flips(fallback: Fallback, version: str, former: str) -> bool:
    """Whether two versions insist on an action each, and not on the same."""
    now, before = fallback.insists_on(version), fallback.insists_on(former)
    return now is not None and before is not None and now != before


def oscillates(fallback: Fallback, incident: Incident, ended: Sequence[Incident]) -> bool:
    """Whether this version came from a retrain and insists on another action than before it."""
    if remedy_of(incident) is not Remedy.RETRAIN:
        return False
    made_by = (past for past in ended if past.candidate == incident.version)
    origin = next((past for past in made_by if remedy_of(past) is Remedy.RETRAIN), None)
    return origin is not None and flips(fallback, incident.version, origin.version)
