"""What a drill's client asks, and what it leaves for later."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest

from plumbline.drills.traffic import Question, Traffic

QUESTION = Question(np.zeros((1, 1), np.float32), datetime(2026, 1, 1, tzinfo=UTC))


def answered(request: httpx.Request) -> httpx.Response:
    """Answer as the service does."""
    row = {"prediction_id": "p", "action": "BUY", "probabilities": {"BUY": 1.0}, "size": 0.0}
    return httpx.Response(200, json={"version": "v", "verdict": "healthy", "predictions": [row]})


@pytest.mark.parametrize("way", ["stream", "load"])
def test_a_question_that_is_not_asked_is_not_taken(way):
    """A bar left out would be a gap in the stream of the next drill."""

    async def ask() -> tuple[int, int]:
        async with httpx.AsyncClient(
            base_url="http://test", transport=httpx.MockTransport(answered)
        ) as client:
            traffic, bars = Traffic(client), iter(range(10))
            questions = (QUESTION for _ in bars)
            until = lambda: len(traffic.answers) >= 4  # noqa: E731 - passed twice
            if way == "stream":
                await traffic.stream(questions, rate=1e6, until=until)
            else:
                await traffic.load(questions, connections=1, until=until)
            return len(traffic.answers), next(bars)

    assert asyncio.run(ask()) == (4, 4)
