"""A second server of the same store and model whose runtime goes wrong on command.

It loads the champion like any other server, gives its golden rows, and logs under its version. Once
it is told to, its backend (`drills/rogue_backend.py`) answers something else: another version, or
nothing that depends on the input. That is what a stale replica, a driver or a bit error look like.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from plumbline.drills.errors import DrillError
from plumbline.drills.system import System

FLAG, GRAPH = "PLUMBLINE_ROGUE_FLAG", "PLUMBLINE_ROGUE_GRAPH"
"""A file that makes it go wrong as soon as it exists; a graph to answer with, or none for noise."""

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Rogue:
    """A server that has been started.

    Attributes
    ----------
    url
        Where it answers.
    flag
        See `FLAG`.
    """

    url: str
    flag: Path

    def go_wrong(self) -> None:
        """Let it answer wrongly from now on."""
        self.flag.touch()

    def go_right(self) -> None:
        """Let it answer rightly again."""
        self.flag.unlink(missing_ok=True)


@asynccontextmanager
async def open_rogue(system: System, graph: bytes | None) -> AsyncIterator[Rogue]:
    """Start one on a free port, and end it on leaving.

    Parameters
    ----------
    system
        Whose store and model it serves.
    graph
        ONNX it answers with once it goes wrong; None for answers that depend on nothing.

    Raises
    ------
    DrillError
        If it does not become ready.
    """
    with TemporaryDirectory(prefix="plumbline-rogue-") as name:
        folder = Path(name)
        flag, other = folder / "wrong", folder / "other.onnx"
        other.write_bytes(graph or b"")
        port, admin = _free_port(), _free_port()
        settings = {
            FLAG: str(flag),
            GRAPH: str(other) if graph is not None else "",
            "PLUMBLINE_SERVICE_BACKEND": "rogue",
            "PLUMBLINE_SERVICE_PLUGINS": str(Path(__file__).with_name("rogue_backend.py")),
            "PLUMBLINE_SERVICE_WORKERS": "1",
        }
        command = [sys.executable, "-P", "-m", "plumbline.cli.main", "serve"]
        command += ["--store", system.store_url, "--model", system.model]
        command += ["--port", str(port), "--admin-port", str(admin), "--state", str(folder / "s")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 -- our own command line
                command, stdout=log, stderr=log, env={**os.environ, **settings}
            )
        try:
            url = f"http://127.0.0.1:{port}"
            await _await_ready(url, process, folder / "log")
            yield Rogue(url, flag)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    async with httpx.AsyncClient(base_url=url, timeout=2.0) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if (await client.get("/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.2)
    raise DrillError(f"the second server did not become ready: {log.read_text()[-500:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
