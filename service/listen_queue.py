"""The listen queue: connections that the system has accepted, and no worker has taken yet.

Nothing in a worker knows of them: under overload they are the requests that no other metric counts.
Linux does. Of a socket that listens, ``TCP_INFO`` says how many wait and how many may.

References
----------
Linux, net/ipv4/tcp.c, ``tcp_get_info``: "listeners aliased fields".
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import Struct

from plumbline.service.request_metrics import RequestMetrics

_DESCRIPTORS = Path("/proc/self/fd")
_INFO = Struct("=24xII")  # tcpi_unacked is how many wait, tcpi_sacked how many may


class ListenQueue:
    """The queue of a port on which this process listens.

    All workers of a service share one listening socket and so one queue: each sees the whole of it.

    Parameters
    ----------
    port, metrics
        Which, and where it is shown; nothing is where the system is not Linux.
    """

    def __init__(self, port: int, metrics: RequestMetrics) -> None:
        self._port = port
        self._metrics = metrics
        self._descriptor = -1

    def read(self) -> tuple[int, int] | None:
        """Return how many connections wait and how many may; None if nobody can say."""
        found = self._ask(self._descriptor)
        if found is None and _DESCRIPTORS.exists():
            for path in _DESCRIPTORS.iterdir():
                found = self._ask(int(path.name))
                if found is not None:
                    self._descriptor = int(path.name)
                    break
        return found

    def publish(self) -> None:
        """Publish once."""
        found = self.read()
        if found is not None:
            self._metrics.set_connections(*found)

    def _ask(self, descriptor: int) -> tuple[int, int] | None:
        """Return what a descriptor says, None unless it is the socket that listens there."""
        with suppress(OSError, ValueError), _borrowed(descriptor) as one:
            if one.family not in (socket.AF_INET, socket.AF_INET6) or not one.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                return None
            if one.getsockname()[1] == self._port:
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
                waiting, limit = _INFO.unpack(info)
                return waiting, limit
        return None


@contextmanager
def _borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Use a descriptor as a socket; it stays its owner's to close."""
    one = socket.socket(fileno=descriptor)
    try:
        yield one
    finally:
        one.detach()
