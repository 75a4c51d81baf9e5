"""A bounded load of held-out bars from a client pod: nothing is asked twice, nothing forgiven.

Runs inside the cluster, in the training image::

    python load.py --url http://plumbline-service:3000 --replay /tmp/replay.npz --requests 100000

Half of the workers keep their connection as long as the server lets them, half open one for every
request; SIGTERM ends it early. Prints one JSON object: what was asked, answered and failed (also
second by second, by the machine's clock), and, once the service has shipped its rows, whether each
acknowledged one is in the log.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from plumbline.drills.replay import Playback, encode
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects

_ANSWER_SECONDS = 15.0
_LOG_SECONDS = 90.0
_SYMBOL = "EURUSD"
_ID, _TIME = "0" * 32, datetime(2000, 1, 1, tzinfo=UTC)


class Refused(Exception):  # noqa: N818  # an answer, not a fault of this program
    """The server answered something else than 200."""


@dataclass
class Connection:
    """One connection, opened when it is first needed."""

    host: str
    port: int
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def post(self, body: bytes) -> str:
        """Send one request; returns its row's id, raises `Refused`, `OSError` or `EOFError`."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        assert self.reader is not None
        self.writer.write(
            b"POST /predict HTTP/1.1\r\nhost: service\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n" % len(body) + body
        )
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0])
        answer = await self.reader.readexactly(length)
        if "connection: close" in head:
            self.close()
        status = head.split(" ", 2)[1]
        if status != "200":
            raise Refused(f"{status} {answer[:120].decode(errors='replace')}")
        return answer.split(b'"prediction_id":"', 1)[1].split(b'"', 1)[0].decode()

    def close(self) -> None:
        """Let go of it; the next request opens another."""
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


@dataclass
class Load:
    """What is sent, and what came of it."""

    url: str
    replay: Playback
    requests: int
    until: float
    rate: float | None
    first: int = 0
    asked: int = 0
    acknowledged: list[str] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    seconds_of: defaultdict[int, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    latencies: list[float] = field(default_factory=list)

    async def run(self, workers: int) -> None:
        """Send everything over so many connections at once."""
        self._bodies = [
            encode(self.replay.window(i), prediction=_ID, symbol=_SYMBOL, time=_TIME)
            for i in range(len(self.replay))
        ]
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._end)
        print("ready", file=sys.stderr, flush=True)
        self.started = time.monotonic()
        self._numbers = count()
        await asyncio.gather(*(self._work(kept=i % 2 == 0) for i in range(workers)))
        self.seconds = time.monotonic() - self.started

    def _end(self) -> None:
        self.until = time.monotonic()

    async def _work(self, *, kept: bool) -> None:
        where = urlsplit(self.url)
        connection = Connection(where.hostname or "", where.port or 80)
        while (number := next(self._numbers)) < self.requests and time.monotonic() < self.until:
            if self.rate:
                due = self.started + number / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._ask(connection, number)
            if not kept:
                connection.close()
        connection.close()

    async def _ask(self, connection: Connection, number: int) -> None:
        name, began = uuid.uuid4().hex, time.monotonic()
        body = self._bodies[(self.first + number) % len(self._bodies)].replace(
            _ID.encode(), name.encode()
        )
        moment = self.replay.time(self.first + number)
        body = body.replace(_TIME.isoformat().encode(), moment.isoformat().encode())
        self.asked += 1
        try:
            row = await asyncio.wait_for(connection.post(body), _ANSWER_SECONDS)
        except (Refused, OSError, EOFError, TimeoutError) as error:
            connection.close()
            self.failures[f"{type(error).__name__}: {error}"[:160]] += 1
            self.seconds_of[int(time.time())][1] += 1
            await asyncio.sleep(0.05)
        else:
            self.acknowledged.append(row)
            self.seconds_of[int(time.time())][0] += 1
            self.latencies.append(time.monotonic() - began)

    def report(self) -> dict[str, Any]:
        """Return the figures."""
        ordered = sorted(self.latencies) or [0.0]

        def quantile(share: float) -> float:
            return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 4)

        return {
            "asked": self.asked,
            "acknowledged": len(self.acknowledged),
            "failed": sum(self.failures.values()),
            "failures": dict(self.failures.most_common(8)),
            "timeline": self.seconds_of,
            "seconds": round(self.seconds, 1),
            "p50_seconds": quantile(0.5),
            "p99_seconds": quantile(0.99),
            "longest_seconds": quantile(1.0),
        }


def in_log(log: PredictionLog, since: datetime, names: list[str]) -> dict[str, int]:
    """Wait until every acknowledged row is in the log, and say how many are."""
    asked, deadline = set(names), time.monotonic() + _LOG_SECONDS
    while True:
        logged = Counter(log.read(start=since).prediction_id.tolist())
        found = asked & logged.keys()
        if len(found) == len(asked) or time.monotonic() > deadline:
            doubled = sum(logged[name] - 1 for name in found)
            return {"in_log": len(found), "lost": len(asked) - len(found), "doubled": doubled}
        time.sleep(2)


def main() -> None:
    """Run one load and print its report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--replay", type=Path, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--first", type=int, default=0, help="Position of the first bar.")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument(
        "--log", metavar="MODEL", help="Look for the rows in the log of this model."
    )
    parser.add_argument("--store")
    options = parser.parse_args()

    replay = Playback.read(options.replay)
    began = datetime.now(UTC)
    load = Load(
        url=options.url,
        replay=replay,
        requests=options.requests,
        until=time.monotonic() + options.seconds,
        rate=options.rate,
        first=options.first,
    )
    asyncio.run(load.run(options.workers))
    report = load.report()
    if options.log:
        log = PredictionLog(Objects(options.store), options.log)
        report |= in_log(log, began - timedelta(seconds=5), load.acknowledged)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
