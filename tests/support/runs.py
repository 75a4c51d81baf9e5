"""Runs as a training leaves them, without the training."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from plumbline.store.objects import Objects
from plumbline.store.run import Environment, RunBegun, RunEnd, RunRecord, Runs, new_run_id

NOON = datetime(2017, 6, 1, 12, tzinfo=UTC)


def begun(number: int = 0, *, model: str = "eurusd-1h") -> RunBegun:
    """Return a run that began some hours after noon."""
    began = NOON + timedelta(hours=number)
    return RunBegun(id=new_run_id(began), kind="training", model=model, config="c", began=began)


def ended(run: RunBegun, version: str | None = None) -> RunRecord:
    """Return the record of a run that took a minute."""
    here = Environment(
        python="3.11", platform="here", cpu="one", cores=1, threads=1, libraries={}, host="h"
    )
    return RunRecord(
        **run.model_dump(),
        ended=run.began + timedelta(minutes=1),
        end=RunEnd.FINISHED,
        experiment={"seed": 1},
        environment=here,
        version=version,
    )


def leave_run(
    objects: Objects, model: str, *, number: int = 0, report: str | None = "page"
) -> RunBegun:
    """Write a run to a store; without a report it has not ended."""
    runs, run = Runs(objects, model), begun(number, model=model)
    runs.begin(run)
    if report is not None:
        runs.finish(ended(run, version="0123456789abcdef"), report)
    return run
