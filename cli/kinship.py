"""Which processes belong to one `plumbline up`, and who holds a port.

Every process that `plumbline up` starts gets the same random *system id* in its environment, and
hands it down to whatever it starts itself, in however many sessions. Unlike a process id it is
never used again: what bears it is ours, and whatever answers on a port without bearing it is not.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own

from plumbline.cli.children import SYSTEM_VARIABLE

GRACE_SECONDS = 15.0
"""For a service to finish its requests and ship its rows."""
_KILL_SECONDS = 5.0
_NEAR = 100
_SHOWN = 100
_GONE = (psutil.Error, OSError)
"""What is raised about a process that has ended meanwhile, or that is not ours to see."""


def new_system_id() -> str:
    """Return a system id that nobody has had."""
    return secrets.token_hex(16)


def members(system_id: str) -> list[psutil.Process]:
    """Return the living processes that bear a system id."""
    return [process for process in psutil.process_iter() if _bears(process, system_id)]


def end_members(system_id: str, *, grace_seconds: float = GRACE_SECONDS) -> int:
    """End every process that bears a system id: politely at first, and from the top.

    Those on top are asked, and take down what they started in their own order; what is left after
    the grace is killed. Returns how many there were.
    """
    found = members(system_id)
    ids = {process.pid for process in found}
    for process in found:
        with suppress(*_GONE):
            if process.ppid() not in ids:
                process.terminate()
    deadline = time.monotonic() + grace_seconds
    while members(system_id) and time.monotonic() < deadline:
        time.sleep(0.1)
    deadline = time.monotonic() + _KILL_SECONDS
    while (rest := members(system_id)) and time.monotonic() < deadline:
        for process in rest:  # again and again: one may have started another meanwhile
            with suppress(*_GONE):
                process.kill()
        time.sleep(0.05)
    return len(found)


def listens(system_id: str, port: int) -> bool:
    """Whether the port is held by a process that bears the system id."""
    ours = {process.pid for process in members(system_id)}
    return any(pid in ours for pid in _listeners(port))


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether one could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port_near(port: int, *, but: Iterable[int] = ()) -> int | None:
    """Return the first free port after one, except some; None if there is none near."""
    taken = set(but)
    after = range(port + 1, min(port + _NEAR, 65536))
    return next((each for each in after if each not in taken and is_free(each)), None)


def describe_holder(port: int) -> str:
    """Say which process listens on a port, as far as the system tells us."""
    for pid in _listeners(port):
        with suppress(*_GONE):
            return f"process {pid} ({' '.join(psutil.Process(pid).cmdline())[:_SHOWN]})"
    return "another process"


def _listeners(port: int) -> Iterator[int]:
    """Yield the processes that listen on a port; those of other users are seen by root alone."""
    try:
        connections = psutil.net_connections("tcp")
    except _GONE:
        return
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
            yield each.pid


def _bears(process: psutil.Process, system_id: str) -> bool:
    try:
        theirs = process.environ().get(SYSTEM_VARIABLE)
        return bool(theirs == system_id and process.status() != psutil.STATUS_ZOMBIE)
    except _GONE:
        return False
