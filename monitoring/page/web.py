"""The monitor's port: the status page, what Alertmanager and people may ask, and metrics."""

from __future__ import annotations

import hmac
import uuid
from datetime import timedelta
from http import HTTPStatus
from importlib.resources import files
from typing import TypeVar

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from plumbline.monitoring.monitor import Monitor
from plumbline.monitoring.page.view import Page
from plumbline.monitoring.repair.alert import AlertGroup
from plumbline.monitoring.repair.controller import utc_now
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.store.errors import NotFoundError, StoreError
from plumbline.store.report import read_report
from plumbline.store.run import Runs

MAX_BODY_BYTES = 1 << 20
_STALE_ROUNDS = 20
_STALE_SECONDS = 30.0
_PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"  # noqa: E501  # one header
# Evidently's page brings its own scripts: they run, but apart from this site and from the network.
_REPORT_POLICY = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"  # noqa: E501  # one header
# The page of a training has no scripts, and shall have none.
_RUN_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

log = structlog.get_logger()
T = TypeVar("T", bound=BaseModel)


class RetrainOrder(BaseModel):
    """What a person who wants a retrain says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actor: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f|]+$")
    reason: str = Field(min_length=1, max_length=1_000)


_STATIC = str(files("plumbline.monitoring.page") / "static")


class Web:
    """The endpoints of one monitor."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._page = Page()

    def app(self) -> Starlette:
        """Build the application."""
        routes = [
            Route("/", self.page),
            Route("/live", self.live),
            Route("/api/status", self.status),
            Route("/alerts", self.alerts, methods=["POST"]),
            Route("/retrain", self.retrain, methods=["POST"]),
            Route("/reports/{name}", self.report),
            Route("/runs/{run}", self.run),
            Route("/metrics", self.metrics),
            Route("/livez", self.livez),
            Route("/readyz", self.readyz),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
        handlers = {HTTPException: _show_error, StoreError: _show_store_error}
        return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # each takes its own error

    async def page(self, _: HttpRequest) -> Response:
        """Serve the status page."""
        return _html(self._page.render(self._monitor.status))

    async def live(self, _: HttpRequest) -> Response:
        """Serve the part of it that changes."""
        return _html(self._page.render_live(self._monitor.status))

    async def status(self, _: HttpRequest) -> Response:
        """Serve the same as JSON."""
        return Response(self._monitor.status.to_json(), media_type="application/json")

    async def metrics(self, _: HttpRequest) -> Response:
        """Serve what Prometheus reads."""
        text = await run_in_threadpool(self._monitor.metrics.exposition)
        return Response(text, headers={"content-type": CONTENT_TYPE_LATEST})

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

    async def report(self, request: HttpRequest) -> Response:
        """Serve a drift report, apart from everything else."""
        name, monitor = request.path_params["name"], self._monitor
        try:
            page = await run_in_threadpool(
                read_report, monitor.objects, monitor.settings.model, name
            )
        except NotFoundError as error:
            raise HTTPException(404, str(error)) from error
        return HTMLResponse(page, headers={"content-security-policy": _REPORT_POLICY, **_COMMON})

    async def run(self, request: HttpRequest) -> Response:
        """Serve the page of a training; nothing in it can run."""
        runs = Runs(self._monitor.objects, self._monitor.settings.model)
        try:
            page = await run_in_threadpool(runs.report, request.path_params["run"])
        except NotFoundError as error:
            raise HTTPException(404, str(error)) from error
        return HTMLResponse(page, headers={"content-security-policy": _RUN_POLICY, **_COMMON})

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
        wish = Request(
            id=uuid.uuid4().hex[:16],
            kind=RequestKind.PERSON,
            actor=order.actor,
            reason=order.reason,
            received=utc_now(),
        )
        await run_in_threadpool(self._monitor.controller.requests.put, wish)
        return JSONResponse({"request": wish.id}, status_code=202)


_COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def _html(text: str) -> Response:
    return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY, **_COMMON})


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
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"expected at most {MAX_BODY_BYTES} bytes")
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise HTTPException(422, f"{place}: {first['msg']}") from error


async def _show_error(_: HttpRequest, error: HTTPException) -> Response:
    return _error(error.status_code, error.detail)


async def _show_store_error(_: HttpRequest, error: StoreError) -> Response:
    log.warning("store_failed", reason=str(error))
    return _error(503, "the store did not do it; send it again")


def _error(status: int, message: str) -> Response:
    return JSONResponse(
        {"error": {"code": HTTPStatus(status).name.lower(), "message": message}}, status_code=status
    )
