"""A running system, as an operator sees it: its URLs, its store and its replay."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import httpx

from plumbline.bundle.archive import Bundle
from plumbline.bundle.moment import moment_of
from plumbline.drills.errors import DrillError
from plumbline.drills.replay import Playback
from plumbline.drills.traffic import Question, Traffic
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.errors import StoreError
from plumbline.store.incident import EventKind, Incident, IncidentBook
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry

STATE_FILE = "system.json"
NEWEST_ROWS = 1_000
"""Of the log, among which the newest bar is looked for."""

_POLL_SECONDS = 0.1


@dataclass
class System:
    """Where a running system is, and where the replay stands.

    Attributes
    ----------
    service_url, store_url, model
        The system to be drilled.
    replay
        Held-out bars.
    service_pid
        Process whose descendants are the workers, when it runs on this machine.
    cursor
        Position of the next bar; it only moves forward, so bar times do too.
    """

    service_url: str
    store_url: str
    model: str
    replay: Playback
    service_pid: int | None = None
    cursor: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        objects = Objects(self.store_url)
        self.objects = objects
        self.registry = ModelRegistry(objects, self.model)
        self.incidents = IncidentBook(objects, self.model)
        self.log = PredictionLog(objects, self.model)
        self._board = verdict_board(objects, self.model)
        self._opened: Bundle | None = None

    @classmethod
    def read(cls, state: Path) -> Self:
        """Find the system that ``plumbline up`` started in a state folder; raises `DrillError`."""
        path = state / STATE_FILE
        try:
            found = json.loads(path.read_text())
            system = cls(
                service_url=found["service_url"],
                store_url=found["store_url"],
                model=found["model"],
                replay=Playback.read(Path(found["replay"])),
                service_pid=found["service_pid"],
            )
            system.go_on()
        except (OSError, KeyError, ValueError) as error:
            raise DrillError(
                f"no running system in {state} ({error}); start one with `plumbline up`"
            ) from error
        except StoreError as error:
            raise DrillError(str(error)) from error
        return system

    def go_on(self) -> None:
        """Begin after the newest bar that has been asked about, so that time never runs back."""
        newest = self.log.read(limit=NEWEST_ROWS).bar_time
        if len(newest) and newest.max() >= 0:
            self.cursor = count(self.replay.after(moment_of(int(newest.max()))))

    def questions(self) -> Iterator[Question]:
        """Yield the next bars, for ever; the replay begins again after its last bar."""
        for position in self.cursor:
            yield Question(self.replay.window(position), self.replay.time(position))

    def skip_to(self, positions: Sequence[int]) -> list[int]:
        """Return held-out bars as positions that are still to come, and go on after the last."""
        bars, now = len(self.replay), next(self.cursor)
        passes = -(-(now - positions[0]) // bars)
        coming = [position + passes * bars for position in positions]
        self.cursor = count(coming[-1] + 1)
        return coming

    def champion(self) -> Bundle:
        """Return the bundle that the champion alias names; raises `DrillError` if there is none."""
        head = self.registry.alias()
        if head is None:
            raise DrillError(f"model {self.model} has no champion; train and promote one first")
        return self.registry.open(head.value.version)

    @property
    def champion_now(self) -> Bundle:
        """The champion, opened once for each version."""
        head = self.registry.alias()
        if self._opened is None or head is None or self._opened.version != head.value.version:
            self._opened = self.champion()
        return self._opened

    def bulletin(self) -> Bulletin | None:
        """Return the newest word of the monitor."""
        head = self._board.newest()
        return head.value if head else None

    def open_incidents(self, known: frozenset[str]) -> list[Incident]:
        """Return the incidents that were not known before, oldest first."""
        everything = (head.value for head in self.incidents.all())
        return [incident for incident in everything if incident.id not in known]

    async def served_version(self, traffic: Traffic) -> str | None:
        """Ask the service which version it serves."""
        try:
            response = await traffic.client.get("/models")
        except httpx.TransportError:
            return None
        models = response.json().get("models", [])
        return next((m["version"] for m in models if m["name"] == self.model), None)

    async def wait(self, reached: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until something is so; raises `DrillError` naming it when it never was."""
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise DrillError(f"waited {seconds:.0f} s in vain for {what}")
            await asyncio.sleep(_POLL_SECONDS)


def seconds_between(incident: Incident, first: EventKind, last: EventKind) -> float | None:
    """Return the time from the first event of one kind to the last of another, in seconds."""
    starts = [event.time for event in incident.events if event.kind is first]
    ends = [event.time for event in incident.events if event.kind is last]
    return (ends[-1] - starts[0]).total_seconds() if starts and ends else None
