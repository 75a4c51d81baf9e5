"""Two machines and one store: a job is run by one of them, and its result is the claim's."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.monitor import build_triggers
from plumbline.monitoring.repair.controller import Controller
from plumbline.monitoring.repair.launchers.base import JobHandle, JobSpec, JobState, JobStatus
from plumbline.monitoring.repair.launchers.claimed import ClaimedLauncher
from plumbline.monitoring.repair.launchers.job_folder import read_document
from plumbline.monitoring.repair.launchers.subprocess import Process
from plumbline.store.claim import Claim, ClaimState, claim_of
from plumbline.store.errors import StoreError
from plumbline.store.incident import EventKind, IncidentStatus
from plumbline.store.job_log import JobLogs
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation
from tests.support.control import ENDED, MODEL, QUICK_TRAIN, Control, kinds, wait_for

SILENCE_SECONDS = 1.6
KEY = "aaaa111122223333-1"


@dataclass
class Fleet:
    """Machines on one store; each has a state folder, and a launcher of its own.

    Attributes
    ----------
    folder
        Holds the store, and a folder for each machine.
    """

    folder: Path
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.store = self.folder / "store"
        self.objects = Objects(self.store.as_uri())
        self.claim = claim_of(self.objects, MODEL, KEY)

    def machine(self, name: str, command: tuple[str, ...] = (sys.executable, "-c")):
        """Return the launcher of a machine."""
        params = ClaimedLauncher.Params(
            state=self.folder / name,
            command=command,
            threads=1,
            store=self.store.as_uri(),
            model=MODEL,
            silence_seconds=SILENCE_SECONDS,
        )
        return self._stack.enter_context(closing(ClaimedLauncher(params)))

    def process(self, name: str) -> Process:
        """Return the process of a machine's job."""
        path = self.folder / name / "jobs" / KEY / "process.json"
        return Process.from_json(path.read_bytes())

    def job(self, name: str, *, seconds: float) -> JobSpec:
        """Return the job as a machine runs it: it says so, takes its time, and prints who it is."""
        code = (
            f"import sys, time; open({str(self.folder / 'runs')!r}, 'a').write({name!r})\n"
            f"sys.stderr.write('begun by {name}\\n')\n"
            f'time.sleep({seconds}); print(\'{{"by": "{name}"}}\')'
        )
        return JobSpec(key=KEY, arguments=(code,), timeout_seconds=60)

    @property
    def runs(self) -> str:
        """Who has begun the job, in order."""
        path = self.folder / "runs"
        return path.read_text() if path.exists() else ""

    def head(self) -> Generation[Claim]:
        """Return the claim as it is."""
        found = self.claim.newest()
        assert found is not None
        return found

    def close(self) -> None:
        """End all jobs."""
        self._stack.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """An empty store."""
    made = Fleet(tmp_path)
    yield made
    made.close()


def begun(fleet: Fleet, name: str, *, seconds: float) -> ClaimedLauncher:
    """Start the job on a machine, and wait for its first sign of life."""
    launcher = fleet.machine(name)
    launcher.submit(fleet.job(name, seconds=seconds))
    wait_for(lambda: fleet.runs == name and fleet.head().number >= 2)
    return launcher


def follow(launcher: ClaimedLauncher, spec: JobSpec, *, seconds: float = 20.0) -> JobStatus:
    """Submit and poll, as a controller does at every step, until the job has ended."""
    deadline = time.monotonic() + seconds
    while True:
        status = launcher.poll(launcher.submit(spec))
        if status.state is not JobState.RUNNING:
            return status
        assert time.monotonic() < deadline, status
        time.sleep(0.05)


def test_a_job_of_another_machine_is_waited_for(fleet):
    """Whoever leads then gets what it printed, and its log; nothing is run twice."""
    first, second = begun(fleet, "a", seconds=0.4), fleet.machine("b")
    status = follow(second, fleet.job("b", seconds=0))

    assert status == JobStatus(JobState.FINISHED, document={"by": "a"})
    assert follow(first, fleet.job("a", seconds=0)) == status
    assert fleet.runs == "a"
    wait_for(lambda: JobLogs(fleet.objects, MODEL).of("aaaa111122223333") == {1: "begun by a\n"})


def test_a_job_whose_machine_died_is_begun_again_when_it_is_silent(fleet):
    """No sooner, and by one."""
    first, second = begun(fleet, "a", seconds=60), fleet.machine("b")
    os.killpg(fleet.process("a").pid, signal.SIGKILL)
    died, sign = time.monotonic(), fleet.head().number
    while second.poll(second.submit(fleet.job("b", seconds=0))) and fleet.head().number == sign:
        assert time.monotonic() - died < 20
        time.sleep(0.02)

    assert time.monotonic() - died >= SILENCE_SECONDS
    assert follow(second, fleet.job("b", seconds=0)).document == {"by": "b"}
    assert first.poll(JobHandle(KEY)).document == {"by": "b"}
    assert fleet.runs == "ab"


def test_a_job_that_stood_still_has_nothing_to_say(fleet):
    """Its claim is another's: what it prints is thrown away, and it is ended."""
    first, second = begun(fleet, "a", seconds=SILENCE_SECONDS), fleet.machine("b")
    keeper = fleet.process("a").pid
    os.killpg(keeper, signal.SIGSTOP)
    assert follow(second, fleet.job("b", seconds=0)).document == {"by": "b"}
    ended = fleet.head()
    os.killpg(keeper, signal.SIGCONT)
    wait_for(lambda: first._children[KEY].poll() is not None)

    assert read_document(fleet.folder / "a" / "jobs" / KEY) is None
    assert "the claim of aaaa111122223333-1 is another's now" in first.logs(JobHandle(KEY))
    assert fleet.head() == ended
    assert ended.value.state is ClaimState.ENDED
    assert first.poll(JobHandle(KEY)).document == {"by": "b"}
    assert fleet.runs == "ab"


@pytest.mark.slow  # beside the others
def test_a_job_elsewhere_is_cancelled_at_its_next_sign(fleet):
    """Somebody promoted another version while it ran."""
    first, second = begun(fleet, "a", seconds=60), fleet.machine("b")
    second.cancel(JobHandle(KEY))
    wait_for(lambda: first._children[KEY].poll() is not None)

    assert fleet.head().value.state is ClaimState.RELEASED
    assert first.poll(JobHandle(KEY)).state is JobState.FAILED


@pytest.mark.slow  # beside the others
def test_a_monitor_that_is_stopped_gives_its_job_up(fleet):
    """So that the next one begins it at once."""
    first, second = begun(fleet, "a", seconds=60), fleet.machine("b")
    first.close()
    second.submit(fleet.job("b", seconds=0))

    assert follow(second, fleet.job("b", seconds=0)).document == {"by": "b"}


def test_a_failure_is_known_everywhere(fleet):
    """With what the job said last; it is not begun again."""
    first, second = fleet.machine("a"), fleet.machine("b")
    spec = fleet.job("a", seconds=0).model_copy(update={"arguments": ("raise SystemExit('full')",)})
    first.submit(spec)
    wait_for(lambda: fleet.head().value.state is ClaimState.ENDED)
    status = follow(second, fleet.job("b", seconds=0))

    assert status.state is JobState.FAILED
    assert status.detail == "ended with exit code 1 and without a result; it said last: full"
    assert fleet.runs == ""


@pytest.mark.slow  # beside the others
def test_a_job_whose_monitor_is_gone_keeps_its_time_limit(fleet):
    """Its keeper ends it, with all that it has started."""
    first, second = fleet.machine("a"), fleet.machine("b")
    spec = fleet.job("a", seconds=60).model_copy(update={"timeout_seconds": 2.0})
    first.submit(spec)
    status = follow(second, spec)

    assert status == JobStatus(JobState.FAILED, detail="killed: it took longer than 2 s")
    assert fleet.runs == "a"


@pytest.mark.slow  # beside the others
def test_a_job_whose_keeper_was_killed_is_ended(fleet):
    """It has failed: nobody would take what it prints."""
    first = begun(fleet, "a", seconds=60)
    keeper = psutil.Process(fleet.process("a").pid)
    (child,) = keeper.children()
    keeper.kill()
    status = follow(first, fleet.job("a", seconds=0))

    assert status.state is JobState.FAILED
    assert "ended with exit code -9" in status.detail
    child.wait(10)
    assert fleet.runs == "a"


@pytest.mark.slow  # an outage longer than the silence
def test_a_silent_store_is_no_silent_job(fleet):
    """While nobody can give a sign, nobody is given up."""
    second = fleet.machine("b")
    begun(fleet, "a", seconds=4 * SILENCE_SECONDS)
    spec, away = fleet.job("b", seconds=0), fleet.folder / "away"
    assert second.poll(second.submit(spec)).state is JobState.RUNNING
    fleet.store.rename(away)
    gone = time.monotonic()
    while time.monotonic() - gone < 2 * SILENCE_SECONDS:
        with pytest.raises(StoreError):
            second.submit(spec)
        time.sleep(0.05)
    away.rename(fleet.store)

    assert follow(second, spec).document == {"by": "a"}
    assert fleet.runs == "a"


@pytest.mark.slow  # a lease that ends
def test_the_death_of_a_leader_costs_no_second_training(tmp_path):
    """Its job goes on, the next leader waits for it and promotes once; the first one comes back."""
    control, fleet = Control(tmp_path), Fleet(tmp_path)
    control.serve(0)
    control.plan(seed=1, seconds=2)

    def controller(name: str) -> Controller:
        settings = control.loaded()
        return Controller(
            control.objects,
            settings,
            launcher=fleet.machine(name, QUICK_TRAIN),
            triggers=build_triggers(settings),
            metrics=Metrics(),
            clock=control.clock,
        )

    first, second = controller("a"), controller("b")
    control.run(first, Verdict.FLAT, until=lambda _: len(control.calls) == 1)
    watched = {"until": lambda incident: incident.status is IncidentStatus.WATCHING}
    control.run(second, Verdict.FLAT, **watched)
    again = first.step(control.situation(Verdict.INSUFFICIENT_DATA))
    incident = control.run(second, Verdict.HEALTHY, **ENDED)
    fleet.close()

    assert not again, "it leads no more"
    assert len(control.calls) == 1
    assert kinds(incident).count(EventKind.PROMOTED) == 1
    assert len(control.registry.history()) == 2
