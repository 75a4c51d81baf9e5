"""One worker process: everything an answer needs, built once and taken down in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import structlog

from plumbline.bundle.spec import names_hash
from plumbline.service import errors
from plumbline.service.answer import (
    ModelsAnswer,
    ServedInput,
    ServedModel,
    ServedOutput,
    StatusAnswer,
)
from plumbline.service.endpoint import ENDPOINTS
from plumbline.service.errors import NotReadyError, ServiceError
from plumbline.service.http import Answer, BodyLimit, Handler, HttpApp, Request, Route, json_answer
from plumbline.service.listen_queue import ListenQueue
from plumbline.service.metrics import Metrics
from plumbline.service.model_slot import ModelSlot, Poller, Serving
from plumbline.service.openapi import build_openapi
from plumbline.service.outcome import OutcomesHandler
from plumbline.service.prediction import ModelSlots, PredictHandler
from plumbline.service.predictor import Predictor
from plumbline.service.row_log import RowLog
from plumbline.service.settings import ServiceSettings
from plumbline.service.shadow import Shadow
from plumbline.service.vitals import Vitals
from plumbline.store.observed import ObservedObjects
from plumbline.store.spool import Spool

_DRAINING_SECONDS = 0.1
_FIRST_POLL_SECONDS = 10.0

REFUSALS = tuple(
    sorted(
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ServiceError)
    )
)

log = structlog.get_logger()


class Worker:
    """The parts of a worker.

    Parameters
    ----------
    settings
        Of the service.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        load = partial(Predictor.load, backend=settings.backend, device=settings.device)
        self.metrics = Metrics(
            tuple(each.path for each in ENDPOINTS),
            REFUSALS,
            retention=settings.version_retention_seconds,
        )
        self._vitals = Vitals(self.metrics.process)
        self._queue = ListenQueue(settings.port, self.metrics.requests)
        objects = ObservedObjects(settings.store, self.metrics.store)
        self.slots = ModelSlots(
            [
                ModelSlot(objects, name, load=load, counter=self.metrics.models)
                for name in settings.models
            ]
        )
        self.shadow = Shadow(
            objects,
            settings.models,
            load=load,
            metrics=self.metrics.shadow,
            ratio=settings.shadow_ratio,
            window_ratio=settings.window_sample_ratio,
        )
        for name in settings.models:
            self.metrics.expect_model(name)
        self._settings = settings
        self._poller: Poller | None = None
        self._log: RowLog | None = None
        self._draining = watch_flag(settings.drain_flag)

    async def start(self) -> HttpApp:
        """Open the spool, look for the champions once, begin polling; return the application.

        A model that cannot be loaded does not end the worker: it says so at ``/readyz`` and goes on
        trying, where a worker that dies at its start would only be started again for ever.
        """
        settings = self._settings
        spool = Spool(settings.spool_folder, "worker", max_bytes=settings.spool_limit_bytes)
        strict = settings.log_mode == "strict"
        row_log = RowLog(
            spool, self.metrics.log, queue_rows=None if strict else settings.log_queue_rows
        )
        self._log = row_log
        self.shadow.start(row_log)
        poller = Poller(
            [
                *(slot.poll for slot in self.slots.all),
                row_log.watch,
                self.shadow.poll,
                self._show_serving,
                self._vitals.publish,
                self._queue.publish,
                self.metrics.publish,
            ],
            settings.poll_seconds,
        )
        await asyncio.to_thread(poller.start, _FIRST_POLL_SECONDS)
        self._poller = poller
        return HttpApp(
            self._routes(row_log),
            BodyLimit(settings.body_limit_bytes, settings.body_timeout_seconds),
            counter=self.metrics.requests,
            draining=self._draining,
        )

    async def stop(self) -> None:
        """Write what is queued and close the spool; what lies in it is shipped by the parent."""
        if self._poller is not None:
            await asyncio.to_thread(self._poller.stop)
        await asyncio.to_thread(self.shadow.stop)
        if self._log is not None:
            await self._log.stop()

    def _routes(self, row_log: RowLog) -> tuple[Route, ...]:
        predict = PredictHandler(
            self.slots,
            row_log,
            self.metrics.models,
            self.shadow,
            self._settings.window_sample_ratio,
        )
        document = json_answer(build_openapi(version("plumbline")))
        handlers: dict[str, Handler] = {
            "predict": predict,
            "outcomes": OutcomesHandler(self.slots, row_log),
            "models": self._models,
            "livez": _livez,
            "readyz": partial(self._readyz, row_log),
            "metrics": self._metrics,
            "openapi": partial(_always, document),
        }
        return tuple(Route(each.path, each.method, handlers[each.name]) for each in ENDPOINTS)

    async def _models(self, _: Request) -> Answer:
        serving = [slot.serving for slot in self.slots.all]
        return json_answer(ModelsAnswer([_describe(found) for found in serving if found]))

    async def _readyz(self, row_log: RowLog, _: Request) -> Answer:
        missing = {slot.model: slot.reason for slot in self.slots.all if slot.serving is None}
        reasons = [f"model {name}: {reason}" for name, reason in missing.items()]
        if row_log.fault:
            reasons.append(f"log: {row_log.fault}")
        if self._draining():
            reasons.append("stopping")
        if reasons:
            raise NotReadyError("; ".join(reasons))
        return json_answer(StatusAnswer("ready"))

    async def _metrics(self, request: Request) -> Answer:
        accept = request.headers.get(b"accept", b"").decode("latin-1")
        text, content_type = await asyncio.to_thread(self.metrics.expose, accept)
        return Answer(text, content_type=content_type.encode())

    def _show_serving(self) -> None:
        champions = [slot.serving for slot in self.slots.all if slot.serving is not None]
        roles = {"champion": champions, "shadow": self.shadow.serving}
        self.metrics.models.show_serving(
            (each, role) for role, some in roles.items() for each in some
        )


def watch_flag(path: Path) -> Callable[[], bool]:
    """Return a function that says whether the parent has announced the end.

    It does so by a file, which reaches every worker whatever its process id; the function looks ten
    times a second at most.
    """
    seen, looked_at = False, float("-inf")

    def draining() -> bool:
        nonlocal seen, looked_at
        now = monotonic()
        if now - looked_at > _DRAINING_SECONDS:
            seen, looked_at = path.exists(), now
        return seen

    return draining


def _describe(serving: Serving) -> ServedModel:
    predictor, manifest = serving.predictor, serving.predictor.manifest
    return ServedModel(
        name=manifest.name,
        version=predictor.version,
        generation=serving.generation,
        family=manifest.family,
        unit=manifest.unit,
        inputs=[
            ServedInput(
                name=spec.name,
                source=spec.source,
                shape=list(spec.shape),
                dtype=spec.dtype,
                columns=list(spec.names),
                columns_hash=spec.sha256,
                bars_needed=spec.steps if spec.source == "bars" else None,
            )
            for spec in manifest.inputs
        ],
        outputs=[
            ServedOutput(
                name=spec.name,
                kind=spec.kind,
                horizon_seconds=spec.horizon_seconds,
                members=spec.members,
                choices=list(spec.choices),
                positions=list(spec.positions),
            )
            for spec in manifest.outputs
        ],
        primary=manifest.primary,
        policy=manifest.policy.kind,
        actions=list(manifest.actions),
        features=list(manifest.feature_names),
        features_hash=names_hash(manifest.feature_names),
        bar_interval_seconds=manifest.bar_interval_seconds,
        verdict=serving.verdict,
        sized=serving.sized,
        sizes=serving.sizes,
        device=predictor.backend.device,
        loaded_at=predictor.loaded_at,
    )


async def _livez(_: Request) -> Answer:
    return json_answer(StatusAnswer("alive"))


async def _always(answer: Answer, _: Request) -> Answer:
    return answer
