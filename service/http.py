"""HTTP over ASGI, as little of it as the request path needs.

BentoML's own layers would cost a millisecond a request, have no body limit and answer errors in
three shapes, so none of them sees a request: `app` puts this before them. A handler takes a
`Request` and returns an `Answer` or raises a `ServiceError`; every error leaves as ``{"error":
{…}}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeAlias

import msgspec
import structlog

from plumbline.service.errors import (
    BodyTooLargeError,
    BodyTooSlowError,
    MethodNotAllowedError,
    RouteNotFoundError,
    ServiceError,
    UnsupportedMediaTypeError,
)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
OTHER = "other"
"""Route label of every path that is not ours: random paths must not make new series."""

_DISCARDED_BYTES = 16 * 2**20
_DISCARDING_SECONDS = 2.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler may look at."""

    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back; ``after`` is called once it has been sent.

    ``trace`` is the id by which people find the request again.
    """

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    counted: bool = True
    trace: str | None = None
    after: Callable[[], None] | None = None


Handler: TypeAlias = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """One path: its methods, and whether it takes a JSON body."""

    path: str
    method: str
    handler: Handler

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that are allowed; whoever may GET may HEAD."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


@dataclass(frozen=True)
class BodyLimit:
    """How large a body may be and how long it may take."""

    size: int
    seconds: float


class RequestCounter(Protocol):
    """Where requests are counted; `request_metrics.RequestMetrics` is one."""

    def begin_request(self) -> None:
        """Note that a request with a body has arrived; `end_request` follows in any case."""

    def end_request(self) -> None:
        """Note that it has left."""

    def count_request(
        self, route: str, seconds: float, code: int = 200, trace: str | None = None
    ) -> None:
        """Count one answered request by its route template, HTTP status and trace."""

    def count_refusal(self, code: str) -> None:
        """Count one refused request by its error code."""


class HttpApp:
    """An ASGI application over a table of routes.

    Parameters
    ----------
    routes
        Exact paths.
    limit
        Of bodies.
    counter
        Counts answers and refusals, or None.
    draining
        Whether clients should go elsewhere: answers then close their connection.
    guard
        Sees the headers of every request first and may raise a `ServiceError`.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        limit: BodyLimit,
        *,
        counter: RequestCounter | None = None,
        draining: Callable[[], bool] = lambda: False,
        guard: Callable[[Mapping[bytes, bytes]], None] = lambda _: None,
    ) -> None:
        self._routes = {route.path: route for route in routes}
        self._limit = limit
        self._counter = counter
        self._draining = draining
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of connection are closed."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003})
        elif scope["type"] == "http":
            route = self._routes.get(scope["path"])
            if self._counter is None or route is None or route.method != "POST":
                await self._answer(route, scope, receive, send)
                return
            self._counter.begin_request()
            try:
                await self._answer(route, scope, receive, send)
            finally:
                self._counter.end_request()

    async def _answer(
        self, route: Route | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        arrived = perf_counter()
        close = self._draining()
        extra: Mapping[str, str] = {}
        try:
            answer = await self._handle(route, scope, receive, arrived)
        except ServiceError as error:
            answer, extra = error_answer(error), error.headers
            close = close or isinstance(error, BodyTooLargeError | BodyTooSlowError)
            if self._counter:
                self._counter.count_refusal(error.code)
        except ClientGoneError:
            return
        except Exception:
            log.exception("request_failed", route=route.path if route else OTHER)
            answer = error_answer(ServiceError("something went wrong here; it has been logged"))
            if self._counter:
                self._counter.count_refusal(ServiceError.code)
        await _send(send, answer, extra, close)
        if self._counter and answer.counted:
            path = route.path if route else OTHER
            took = perf_counter() - arrived
            self._counter.count_request(path, took, answer.status, answer.trace)
        if answer.after is not None:
            answer.after()

    async def _handle(
        self, route: Route | None, scope: Scope, receive: Receive, arrived: float
    ) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._guard(headers)
        if route is None:
            known = sorted(self._routes)
            raise RouteNotFoundError("there is no such path", expected={"paths": known})
        if scope["method"] not in route.methods:
            raise MethodNotAllowedError(scope["method"], route.methods)
        body = b""
        if route.method == "POST":
            refuse_other_types(headers)
            body = await read_body(receive, headers, self._limit)
        return await route.handler(
            Request(route.path, scope["query_string"], headers, body, arrived)
        )


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete: nobody is there."""


def refuse_other_types(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that is not declared as JSON in UTF-8, uncompressed.

    Raises
    ------
    UnsupportedMediaTypeError
        Naming what was declared.
    """
    declared = headers.get(b"content-type", b"")
    kind, _, parameters = declared.lower().partition(b";")
    fits = kind.strip() == JSON and parameters.strip().replace(b'"', b"") in (b"", b"charset=utf-8")
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if not fits or encoding != b"identity":
        found = f"content-type {declared.decode('latin-1')!r}" if not fits else "a compressed body"
        raise UnsupportedMediaTypeError(
            f"{found} is not supported", expected={"content-type": JSON.decode()}
        )


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], limit: BodyLimit) -> bytes:
    """Return the body, never holding more than the limit.

    Raises
    ------
    BodyTooLargeError
        By its declared length at once, or as soon as more has come.
    BodyTooSlowError
        If it is not complete in time.
    ClientGoneError
        If the connection closed.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > limit.size:
        if b"expect" not in headers:
            await _discard(receive)
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limit.seconds):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGoneError
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > limit.size:
                    break
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError as error:
        raise BodyTooSlowError(
            f"the body did not arrive within {limit.seconds:g} s",
            expected={"bytes": declared.decode()},
        ) from error
    await _discard(receive)
    raise _too_large(limit)


async def _discard(receive: Receive) -> None:
    """Read on for a moment, keeping nothing.

    A client that is still sending when the connection closes gets a reset and may never read the
    answer; most bodies that are too large are so by little.
    """
    left = _DISCARDED_BYTES
    try:
        async with asyncio.timeout(_DISCARDING_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


def _too_large(limit: BodyLimit) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body is larger than {limit.size} bytes: send fewer instances at once",
        expected={"max_bytes": limit.size},
    )


def error_answer(error: ServiceError) -> Answer:
    """Return the one shape every error has."""
    content: dict[str, object] = {"code": error.code, "message": error.message}
    if error.expected is not None:
        content["expected"] = error.expected
    return Answer(msgspec.json.encode({"error": content}), error.status)


def json_answer(value: object, *, counted: bool = True) -> Answer:
    """Return a value as JSON."""
    return Answer(msgspec.json.encode(value), counted=counted)


async def _send(send: Send, answer: Answer, extra: Mapping[str, str], close: bool) -> None:
    headers = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    headers += [(name.encode(), value.encode()) for name, value in extra.items()]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
