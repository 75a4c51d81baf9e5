"""One prediction, from body to answer.

``decode → schema check → run → calibrate → decide → size → log → count → answer``, and then the
`Shadow` may ask a challenger the same. The guard before it (size limit, deadline, content type) is
in `http`; every row is checked before the model sees any, so that one bad row fails its own request
and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count, repeat
from time import perf_counter, time_ns
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np

from plumbline.bundle import purpose
from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.inputs import input_bytes, inputs_hash
from plumbline.service.answer import OutputsPrediction, PredictAnswer, Prediction
from plumbline.service.errors import (
    ModelNotFoundError,
    ModelUnavailableError,
    NonFiniteOutputError,
    RequestRejectedError,
)
from plumbline.service.http import Answer, Request
from plumbline.service.inputs import bar_times, build_inputs, occasion
from plumbline.service.judged import Judged, sampled_rows
from plumbline.service.memory import AnswerMemory
from plumbline.service.model_metrics import ModelMetrics
from plumbline.service.model_slot import ModelSlot, Serving
from plumbline.service.predictor import Predicted, Predictor
from plumbline.service.row_log import RowLog
from plumbline.service.schema import PREDICT, Instance
from plumbline.service.shadow import Shadow
from plumbline.store.prediction import PredictionRow

_PURPOSE, _CANARY = purpose.HEADER.encode(), purpose.CANARY.encode()

_encoder = msgspec.json.Encoder()


class ModelSlots:
    """The models of a worker, by name."""

    def __init__(self, slots: Sequence[ModelSlot]) -> None:
        self.all = tuple(slots)
        self._by_name = {slot.model: slot for slot in slots}

    def choose(self, name: str | None) -> ModelSlot:
        """Return the slot of this name; without a name that of the only model.

        Raises
        ------
        ModelNotFoundError
            If no such model is served.
        RequestRejectedError
            If there is no name and more than one model.
        """
        served = {"models": sorted(self._by_name)}
        if name is None:
            if len(self.all) == 1:
                return self.all[0]
            raise RequestRejectedError("several models are served: name one", expected=served)
        slot = self._by_name.get(name)
        if slot is None:
            raise ModelNotFoundError("no model of this name is served", expected=served)
        return slot


class PredictHandler:
    """``POST /predict``.

    Parameters
    ----------
    slots
        The models.
    row_log
        Where every answer is recorded before it is given.
    metrics
        Where it is counted.
    shadow
        Who asks the challengers afterwards.
    window_sample_ratio
        Share of rows recorded with their whole inputs.
    """

    def __init__(
        self,
        slots: ModelSlots,
        row_log: RowLog,
        metrics: ModelMetrics,
        shadow: Shadow,
        window_sample_ratio: float,
    ) -> None:
        self._slots = slots
        self._shadow = shadow
        self._log = row_log
        self._metrics = metrics
        self._sampled_below = round(window_sample_ratio * 2**32)
        self._memories = {slot.model: AnswerMemory() for slot in slots.all}
        self._sequence = count(time_ns() // 1000)

    async def __call__(self, request: Request) -> Answer:
        """Answer one request with one whole version of its model."""
        body = PREDICT.decode(request.body)
        slot = self._slots.choose(body.model)
        serving = slot.serving
        if serving is None:
            raise ModelUnavailableError(f"model {slot.model} cannot answer yet: {slot.reason}")
        predictor = serving.predictor
        ids = prediction_ids(slot.model, body.instances)
        inputs = build_inputs(body, predictor.manifest, self._memories[slot.model], ids)
        times = bar_times(body, predictor.manifest)
        groups = groups_of(body.instances) if predictor.takes_cross_sections else []
        predicted = predictor.predict(inputs, np.array(groups) if groups else None)
        refuse_non_finite(predicted)
        if request.headers.get(_PURPOSE) == _CANARY:
            answer = build_answer(serving, predicted, ids, sized=False)
            return Answer(_encoder.encode(answer), counted=False)
        whole = [input_bytes(predictor.manifest.inputs, inputs, i) for i in range(len(ids))]
        hashes = [inputs_hash(each) for each in whole]
        judged = Judged(
            request, body, serving, inputs, predicted, ids, groups, times, whole, hashes
        )
        await self._record(judged)
        answer = build_answer(serving, predicted, ids, sized=serving.sized)
        return Answer(_encoder.encode(answer), trace=ids[0], after=self._shadow.follow_up(judged))

    async def _record(self, judged: Judged) -> None:
        """Make the answers durable, then count and remember them."""
        predictor, predicted = judged.serving.predictor, judged.predicted
        specs = predictor.manifest.inputs
        rows = judged.rows(
            PredictionRow,
            predictor,
            predicted,
            places=range(len(judged.ids)),
            sampled=sampled_rows(judged.ids, judged.groups, self._sampled_below),
            sequence=self._sequence,
            latency_us=int((perf_counter() - judged.request.arrived) * 1e6),
        )
        await self._log.append(rows)
        symbols = [instance.symbol for instance in judged.body.instances]
        self._metrics.count_predictions(
            judged.serving,
            predicted,
            judged.inputs,
            symbols,
            judged.hashes,
            times=judged.bar_times,
        )
        if any(spec.source == "log" for spec in specs):
            self._remember(judged)

    def _remember(self, judged: Judged) -> None:
        memory = self._memories[judged.serving.predictor.manifest.name]
        decision = judged.predicted.decision
        for i, instance in enumerate(judged.body.instances):
            memory.note(
                instance.symbol,
                occasion(instance, judged.ids[i]),
                None if decision.action is None else int(decision.action[i]),
                float(decision.position[i]),
                float(decision.size[i]),
            )


def groups_of(instances: Sequence[Instance]) -> list[str]:
    """Return the cross-section of each instance: as it says, or that of its request."""
    own = uuid4().hex[:16]
    return [own if instance.group is None else instance.group for instance in instances]


def prediction_ids(model: str, instances: Sequence[Instance]) -> list[str]:
    """Return an id of 32 hexadecimal digits per instance.

    With a client's own id it depends on that and the model alone, so a retry after a lost answer is
    the same row of the log.

    Raises
    ------
    RequestRejectedError
        If two instances of a request have the same id.
    """
    given = [instance.id for instance in instances if instance.id is not None]
    if len(set(given)) != len(given):
        twice = next(name for index, name in enumerate(given) if name in given[:index])
        raise RequestRejectedError(f"two instances have the id {twice!r}", expected="unique ids")
    return [
        uuid4().hex
        if instance.id is None
        else blake2b(f"{model}\0{instance.id}".encode(), digest_size=16).hexdigest()
        for instance in instances
    ]


def refuse_non_finite(predicted: Predicted) -> None:
    """Refuse a request one of whose rows the model has no finite answer to.

    Raises
    ------
    NonFiniteOutputError
        Naming the instance.
    """
    for what, array in _numbers(predicted):
        finite = np.isfinite(array)
        if not np.logical_and.reduce(finite, axis=None):
            row = int((~finite.all(axis=1)).argmax())
            raise NonFiniteOutputError(
                f"the model's {what} for instances[{row}] are not finite: what was sent is far "
                "outside of what the model was trained on"
            )


def finite_rows(predicted: Predicted) -> BoolArray:
    """Return which rows have a finite answer, ``(n,)``."""
    finite = [np.isfinite(array).all(axis=1) for _, array in _numbers(predicted)]
    return np.asarray(np.logical_and.reduce(finite))


def _numbers(predicted: Predicted) -> Iterator[tuple[str, FloatArray]]:
    yield "outputs", predicted.raw
    yield "features", predicted.features
    for reading in predicted.readings.values():
        yield "outputs", reading.centre


def build_answer(
    serving: Serving, predicted: Predicted, ids: list[str], *, sized: bool
) -> PredictAnswer:
    """Return the answer's body; of a model with a single choice it has the short form."""
    predictor = serving.predictor
    decision = predicted.decision
    names = predictor.outputs.policy.actions
    taken = decision.action
    actions = [None] * len(ids) if taken is None else [names[place] for place in taken.tolist()]
    sizes = decision.size.tolist() if sized else [0.0] * len(ids)
    positions = decision.position.tolist()
    specs = predictor.manifest.outputs
    predictions: list[Prediction] | list[OutputsPrediction]
    if len(specs) == 1 and specs[0].kind == "choice" and taken is not None:
        (spec,) = specs
        reading = predicted.readings[spec.name]
        rows = reading.centre.tolist()
        apart: list[float] | repeat[msgspec.UnsetType] = (
            reading.epistemic.tolist() if spec.members > 1 else repeat(msgspec.UNSET, len(ids))
        )
        predictions = [
            Prediction(
                prediction_id=name,
                action=str(action),
                probabilities=dict(zip(spec.choices, row, strict=True)),
                confidence=max(row),
                position=position,
                size=size,
                epistemic=epistemic,
            )
            for name, action, row, position, size, epistemic in zip(
                ids, actions, rows, positions, sizes, apart, strict=True
            )
        ]
    else:
        predictions = [
            OutputsPrediction(
                name, actions[i], positions[i], sizes[i], _wire(predictor, predicted, i)
            )
            for i, name in enumerate(ids)
        ]
    return PredictAnswer(
        model=predictor.manifest.name,
        version=predictor.version,
        verdict=serving.verdict,
        predictions=predictions,
    )


def _wire(predictor: Predictor, predicted: Predicted, i: int) -> dict[str, dict[str, Any]]:
    """Return row ``i`` of every output as its head says it."""
    outputs = predictor.outputs
    return {
        name: outputs.heads[name].to_wire(reading, i, outputs.calibrations[name])
        for name, reading in predicted.readings.items()
    }
