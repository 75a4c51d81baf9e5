"""What a person can have done: acknowledge, retrain, promote, roll back, accept inputs.

Each is written into the store under the person's name, for whichever monitor leads to act on.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping

from plumbline.bundle.errors import BundleError
from plumbline.monitoring.errors import OrderError
from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.repair.controller import utc_now
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.store.acceptance import Acceptance, Acceptances
from plumbline.store.acknowledgement import Acknowledgement, Acknowledgements
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError
from plumbline.store.incident import IncidentBook
from plumbline.store.registry import ModelRegistry

_LONGEST = 1_000
_INCIDENT = re.compile("[0-9a-f]{16}")


class Orders:
    """Carries out orders about one monitor's model."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._model = monitor.settings.model
        self._registry = ModelRegistry(monitor.objects, self._model)
        self._known: Mapping[str, Callable[[str, Mapping[str, str]], str]] = {
            "acknowledge": self._acknowledge,
            "retrain": self._retrain,
            "promote": self._promote,
            "rollback": self._roll_back,
            "accept-inputs": self._accept,
        }

    def carry_out(self, what: str, actor: str, form: Mapping[str, str]) -> str:
        """Do what a form says and return what was done, in a sentence.

        Raises
        ------
        OrderError
            If it is no order, or was refused.
        StoreError
            If the store failed; order it again.
        """
        if what not in self._known:
            raise OrderError(f"{what!r} is no order; there are {', '.join(self._known)}")
        try:
            return self._known[what](actor, form)
        except (RefusedError, ConflictError, NotFoundError, BundleError) as error:
            raise OrderError(str(error)) from error

    def retrain(self, actor: str, reason: str) -> str:
        """Ask for a retrain and return the request's id."""
        wish = Request(
            id=uuid.uuid4().hex[:16],
            kind=RequestKind.PERSON,
            actor=actor,
            reason=reason,
            received=utc_now(),
        )
        self._monitor.controller.requests.put(wish)
        return wish.id

    def _acknowledge(self, actor: str, form: Mapping[str, str]) -> str:
        name = form.get("incident", "")
        if _INCIDENT.fullmatch(name) is None:
            raise OrderError(f"{name!r} is not the id of an incident")
        incident = IncidentBook(self._monitor.objects, self._model).get(name).value.id
        said = Acknowledgement(
            incident=incident,
            actor=actor,
            note=form.get("reason", "").strip()[:_LONGEST],
            time=utc_now(),
        )
        try:
            Acknowledgements(self._monitor.objects, self._model).put(said)
        except ConflictError as error:
            raise OrderError("somebody has acknowledged this incident already") from error
        return f"You have acknowledged incident {incident}."

    def _retrain(self, actor: str, form: Mapping[str, str]) -> str:
        request = self.retrain(actor, _reason(form))
        return (
            f"A retrain is ordered (request {request}). It begins when nothing stands against it."
        )

    def _promote(self, actor: str, form: Mapping[str, str]) -> str:
        version = self._registry.resolve(form.get("version", ""))
        made = self._registry.promote(
            version, actor=actor, reason=_reason(form), expected=_generation(form)
        )
        return f"{made.value.version} is promoted; the service swaps it in without a restart."

    def _roll_back(self, actor: str, form: Mapping[str, str]) -> str:
        champion = self._registry.alias()
        if champion is not None and _generation(form) not in (None, champion.number):
            raise OrderError("somebody has moved the champion since you saw the page: look again")
        to = self._registry.resolve(form["version"]) if form.get("version") else None
        made = self._registry.rollback(actor=actor, reason=_reason(form), to=to)
        return f"{made.value.version} serves again."

    def _accept(self, actor: str, form: Mapping[str, str]) -> str:
        accepted = Acceptance(
            version=self._registry.resolve("champion"),
            time=utc_now(),
            actor=actor,
            reason=_reason(form),
            symbols=_names(form, "symbols"),
            clients=_names(form, "clients"),
        )
        Acceptances(self._monitor.objects, self._model).accept(accepted)
        return f"The inputs of {accepted.version} are accepted as they are now."


def _reason(form: Mapping[str, str]) -> str:
    reason = form.get("reason", "").strip()
    if not 0 < len(reason) <= _LONGEST:
        raise OrderError(f"a reason stays on record: expected 1 to {_LONGEST:,} characters")
    return reason


def _generation(form: Mapping[str, str]) -> int | None:
    text = form.get("generation", "")
    return int(text) if text.isdecimal() else None


def _names(form: Mapping[str, str], field: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in form.get(field, "").split(",") if name.strip())
