"""A proxy that lets a request through and loses its answer, as a broken connection does."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlparse

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Losing:
    """What a proxy has done.

    Attributes
    ----------
    url
        Where it listens.
    lose
        How many answers it will still lose.
    lost
        Those it has: whole answers of the service, which the client never saw.
    """

    url: str
    lose: int
    lost: list[bytes] = field(default_factory=list)


@contextmanager
def losing(url: str, answers: int) -> Iterator[Losing]:
    """Stand before a service and lose so many answers, after the service has given them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        proxy = Losing(f"http://127.0.0.1:{port}", answers)
        thread = threading.Thread(target=_serve, args=(server, url, proxy), daemon=True)
        thread.start()
        yield proxy
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(server: socket.socket, url: str, proxy: Losing) -> None:
    address = urlparse(url)
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client, socket.create_connection((address.hostname, address.port)) as service:
            client.settimeout(10)
            service.settimeout(10)
            service.sendall(_message(client))
            answer = _message(service)
            if proxy.lose > 0:
                proxy.lose -= 1
                proxy.lost.append(answer)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                head, _, rest = answer.partition(b"\r\n")
                client.sendall(head + b"\r\nconnection: close\r\n" + rest)


def _message(connection: socket.socket) -> bytes:
    """Read one whole HTTP message with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
    while len(body) < length:
        more = _some(connection)
        body, data = body + more, data + more
    return data


def _some(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("closed in the middle of a message")
    return chunk
