"""A receiver of messages: a real HTTP server that keeps what it gets and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Said:
    """One answer.

    Attributes
    ----------
    code, body, headers
        As HTTP has them.
    held
        Seconds before it comes.
    """

    code: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    held: float = 0.0


@dataclass
class Inbox:
    """What came, and what the next senders are told; when that is used up, ``ok``.

    Attributes
    ----------
    url
        Where it listens, with a secret in the path as Slack has it.
    got, headers
        Bodies and headers, in the order they came.
    """

    url: str = ""
    answers: list[Said] = field(default_factory=list)
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    always: Said | None = None
    closing: threading.Event = field(default_factory=threading.Event)

    def take(self, body: bytes, headers: dict[str, str]) -> Said:
        """Keep a body and return what to answer."""
        self.got.append(json.loads(body))
        self.headers.append(headers)
        if self.always is not None:
            return self.always
        return self.answers.pop(0) if self.answers else Said()


@contextmanager
def receiver(port: int = 0) -> Iterator[Inbox]:
    """Run one for a while."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            said = inbox.take(body, {name.lower(): text for name, text in self.headers.items()})
            inbox.closing.wait(said.held)
            self.send_response(said.code)
            for name, text in said.headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(said.body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    inbox.url = f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/secretpath"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield inbox
    finally:
        inbox.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
