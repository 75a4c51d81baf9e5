"""How long a repair takes, and where the time goes.

    python -m benchmarks.repair [--rounds N] [--json]

Starts a system of its own with `plumbline up` (a trained model, the service with two workers, the
monitor), then lets the drill `always-hold` break it through the real endpoint, round after round.
The stages are those that the incident's own record tells, as `plumbline incidents show` does; how
far the record's onset is from the first answer that was really faulty is told beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from plumbline.bundle.moment import moment_of
from plumbline.cli.children import PLUMBLINE
from plumbline.cli.kinship import free_port_near
from plumbline.drills.system import System
from plumbline.store.incident import Incident, IncidentStatus, Milestone
from plumbline.store.repair_time import BUDGETS, MINUTE, RepairTime, Stage, repair_time

DRILL = "always-hold"
READY_SECONDS = 300.0
ROUND_SECONDS = 600.0
_FIRST_PORT = 3_310


@dataclass(frozen=True)
class Round:
    """One collapse and its repair.

    Attributes
    ----------
    spent
        By the incident's record.
    rows
        Predictions from the first faulty one to the verdict, as the client counts them.
    unseen
        Seconds from the first faulty answer to the onset by the record.
    shortfalls
        What the drill found wanting; empty when all went well.
    """

    spent: RepairTime
    rows: int | None
    unseen: float
    shortfalls: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return it as data."""
        return {
            "seconds": {**self.spent.model_dump(), "total": self.spent.total},
            "with_budget": self.spent.budgeted,
            "over": [stage.value for stage in self.spent.over],
            "rows": self.rows,
            "onset_after_first_faulty_seconds": self.unseen,
            "shortfalls": self.shortfalls,
        }


@contextmanager
def system(config: str) -> Iterator[Path]:
    """Start a system with its replay; yields its state folder, and ends it on leaving."""
    ports: list[int] = []
    for _ in range(3):
        ports.append(free_port_near(_FIRST_PORT, but=ports) or 0)
    options = ["--port", "--monitor-port", "--admin-port"]
    given = [part for pair in zip(options, map(str, ports), strict=True) for part in pair]
    with tempfile.TemporaryDirectory(prefix="plumbline-repair-") as folder:
        state, log = Path(folder) / "state", Path(folder) / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*PLUMBLINE, "up", "--config", config, "--state", str(state), *given],
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            _await_system(process, state, log)
            yield state
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _await_system(process: subprocess.Popen[bytes], state: Path, log: Path) -> None:
    """Wait until it serves, and write the bars that clients ask about."""
    deadline = time.monotonic() + READY_SECONDS
    while not (state / "system.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"`plumbline up` did not come up:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)
    where = json.loads((state / "system.json").read_text())
    replay = ["--config", where["train_config"], "--out", where["replay"]]
    subprocess.run(
        [*PLUMBLINE, "replay-data", *replay], check=True, stdout=subprocess.DEVNULL, timeout=120
    )


def play(state: Path) -> Round:
    """Break the model once, through the real endpoint, and read what the repair took."""
    done = subprocess.run(
        [*PLUMBLINE, "drill", DRILL, "--state", str(state), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=ROUND_SECONDS,
    )
    if not done.stdout:
        raise SystemExit(done.stderr)
    (result,) = json.loads(done.stdout)["drills"]
    running = System.read(state)
    incident = max((head.value for head in running.incidents.all()), key=lambda one: one.opened)
    short = tuple(result["shortfalls"])
    if incident.status is not IncidentStatus.RESOLVED:
        short += (f"the incident ended as {incident.status}",)
    rows = result["detected_after_predictions"]
    return Round(repair_time(incident), rows, _unseen(running, incident), short)


def _unseen(running: System, incident: Incident) -> float:
    """Return how long faulty answers were given before the record's onset, in seconds."""
    onset = next(each.time for each in incident.milestones if each.milestone is Milestone.ONSET)
    rows = running.log.read(version=incident.version)
    return (onset - moment_of(int(rows.time.min()))).total_seconds()


def table(rounds: Sequence[Round]) -> Iterator[str]:
    """Yield the table: each stage's median and worst against its budget."""
    yield "| stage | median, s | worst, s | budget, s | |"
    yield "|---|---|---|---|---|"
    for stage in Stage:
        yield _line(stage.value, [getattr(each.spent, stage) for each in rounds], BUDGETS[stage])
    yield _line("all with a budget", [each.spent.budgeted for each in rounds], MINUTE)
    yield _line("in all", [each.spent.total for each in rounds], None)
    rows = ", ".join(str(each.rows) for each in rounds)
    unseen = max(each.unseen for each in rounds)
    yield f"\nnoticed after {rows} predictions; onset at most {unseen:.1f} s after the first faulty"
    for number, each in enumerate(rounds, 1):
        for said in each.shortfalls:
            yield f"round {number} fell short: {said}"


def _line(name: str, seconds: Sequence[float], budget: float | None) -> str:
    allowed = "none" if budget is None else f"{budget:.0f}"
    over = sum(budget is not None and each > budget for each in seconds)
    said = f"over in {over} of {len(seconds)}" if over else ""
    return f"| {name} | {median(seconds):.1f} | {max(seconds):.1f} | {allowed} | {said} |"


def main() -> int:
    """Play the rounds and print what they took; 1 if one fell short."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--config", default="eurusd-1h", help="training configuration")
    parser.add_argument("--json", action="store_true", help="one object")
    arguments = parser.parse_args()
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    with system(arguments.config) as state:
        rounds = [play(state) for _ in range(arguments.rounds)]
    if arguments.json:
        print(json.dumps({**about, "rounds": [each.document() for each in rounds]}, indent=1))
    else:
        print(", ".join(f"{name} {value}" for name, value in about.items()))
        print("\n".join(table(rounds)), flush=True)
    return int(any(each.shortfalls for each in rounds))


if __name__ == "__main__":
    sys.exit(main())
