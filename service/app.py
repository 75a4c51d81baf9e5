"""The service: BentoML as the shell, the request path ours. Start reading here.

``plumbline serve`` (`server`) runs ``bentoml serve service.app:plumbline``. BentoML supervises the
worker processes, owns the listening socket, respawns what dies and runs the two hooks below. In
each worker `FrontedService` puts our own application before BentoML's, which is left with the
lifespan::

    uvicorn ─► Front ─┬─ http ──────► http.HttpApp ─► prediction.PredictHandler ─► …
                      └─ lifespan ──► BentoML ─► Plumbline.start, Plumbline.stop

Mounting it the usual way (`bentoml.asgi_app`) would leave BentoML's tracing and timeout layers and
its own routes in front: layers that cost more than the model, leave a timer behind for a minute
after each request, and answer ``/livez``, ``/docs.json`` and errors in their own words.

A prediction goes on in `prediction`; a swap in `model_slot`; a row in `row_log`.
"""

from __future__ import annotations

import gc
from typing import Any

import bentoml
from _bentoml_sdk import Service  # type: ignore[import-untyped]  # it has none
from typing_extensions import override

from plumbline.service.http import HttpApp, Receive, Scope, Send
from plumbline.service.settings import ServiceSettings
from plumbline.service.worker import Worker
from plumbline.store.logs import configure_logging


class Front:
    """Sends requests to our application and the lifespan to BentoML's."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.app: HttpApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; uvicorn sends none before the start-up hook has set `app`."""
        if scope["type"] == "lifespan" or self.app is None:
            await self._shell(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class FrontedService(Service[Any]):  # type: ignore[misc]  # an untyped base class
    """A BentoML service whose requests pass none of BentoML's layers."""

    @override
    def to_asgi(self, is_main: bool = True) -> Any:
        front = Front(super().to_asgi(is_main))
        self.inner.front = front
        return front


class Plumbline:
    """What BentoML starts and stops in each worker."""

    front: Front

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # bentoml is not typed for mypy
    async def start(self) -> None:
        """Build the worker and open the front."""
        self._worker = Worker(ServiceSettings.load())
        type(self).front.app = await self._worker.start()
        gc.collect()
        gc.freeze()  # what is loaded now stays; collections need not look at it again

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # as above
    async def stop(self) -> None:
        """Take the worker down; BentoML has finished the requests under way."""
        await self._worker.stop()


def build_service(settings: ServiceSettings) -> Any:
    """Return the BentoML service for these settings.

    BentoML has set up its own logging by now, in its parent process and in each worker, and says
    something before it calls the hook that starts a worker: so logging takes its form here.
    """
    configure_logging()
    decorate = bentoml.service(
        name="plumbline",
        service_class=FrontedService,
        workers=settings.workers,
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
    )
    return decorate(Plumbline)


plumbline = build_service(ServiceSettings.load())
