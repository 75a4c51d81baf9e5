"""A controller on a real store, with a real launcher and a training that takes no time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.monitor import build_triggers
from plumbline.monitoring.process import build_launcher
from plumbline.monitoring.repair.controller import Controller
from plumbline.monitoring.repair.launchers.base import Launcher
from plumbline.monitoring.repair.launchers.subprocess import Process, SubprocessLauncher
from plumbline.monitoring.repair.request import Request, RequestKind
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.incident import EventKind, Incident, IncidentBook
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle

MODEL = "eurusd-1h"
ENDED = {"until": lambda incident: incident.ended}
QUICK_TRAIN = (sys.executable, "-m", "tests.support.quick_train")


def judgement(
    verdict: Verdict, *, decided_by: str | None = "row-1", rows: int = 100, after: int = 20
) -> Judgement:
    """Return what a watcher would say."""
    diagnosis = Diagnosis(verdict=verdict, cause=f"the rows look {verdict}", n=rows)
    return Judgement(
        diagnosis=diagnosis, decided_by=decided_by, detected_after=after, rows=rows, evidence=()
    )


@dataclass
class Control:
    """One model's store, and whoever controls it.

    Attributes
    ----------
    folder
        Holds the store and the state of the launchers.
    settings
        Those that differ from the defaults; there is no shadow unless they ask for one.
    offset
        Added to the present time.
    made
        Whether another process has made the plan.
    """

    folder: Path
    settings: dict[str, object] = field(default_factory=dict)
    offset: timedelta = timedelta(0)
    made: bool = False

    def __post_init__(self) -> None:
        self.plan_path = self.folder / "plan.json"
        self.url = (self.folder / "store").as_uri()
        self.objects = Objects(self.url)
        self.registry = ModelRegistry(self.objects, MODEL)
        self.board = verdict_board(self.objects, MODEL)
        if not self.made:
            self.plan(seed=1)

    def clock(self) -> datetime:
        """Return the present time, moved by ``offset``."""
        return datetime.now(UTC) + self.offset

    def plan(self, **plan: object) -> None:
        """Say what comes of the next trainings."""
        self.plan_path.write_text(json.dumps(plan))

    @property
    def calls(self) -> list[list[str]]:
        """The command lines of all trainings so far."""
        path = Path(f"{self.plan_path}.calls")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def job_process(self) -> Process:
        """Return the process of the one job there has been."""
        (folder,) = (self.folder / "state" / "jobs").iterdir()
        return Process.from_json((folder / "process.json").read_bytes())

    def loaded(self, **changes: object) -> MonitoringSettings:
        """Return the settings, with changes."""
        given = {
            "store": self.url,
            "model": MODEL,
            "train_config": str(self.plan_path),
            "state": self.folder / "state",
            "recovery_rows": 50,
            "lease_seconds": 1.0,
            "shadow_rows": 0,
            **self.settings,
            **changes,
        }
        return MonitoringSettings.load(None, **given)

    def launcher(self, settings: MonitoringSettings) -> Launcher:
        """Return a launcher of the quick training; another kind is told about it by settings."""
        if settings.launcher != "subprocess":
            return build_launcher(settings)
        params = SubprocessLauncher.Params(state=settings.state, command=QUICK_TRAIN, threads=1)
        return SubprocessLauncher(params)

    def controller(self, metrics: Metrics | None = None, **changes: object) -> Controller:
        """Return a controller as a monitor builds it."""
        settings = self.loaded(**changes)
        return Controller(
            self.objects,
            settings,
            launcher=self.launcher(settings),
            triggers=build_triggers(settings),
            metrics=metrics or Metrics(),
            clock=self.clock,
        )

    def serve(self, seed: int, *, said: Verdict | None = None, actor: str = "a person") -> str:
        """Promote the bundle of a seed; ``said`` is the monitor's last word about it."""
        version = self.registry.write(*small_bundle(MODEL, seed=seed)).version
        self.registry.promote(version, actor=actor, reason="a test")
        if said is not None:
            self.publish(version, said)
        return version

    def publish(self, version: str, verdict: Verdict) -> None:
        """Put a verdict on the board."""
        head = self.board.newest()
        bulletin = Bulletin(
            version=version,
            diagnosis=judgement(verdict).diagnosis,
            time=self.clock(),
            rows=100,
        )
        self.board.advance(bulletin, after=head.number if head else 0)

    def situation(self, verdict: Verdict, **more: object) -> Situation:
        """Return the champion as it is, with a verdict about it."""
        champion = self.registry.alias()
        assert champion is not None, "promote something first"
        return Situation(MODEL, champion, judgement(verdict, **more))

    def incidents(self) -> list[Incident]:
        """Return all incidents, oldest first, as the store has them."""
        return [head.value for head in IncidentBook(self.objects, MODEL).all()]

    def run(
        self,
        controller: Controller,
        verdict: Verdict | Callable[[], Verdict],
        *,
        until: Callable[[Incident], bool],
        seconds: float = 30.0,
        **more: object,
    ) -> Incident:
        """Step a controller until its newest incident is as wanted."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            now = verdict() if callable(verdict) else verdict
            controller.step(self.situation(now, **more))
            incidents = self.incidents()
            if incidents and until(incidents[-1]):
                return incidents[-1]
            time.sleep(0.02)
        found = [(i.status, [e.detail for e in i.events]) for i in self.incidents()]
        raise AssertionError(f"never came to be: {found}")


def alert(number: int = 1, *, version: str | None = None, age: float = 0.0) -> Request:
    """Return what a webhook leaves."""
    return Request(
        id=f"{number:016x}",
        kind=RequestKind.WEBHOOK,
        actor="PlumblineCollapse",
        reason="one action",
        version=version,
        received=datetime.now(UTC) - timedelta(seconds=age),
    )


def order(number: int = 2, *, actor: str = "ada") -> Request:
    """Return what a person's order leaves."""
    return alert(number).model_copy(update={"kind": RequestKind.PERSON, "actor": actor})


def wait_for(true: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def kinds(incident: Incident) -> list[EventKind]:
    """Return the timeline as kinds of events."""
    return [event.kind for event in incident.events]


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Return the value of a metric, 0 where it has none yet."""
    return metrics.registry.get_sample_value(name, labels) or 0.0
