"""The start of the service: who owns the state folder, and for how long one waits for it."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from plumbline.service.server import ServeError, serve
from plumbline.service.settings import ServiceSettings
from plumbline.store.disk import FileLock


@pytest.fixture
def held(tmp_path) -> Iterator[FileLock]:
    """The lock of a server that uses the state folder."""
    lock = FileLock(tmp_path / "server.lock")
    assert lock.acquire()
    yield lock
    lock.release()


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Handlers as they were."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def settings(tmp_path, seconds: float, port: int = 3000) -> ServiceSettings:
    return ServiceSettings(
        models=("any",), state=tmp_path, store="memory://s", state_seconds=seconds, port=port
    )


def test_a_start_waits_for_the_server_that_ends(held, tmp_path):
    """As after a forced deletion of a pod; then it goes on, here as far as a port that is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        threading.Timer(0.4, held.release).start()
        with pytest.raises(ServeError, match="cannot listen"):
            serve(settings(tmp_path, 20, taken.getsockname()[1]))


def test_a_start_waits_no_longer_than_it_was_told(held, tmp_path):
    """Then it says what is in its way."""
    begun = time.monotonic()
    with pytest.raises(ServeError, match="another server uses the state folder"):
        serve(settings(tmp_path, 0.5))

    assert 0.5 <= time.monotonic() - begun < 5


def test_a_start_that_waits_can_be_stopped(held, tmp_path):
    """The first process of a container must heed the signal: nobody else would."""
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
    begun = time.monotonic()
    serve(settings(tmp_path, 60))

    assert time.monotonic() - begun < 5
