"""``POST /outcomes``: what became of predictions, as durable as the predictions themselves."""

from __future__ import annotations

from time import time_ns

from plumbline.service.answer import OutcomesAnswer
from plumbline.service.errors import RequestRejectedError, UnknownLabelError
from plumbline.service.http import Answer, Request, json_answer
from plumbline.service.prediction import ModelSlots
from plumbline.service.row_log import RowLog
from plumbline.service.schema import OUTCOMES, Outcome, microseconds
from plumbline.store.outcome import OutcomeRow


class OutcomesHandler:
    """Takes outcomes in any order, late and more than once; readers keep the latest by time."""

    def __init__(self, slots: ModelSlots, row_log: RowLog) -> None:
        self._slots = slots
        self._log = row_log

    async def __call__(self, request: Request) -> Answer:
        """Record the outcomes of one request, all of them or none."""
        body = OUTCOMES.decode(request.body)
        slot = self._slots.choose(body.model)
        classes = slot.serving.predictor.manifest.classes if slot.serving else None
        received = time_ns() // 1000
        rows = [
            self._row(outcome, f"outcomes[{index}]", slot.model, classes, received)
            for index, outcome in enumerate(body.outcomes)
        ]
        await self._log.append(rows)
        return json_answer(OutcomesAnswer(accepted=len(rows)))

    @staticmethod
    def _row(
        outcome: Outcome, place: str, model: str, classes: tuple[str, ...] | None, received: int
    ) -> OutcomeRow:
        if outcome.label is None and outcome.forward_return is None:
            raise RequestRejectedError(
                f"{place} says nothing", expected="label, forward_return or both"
            )
        if outcome.label is not None and classes is not None and outcome.label not in classes:
            raise UnknownLabelError(
                f"{place}.label is {outcome.label!r}", expected={"classes": list(classes)}
            )
        return OutcomeRow(
            prediction_id=outcome.prediction_id,
            time=microseconds(outcome.time, f"{place}.time") if outcome.time else received,
            received=received,
            model=model,
            label=outcome.label,
            forward_return=outcome.forward_return,
        )
