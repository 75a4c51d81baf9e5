"""A small HTTP server that answers as Ray's job server does; its jobs do what the test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PREFIX = "/api/jobs/"
Answer = tuple[int, Any]


@dataclass
class JobServer:
    """What the server knows and was asked.

    Attributes
    ----------
    jobs, logs
        By submission id, as answers show them.
    submissions
        The bodies that were taken.
    headers
        Of the newest request.
    instead
        Answers to requests whose path ends as the key does; the empty one is to all.
    mute
        Whether it takes a submission and answers with a gateway's timeout.
    """

    address: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    submissions: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    instead: dict[str, Answer] = field(default_factory=dict)
    mute: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, name: str, status: str, log: str | None = None, **more: Any) -> None:
        """Move a job on."""
        self.jobs[name] |= {"status": status, **more}
        if log is not None:
            self.logs[name] = log

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """Return status code and body of an answer; text stays text."""
        with self.lock:
            for end, found in self.instead.items():
                if path.endswith(end):
                    return found
            if not path.startswith(PREFIX):
                return 404, "404: Not Found"
            if method == "POST" and path == PREFIX:
                return self._submit(body)
            return self._known(*path.removeprefix(PREFIX).partition("/")[::2])

    def _known(self, name: str, what: str) -> Answer:
        if name not in self.jobs:
            return 404, f"Job {name} does not exist"
        if what == "logs":
            return 200, {"logs": self.logs.get(name, "")}
        if what == "stop":
            self.stopped.append(name)
            return 200, {"stopped": True}
        return 200, self.jobs[name]

    def _submit(self, body: dict[str, Any]) -> Answer:
        name = body["submission_id"]
        if name in self.jobs:
            said = f"ValueError: Job with submission_id {name} already exists."
            return 500, f"Traceback (most recent call last):\n  …\n{said}\n"
        self.submissions.append(body)
        self.jobs[name] = {
            "type": "SUBMISSION",
            "job_id": None,
            "submission_id": name,
            "status": "PENDING",
            "entrypoint": body["entrypoint"],
            "message": "Job has not started yet.",
            "error_type": None,
            "start_time": int(time.time() * 1000),
            "end_time": None,
            "metadata": body["metadata"],
            "runtime_env": body["runtime_env"],
            "driver_exit_code": None,
        }
        taken = {"job_id": name, "submission_id": name}
        return (504, "gateway timeout") if self.mute else (200, taken)


@contextmanager
def job_server() -> Iterator[JobServer]:
    """Serve on a free port of this machine."""
    known = JobServer()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(size) or "null")
            known.headers = {name.lower(): text for name, text in self.headers.items()}
            code, found = known.answer(self.command, self.path, body)
            said = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = _answer  # noqa: N815  # the name that http.server asks for

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        known.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield known
        finally:
            server.shutdown()
            thread.join()
