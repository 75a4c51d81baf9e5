"""Answers of the monitor's port: which headers they carry, and the one shape of an error."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

MAX_BODY_BYTES = 1 << 20

_PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"  # noqa: E501  # one header
# Reports and pages of trainings have no scripts, and shall have none.
_PAPER_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class TooLargeError(Exception):
    """A body is larger than `MAX_BODY_BYTES`."""


def page(text: str) -> Response:
    """Return a page of ours: it loads nothing from elsewhere."""
    return HTMLResponse(text, headers={"content-security-policy": _PAGE_POLICY, **_COMMON})


def paper(text: str) -> Response:
    """Return a page from the store; nothing in it can run, whoever wrote it."""
    return HTMLResponse(text, headers={"content-security-policy": _PAPER_POLICY, **_COMMON})


def plain(text: str) -> Response:
    """Return a text from the store as what it is."""
    return PlainTextResponse(text, headers={"content-security-policy": _PAPER_POLICY, **_COMMON})


def error(status: int, message: str) -> Response:
    """Return an error."""
    return JSONResponse(
        {"error": {"code": HTTPStatus(status).name.lower(), "message": message}}, status_code=status
    )


async def body_of(request: Request) -> bytes:
    """Return a request's body; raises `TooLargeError`, before it has read it all."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"expected at most {MAX_BODY_BYTES} bytes")
    return bytes(body)
