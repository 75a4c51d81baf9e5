"""Carries connections from one address to another: ``python -m tests.support.relay FROM TO``.

An address is ``HOST:PORT``, or ``/a/path`` of a Unix socket, which namespaces of the network share.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress


async def relay(source: str, target: str) -> None:
    """Listen at one address, and connect each that comes to the other."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await _connect(target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    if source.startswith("/"):
        server: asyncio.Server = await asyncio.start_unix_server(carry, source)
    else:
        host, _, port = source.rpartition(":")
        server = await asyncio.start_server(carry, host, int(port))
    await server.serve_forever()


async def _connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if target.startswith("/"):
        return await asyncio.open_unix_connection(target)
    host, _, port = target.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(relay(*sys.argv[1:]))
