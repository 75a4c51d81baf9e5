"""What a drill makes of an incident."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.drills.replay import Playback
from plumbline.drills.scenarios.flat import Flat
from plumbline.drills.system import System
from plumbline.drills.traffic import Answer, Question, Traffic
from plumbline.store.incident import Incident, IncidentStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def drill(tmp_path: Path) -> Flat:
    """A drill of a system that has no bars; nothing of it is running."""
    none = np.zeros(0)
    replay = Playback(
        bar_time=none.astype(np.int64),
        features=none.reshape(0, 1),
        names=("a",),
        labels=none.astype(np.int8),
        forward_return=none,
        closes=none,
        window_length=1,
        first=0,
    )
    url = (tmp_path / "store").as_uri()
    return Flat(System("http://127.0.0.1:1", url, "m", replay), lambda _: None)


def asked(*names: str) -> Traffic:
    """Return a client with these predictions acknowledged."""
    client = httpx.AsyncClient()
    asyncio.run(client.aclose())
    question = Question(np.zeros((1, 1), np.float32), NOW)
    return Traffic(client, [Answer(n, "v", "healthy", "BUY", {}, 0.0, question) for n in names])


def incident(decided_by: str | None) -> Incident:
    """Return an incident that the monitor says was detected after 9 predictions."""
    diagnosis = Diagnosis(verdict=Verdict.FLAT, remedy=Verdict.FLAT.facts.remedy, cause="c", n=9)
    return Incident(
        id="0123456789abcdef",
        model="m",
        version="v",
        verdict=Verdict.FLAT,
        status=IncidentStatus.OPEN,
        trigger="verdict",
        actor="verdict",
        opened=NOW,
        detected_after=9,
        decided_by=decided_by,
        diagnosis=diagnosis,
    )


def test_the_delay_is_counted_by_the_client(drill):
    """From the first faulty answer to the one that decided, both counted in."""
    seen = drill.observe(asked("before", "a", "b", "c"), incident("b"), 1)

    assert (seen.verdict, seen.detected_after, seen.shortfalls) == (Verdict.FLAT, 2, [])


@pytest.mark.parametrize("decided_by", ["elsewhere", "before", None])
def test_a_deciding_row_that_was_not_asked_for_is_a_shortfall(drill, decided_by):
    """The monitor's own count does not stand in for the one that is missing."""
    seen = drill.observe(asked("before", "a", "b", "c"), incident(decided_by), 1)

    assert seen.detected_after is None
    assert seen.shortfalls == [
        f"the row that decided ({decided_by or 'none'}) is none of the 3 that were asked for"
    ]
