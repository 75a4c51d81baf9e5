"""The guard: limits, deadlines, content types, and one shape of error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import pytest

from plumbline.service.errors import ServiceError
from plumbline.service.http import OTHER, Answer, BodyLimit, HttpApp, Request, Route

LIMIT = BodyLimit(size=100, seconds=0.05)


async def echo(request: Request) -> Answer:
    """Answer with the body."""
    return Answer(request.body)


async def fail(_: Request) -> Answer:
    """Fail as only a mistake of ours can."""
    raise KeyError("a secret cause")


class Counts:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.routes: list[str] = []
        self.refusals: list[str] = []
        self.codes: list[int] = []
        self.in_flight = self.most = 0

    def begin_request(self) -> None:
        """One more."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)

    def end_request(self) -> None:
        """One less."""
        self.in_flight -= 1

    def count_request(
        self, route: str, seconds: float, code: int = 200, trace: str | None = None
    ) -> None:
        """Remember the route and the code."""
        assert seconds >= 0
        assert trace is None
        self.routes.append(route)
        self.codes.append(code)

    def count_refusal(self, code: str) -> None:
        """Remember the code."""
        self.refusals.append(code)


ROUTES = (Route("/echo", "POST", echo), Route("/fail", "GET", fail))


def call(
    method: str,
    path: str,
    chunks: Iterable[bytes | float] = (b"{}",),
    headers: dict[str, str] | None = None,
    **options: Any,
) -> tuple[int, dict[str, str], bytes]:
    """Send one request; a number among the chunks is a pause in seconds."""
    given = {"content-type": "application/json", **(headers or {})}
    parts = list(chunks)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        while parts and isinstance(parts[0], float):
            await asyncio.sleep(parts.pop(0))  # type: ignore[arg-type]
        if not parts:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
    }
    asyncio.run(HttpApp(ROUTES, LIMIT, **options)(scope, receive, send))
    if not sent:
        return 0, {}, b""
    head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], head, sent[1]["body"]


def code(answer: bytes) -> str:
    """Return the code of an error answer, whose shape is checked."""
    error = json.loads(answer)["error"]
    assert set(error) <= {"code", "message", "expected"}
    assert error["message"]
    return error["code"]


def test_body_in_pieces_arrives_whole():
    """Chunks are joined in order."""
    status, _, answer = call("POST", "/echo", [b"[1,", b"2", b"]"])

    assert (status, answer) == (200, b"[1,2]")


def test_declared_length_beyond_the_limit_is_413_and_closes():
    """The declared length alone decides; the connection is not used again."""
    status, head, answer = call("POST", "/echo", headers={"content-length": "101"})

    assert (status, code(answer), head["connection"]) == (413, "body_too_large", "close")
    assert json.loads(answer)["error"]["expected"] == {"max_bytes": 100}


def test_undeclared_length_beyond_the_limit_is_413():
    """A chunked body is counted while it is read."""
    status, _, answer = call("POST", "/echo", [b"x" * 60, b"x" * 60, b"x"])

    assert (status, code(answer)) == (413, "body_too_large")


@pytest.mark.parametrize("declared", ["9" * 400, "+5", "-1", "1_000", "abc", "٣"])
def test_senseless_declared_length_does_no_harm(declared):
    """Whatever the header says, the body that arrives is what counts."""
    status, _, _ = call("POST", "/echo", headers={"content-length": declared})

    assert status in (200, 413)


def test_slow_body_is_408():
    """A body that drips holds nothing for long."""
    status, head, answer = call("POST", "/echo", [b"[", 0.2, b"]"])

    assert (status, code(answer), head["connection"]) == (408, "body_too_slow", "close")


def test_client_that_leaves_gets_no_answer():
    """A connection that closes in the middle of a body is not an error of ours."""
    counts = Counts()

    assert call("POST", "/echo", [], counter=counts) == (0, {}, b"")
    assert counts.refusals == []


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": ""},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/jsonx"},
        {"content-encoding": "gzip"},
    ],
)
def test_other_media_types_are_415(headers):
    """Only plain JSON in UTF-8 is read."""
    status, _, answer = call("POST", "/echo", headers=headers)

    assert (status, code(answer)) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
def test_json_in_utf8_may_say_so(kind):
    """The usual spellings of the content type are taken."""
    assert call("POST", "/echo", headers={"content-type": kind})[0] == 200


def test_unknown_path_is_404_and_counted_as_other():
    """Random paths share one series."""
    counts = Counts()
    status, _, answer = call("GET", "/%2e%2e/x", counter=counts)

    assert (status, code(answer)) == (404, "not_found")
    assert (counts.routes, counts.refusals) == ([OTHER], ["not_found"])


def test_wrong_method_is_405_and_names_the_right_one():
    """RFC 9110 asks for the Allow header."""
    status, head, answer = call("DELETE", "/fail")

    assert (status, code(answer), head["allow"]) == (405, "method_not_allowed", "GET, HEAD")


def test_our_mistakes_are_500_without_their_cause(capsys):
    """The cause goes to the log, not to the caller."""
    status, _, answer = call("GET", "/fail")

    assert (status, code(answer)) == (500, "internal_error")
    assert b"secret" not in answer
    assert "a secret cause" in capsys.readouterr().out


def test_draining_closes_connections():
    """Clients of a server that is about to stop are sent elsewhere after their answer."""
    status, head, _ = call("POST", "/echo", draining=lambda: True)

    assert (status, head["connection"]) == (200, "close")


def test_guard_goes_before_everything():
    """Without authorisation not even the paths can be learnt."""

    def refuse(_: Any) -> None:
        raise ServiceError("no")

    assert call("GET", "/nowhere", guard=refuse)[0] == 500


def test_websockets_are_closed():
    """There is no websocket here."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    asyncio.run(HttpApp(ROUTES, LIMIT)({"type": "websocket", "path": "/"}, receive, send))

    assert sent == [{"type": "websocket.close", "code": 1003}]
