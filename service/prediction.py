"""One prediction, from body to answer.

``decode → schema check → run → calibrate → decide → size → log → count → answer``. The guard before
it (size limit, deadline, content type) is in `http`; every row is checked before the model sees
any, so that one bad row fails its own request and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter, time_ns
from uuid import uuid4

import msgspec
import numpy as np

from plumbline.bundle import purpose
from plumbline.bundle.array import FloatArray
from plumbline.service.answer import PredictAnswer, Prediction
from plumbline.service.errors import (
    ModelNotFoundError,
    ModelUnavailableError,
    NonFiniteOutputError,
    RequestRejectedError,
)
from plumbline.service.http import Answer, Request
from plumbline.service.metrics import Metrics
from plumbline.service.model_slot import ModelSlot, Serving
from plumbline.service.predictor import Predicted
from plumbline.service.row_log import RowLog
from plumbline.service.schema import PREDICT, Instance, PredictRequest, build_windows, microseconds
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


@dataclass(frozen=True, slots=True)
class Judged:
    """A request and all that was found out about it, row by row."""

    request: Request
    body: PredictRequest
    serving: Serving
    windows: FloatArray
    predicted: Predicted
    ids: list[str]
    bar_times: list[int | None]


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
    window_sample_ratio
        Share of rows recorded with their whole window.
    """

    def __init__(
        self, slots: ModelSlots, row_log: RowLog, metrics: Metrics, window_sample_ratio: float
    ) -> None:
        self._slots = slots
        self._log = row_log
        self._metrics = metrics
        self._sampled_below = round(window_sample_ratio * 2**32)

    async def __call__(self, request: Request) -> Answer:
        """Answer one request with one whole version of its model."""
        body = PREDICT.decode(request.body)
        slot = self._slots.choose(body.model)
        serving = slot.serving
        if serving is None:
            raise ModelUnavailableError(f"model {slot.model} cannot answer yet: {slot.reason}")
        windows = build_windows(body, serving.predictor.manifest)
        ids = prediction_ids(slot.model, body.instances)
        bar_times = _bar_times(body)
        predicted = serving.predictor.predict(windows)
        refuse_non_finite(predicted)
        canary = request.headers.get(_PURPOSE) == _CANARY
        if not canary:
            await self._record(Judged(request, body, serving, windows, predicted, ids, bar_times))
        answer = build_answer(serving, predicted, ids, sized=serving.sized and not canary)
        return Answer(_encoder.encode(answer), counted=not canary)

    async def _record(self, judged: Judged) -> None:
        """Make the answers durable, then count them."""
        hashes = [blake2b(window, digest_size=8).hexdigest() for window in judged.windows]
        await self._log.append(self._rows(judged, hashes))
        symbols = [instance.symbol for instance in judged.body.instances]
        self._metrics.count_predictions(
            judged.serving, judged.predicted, judged.windows, symbols, hashes
        )

    def _rows(self, judged: Judged, hashes: list[str]) -> list[PredictionRow]:
        predictor, predicted, windows = judged.serving.predictor, judged.predicted, judged.windows
        probabilities = predicted.probabilities.astype(np.float32)
        now = time_ns() // 1000
        latency_us = int((perf_counter() - judged.request.arrived) * 1e6)
        return [
            PredictionRow(
                prediction_id=judged.ids[i],
                time=now,
                bar_time=judged.bar_times[i],
                symbol=instance.symbol,
                model=predictor.manifest.name,
                version=predictor.version,
                action=int(predicted.actions[i]),
                logits=predicted.logits[i].tobytes(),
                probabilities=probabilities[i].tobytes(),
                features=windows[i, -1].tobytes(),
                window_hash=hashes[i],
                latency_us=latency_us,
                window=windows[i].tobytes() if self._sampled(judged.ids[i]) else None,
            )
            for i, instance in enumerate(judged.body.instances)
        ]

    def _sampled(self, prediction_id: str) -> bool:
        return int(prediction_id[:8], 16) < self._sampled_below


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
    finite = np.isfinite(predicted.logits).all(axis=1) & np.isfinite(predicted.probabilities).all(
        axis=1
    )
    if not finite.all():
        raise NonFiniteOutputError(
            f"the model's output for instances[{int((~finite).argmax())}] is not finite: its "
            "features are far outside of what the model was trained on"
        )


def build_answer(
    serving: Serving, predicted: Predicted, ids: list[str], *, sized: bool
) -> PredictAnswer:
    """Return the answer's body."""
    classes = serving.predictor.manifest.classes
    actions = predicted.actions.tolist()
    sizes = predicted.sizes.tolist() if sized else [0.0] * len(ids)
    return PredictAnswer(
        model=serving.predictor.manifest.name,
        version=serving.predictor.version,
        verdict=serving.verdict,
        predictions=[
            Prediction(
                prediction_id=prediction_id,
                action=classes[action],
                probabilities=dict(zip(classes, row, strict=True)),
                confidence=max(row),
                size=size,
            )
            for prediction_id, action, row, size in zip(
                ids, actions, predicted.probabilities.tolist(), sizes, strict=True
            )
        ],
    )


def _bar_times(body: PredictRequest) -> list[int | None]:
    return [
        None if instance.time is None else microseconds(instance.time, f"instances[{index}].time")
        for index, instance in enumerate(body.instances)
    ]
