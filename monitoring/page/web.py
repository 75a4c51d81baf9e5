"""The monitor's port: what Alertmanager and programs may ask, metrics, and the pages of `Desk`."""

from __future__ import annotations

import hmac
from datetime import timedelta
from importlib.resources import files
from typing import TypeVar

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page import reply
from plumbline.monitoring.page.desk import ACTOR, Desk
from plumbline.monitoring.page.orders import Orders
from plumbline.monitoring.repair.alert import AlertGroup
from plumbline.monitoring.repair.controller import utc_now
from plumbline.store.errors import StoreError

_STALE_ROUNDS = 20
_STALE_SECONDS = 30.0

log = structlog.get_logger()
T = TypeVar("T", bound=BaseModel)


class RetrainOrder(BaseModel):
    """What a person who wants a retrain says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: str = Field(min_length=1, max_length=100, pattern=ACTOR)
    reason: str = Field(min_length=1, max_length=1_000)


_STATIC = str(files("plumbline.monitoring.page") / "static")


class Web:
    """The endpoints of one monitor."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._desk = Desk(monitor)
        self._orders = Orders(monitor)

    def app(self) -> Starlette:
        """Build the application."""
        routes = [
            *self._desk.routes(),
            Route("/api/status", self.status),
            Route("/alerts", self.alerts, methods=["POST"]),
            Route("/retrain", self.retrain, methods=["POST"]),
            Route("/metrics", self.metrics),
            Route("/livez", self.livez),
            Route("/readyz", self.readyz),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
        handlers = {HTTPException: _show_error, StoreError: _show_store_error}
        return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # each takes its own error

    async def status(self, _: HttpRequest) -> Response:
        """Serve all that the page shows as JSON."""
        text = await run_in_threadpool(lambda: self._desk.status().to_json())
        return Response(text, media_type="application/json")

    async def metrics(self, request: HttpRequest) -> Response:
        """Serve what Prometheus reads, as it asks for it."""
        accept = request.headers.get("accept", "")
        text, kind = await run_in_threadpool(self._monitor.metrics.exposition, accept)
        return Response(text, headers={"content-type": kind})

    async def livez(self, _: HttpRequest) -> Response:
        """Say that the process answers."""
        return JSONResponse({"alive": True})

    async def readyz(self, _: HttpRequest) -> Response:
        """Say whether the control loop goes round."""
        monitor = self._monitor
        limit = max(_STALE_SECONDS, _STALE_ROUNDS * monitor.settings.poll_seconds)
        last = monitor.last_success
        ready = last is not None and utc_now() - last < timedelta(seconds=limit)
        why = None if ready else monitor.status.error or "the control loop has not gone round yet"
        return JSONResponse({"ready": ready, "reason": why}, status_code=200 if ready else 503)

    async def alerts(self, request: HttpRequest) -> Response:
        """Take in a delivery of Alertmanager; the same one again changes nothing."""
        _check_token(request, self._monitor.settings.alert_token)
        group = await _parse(request, AlertGroup)
        counts = await run_in_threadpool(self._take_alerts, group)
        log.info("webhook_received", **counts)
        return JSONResponse(counts)

    def _take_alerts(self, group: AlertGroup) -> dict[str, int]:
        counts = {"accepted": 0, "repeated": 0, "resolved": 0, "ignored": 0}
        for alert in group.alerts:
            if alert.labels.get("model") != self._monitor.settings.model:
                result = "ignored"
            elif alert.status == "resolved":
                self._monitor.controller.requests.resolve(alert.request_id)
                result = "resolved"
            else:
                new = self._monitor.controller.requests.put(alert.request(utc_now()))
                result = "accepted" if new else "repeated"
            counts[result] += 1
            self._monitor.metrics.webhooks.labels(result).inc()
        return counts

    async def retrain(self, request: HttpRequest) -> Response:
        """Take in a person's order; the controller carries it out when it may."""
        token = self._monitor.settings.token
        if token is None:
            raise HTTPException(
                403, "no token is set: set PLUMBLINE_MONITORING_TOKEN to let people order retrains"
            )
        _check_token(request, token)
        order = await _parse(request, RetrainOrder)
        request_id = await run_in_threadpool(self._orders.retrain, order.actor, order.reason)
        return JSONResponse({"request": request_id}, status_code=202)


def _check_token(request: HttpRequest, token: SecretStr | None) -> None:
    """Refuse a request without the bearer token, in constant time."""
    if token is None:
        return
    given = request.headers.get("authorization", "")
    if not hmac.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode()):
        raise HTTPException(401, "expected the header `Authorization: Bearer <token>`")


async def _parse(request: HttpRequest, kind: type[T]) -> T:
    """Read a JSON body of at most 1 MiB; 413, 415 or 422 say what was wrong with it."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "expected the content type application/json")
    try:
        return kind.model_validate_json(await reply.body_of(request))
    except reply.TooLargeError as error:
        raise HTTPException(413, str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise HTTPException(422, f"{place}: {first['msg']}") from error


async def _show_error(_: HttpRequest, error: HTTPException) -> Response:
    return reply.error(error.status_code, error.detail)


async def _show_store_error(_: HttpRequest, error: StoreError) -> Response:
    log.warning("store_failed", reason=str(error))
    return reply.error(503, "the store did not do it; send it again")
