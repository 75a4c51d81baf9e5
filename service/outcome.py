"""``POST /outcomes``: what became of predictions, as durable as the predictions themselves."""

from __future__ import annotations

from time import time_ns

from plumbline.bundle.manifest import Manifest
from plumbline.bundle.moment import SECOND, moment_of
from plumbline.service.answer import OutcomesAnswer
from plumbline.service.errors import (
    ModelUnavailableError,
    RequestRejectedError,
    UnknownLabelError,
)
from plumbline.service.http import Answer, Request, json_answer
from plumbline.service.prediction import ModelSlots
from plumbline.service.row_log import RowLog
from plumbline.service.schema import OUTCOMES, Outcome, microseconds
from plumbline.store.outcome import SKEW, OutcomeRow


class OutcomesHandler:
    """Takes outcomes in any order, late and more than once; readers keep the latest by time."""

    def __init__(self, slots: ModelSlots, row_log: RowLog) -> None:
        self._slots = slots
        self._log = row_log

    async def __call__(self, request: Request) -> Answer:
        """Record the outcomes of one request, all of them or none."""
        body = OUTCOMES.decode(request.body)
        slot = self._slots.choose(body.model)
        manifest = slot.serving.predictor.manifest if slot.serving else None
        received = time_ns() // 1000
        rows = [
            _row(outcome, f"outcomes[{index}]", slot.model, manifest, received)
            for index, outcome in enumerate(body.outcomes)
        ]
        await self._log.append(rows)
        return json_answer(OutcomesAnswer(accepted=len(rows)))


def _row(
    outcome: Outcome, place: str, model: str, manifest: Manifest | None, received: int
) -> OutcomeRow:
    if outcome.label is None and outcome.value is None:
        raise RequestRejectedError(f"{place} says nothing", expected="label, value or both")
    if manifest is not None:
        _check_output(outcome, place, manifest)
    output = outcome.output or (manifest.primary if manifest else "")
    if not output:
        raise ModelUnavailableError(
            f"model {model} is not loaded, so that its primary output is not known: name the output"
        )
    known_at = received
    if outcome.known_at:
        known_at = microseconds(outcome.known_at, f"{place}.known_at")
    _refuse_future(known_at, received, place)
    return OutcomeRow(
        prediction_id=outcome.prediction_id,
        known_at=known_at,
        received=received,
        model=model,
        output=output,
        label=outcome.label,
        value=outcome.value,
    )


def _refuse_future(known_at: int, received: int, place: str) -> None:
    """Refuse what cannot be known yet: the last known wins, so it would win for ever."""
    if known_at > received + SKEW:
        raise RequestRejectedError(
            f"{place}.known_at is {moment_of(known_at).isoformat()}, and it is "
            f"{moment_of(received).isoformat()} here: an outcome is known before it is sent",
            expected={"known_at": f"at most {SKEW // SECOND} s after the service's clock"},
        )


def _check_output(outcome: Outcome, place: str, manifest: Manifest) -> None:
    """Hold an outcome to the outputs of the version that serves."""
    names = [spec.name for spec in manifest.outputs]
    if outcome.output is not None and outcome.output not in names:
        raise UnknownLabelError(
            f"{place}.output is {outcome.output!r}", expected={"outputs": names}
        )
    spec = manifest.output(outcome.output or manifest.primary)
    if outcome.label is not None and not spec.choices:
        raise UnknownLabelError(
            f"{place}.label is {outcome.label!r}, and output {spec.name} is a {spec.kind} without "
            "choices",
            expected="value",
        )
    if outcome.label is not None and outcome.label not in spec.choices:
        raise UnknownLabelError(
            f"{place}.label is {outcome.label!r}", expected={"choices": list(spec.choices)}
        )
