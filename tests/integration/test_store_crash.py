"""An acknowledged row is never lost nor doubled, whenever and wherever a process is killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from plumbline.store.objects import Objects
from plumbline.store.outcome import OUTCOMES
from plumbline.store.prediction import PREDICTIONS
from plumbline.store.segment import SegmentName, read_segment
from plumbline.store.shipper import Shipper
from tests.support.spool_worker import FAILPOINTS

ROOT = Path(__file__).parents[2]


class Fleet:
    """Workers on one spool folder and one store, killed and replaced."""

    def __init__(self, folder: Path) -> None:
        self.spools = folder / "spools"
        self.objects = Objects((folder / "store").as_uri())
        self._outputs = folder
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._started = 0

    def start(self, *failpoint: str) -> None:
        """Start a worker and wait until it has acknowledged something, or is dead."""
        self._started += 1
        output = self._outputs / f"acknowledged-{self._started}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "tests" / "support" / "spool_worker.py"),
                    str(self.spools),
                    self.objects.url,
                    str(self._started % 2),
                    *failpoint,
                ],
                stdout=file,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        self._running.append((process, output))
        deadline = time.monotonic() + 60
        while output.stat().st_size == 0 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill -9 the oldest worker."""
        process, _ = self._running.pop(0)
        process.kill()
        process.wait()

    def wait(self) -> int:
        """Wait until the oldest worker has killed itself; return its exit status."""
        process, _ = self._running.pop(0)
        return process.wait(timeout=60)

    def acknowledged(self) -> set[str]:
        """Return every id a worker has printed in full."""
        found = set()
        for path in self._outputs.glob("acknowledged-*"):
            found.update(path.read_text().split("\n")[:-1])
        return found

    def logged(self, table=PREDICTIONS) -> Counter[str]:
        """Return how often each id lies in the store, without any reader's deduplication."""
        found: Counter[str] = Counter()
        for key in self.objects.keys(table.name):
            name = SegmentName.parse(key)
            rows = read_segment(table, name, self.objects.read(key), columns=["prediction_id"])
            found.update(rows.column("prediction_id").to_pylist())
        return found

    def stop(self) -> None:
        """Kill what runs, and ship what is left, as the next start-up does."""
        while self._running:
            self.kill()
        Shipper(self.spools, self.objects).ship()


@pytest.fixture
def fleet(tmp_path):
    """No worker yet; none left afterwards."""
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.stop()


def check(fleet: Fleet) -> None:
    """Everything acknowledged is in the log, nothing is twice, no spool is left."""
    fleet.stop()
    logged, outcomes = fleet.logged(), fleet.logged(OUTCOMES)
    acknowledged = fleet.acknowledged()

    assert acknowledged
    assert acknowledged - set(logged) == set()
    assert set(logged.values()) == {1}
    assert set(outcomes.values()) == {1}
    assert list(fleet.spools.iterdir()) == []


def test_workers_killed_at_random_lose_and_double_nothing(fleet):
    """Two workers append and ship at the same time; eight are killed at random instants."""
    rng = random.Random(0)
    fleet.start()
    for _ in range(8):
        fleet.start()
        time.sleep(rng.random() * 0.15)
        fleet.kill()
    check(fleet)

    assert len(fleet.acknowledged()) > 100


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_a_shipper_killed_between_two_steps_leaves_nothing_behind(fleet, failpoint):
    """Whatever step it dies at, the next shipper finishes the same segments."""
    fleet.start(failpoint, "3")
    status = fleet.wait()
    check(fleet)

    assert status == -9
