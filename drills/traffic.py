"""A client that remembers what it was promised."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from plumbline.bundle.array import FloatArray
from plumbline.drills.replay import encode

SYMBOL = "EURUSD"
LOOK_SECONDS = 0.05
"""Between two looks into the store, of which a stream asks before every question."""


@dataclass(frozen=True)
class Question:
    """One window to ask about."""

    window: FloatArray
    time: datetime
    symbol: str = SYMBOL


@dataclass(frozen=True)
class Answer:
    """One acknowledged prediction."""

    prediction_id: str
    version: str
    verdict: str
    action: str
    probabilities: dict[str, float]
    size: float
    question: Question


@dataclass
class Traffic:
    """Predictions asked over HTTP, with every acknowledgement kept.

    Every question carries an id of its own, so that the one retry after a broken connection (a
    killed worker resets its connections) cannot log a row twice.
    """

    client: httpx.AsyncClient
    answers: list[Answer] = field(default_factory=list)
    requests: int = 0
    failures: list[str] = field(default_factory=list)

    async def ask(self, question: Question) -> Answer | None:
        """Ask once, and once more if the connection broke; None when that failed too."""
        self.requests += 1
        name = uuid.uuid4().hex
        body = encode(question.window, prediction=name, symbol=question.symbol, time=question.time)
        for last in (False, True):
            try:
                response = await self.client.post(
                    "/predict", content=body, headers={"content-type": "application/json"}
                )
            except httpx.TransportError as error:
                if last:
                    self.failures.append(f"{type(error).__name__}: {error}")
                    return None
                continue
            break
        else:
            return None
        if response.status_code != httpx.codes.OK:
            self.failures.append(f"{response.status_code}: {response.text[:200]}")
            return None
        content = response.json()
        row = content["predictions"][0]
        answer = Answer(
            prediction_id=row["prediction_id"],
            version=content["version"],
            verdict=content["verdict"],
            action=row["action"],
            probabilities=row["probabilities"],
            size=row["size"],
            question=question,
        )
        self.answers.append(answer)
        return answer

    async def stream(
        self, questions: Iterable[Question], *, rate: float, until: Callable[[], bool]
    ) -> None:
        """Ask in order, one at a time, ``rate`` a second, until told to stop or none is left.

        A question that is not asked is not taken: a bar left out would be a gap in the stream.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        source = iter(questions)
        while not until() and (question := next(source, None)) is not None:
            await self.ask(question)
            due = max(due + 1.0 / rate, loop.time() - 1.0)
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def load(
        self, questions: Iterable[Question], *, connections: int, until: Callable[[], bool]
    ) -> None:
        """Ask as fast as answers come, over so many connections at once."""
        source = iter(questions)

        async def one() -> None:
            while not until() and (question := next(source, None)) is not None:
                await self.ask(question)

        await asyncio.gather(*(one() for _ in range(connections)))


def seldom(look: Callable[[], bool]) -> Callable[[], bool]:
    """Return what says what ``look`` said last, and looks anew twenty times a second."""
    due, said = 0.0, False

    def last() -> bool:
        nonlocal due, said
        if (now := time.monotonic()) >= due:
            due, said = now + LOOK_SECONDS, look()
        return said

    return last


@asynccontextmanager
async def open_traffic(url: str) -> AsyncIterator[Traffic]:
    """Open a client on a service; its connections are closed on leaving."""
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=url, timeout=10.0, limits=limits) as client:
        yield Traffic(client)
