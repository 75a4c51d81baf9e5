"""The status page lists the newest trainings."""

from __future__ import annotations

from plumbline.monitoring.page.shelf import MAX_RUNS, RunShelf
from plumbline.store.objects import Objects
from plumbline.store.run import Runs
from tests.support.runs import ended, leave_run

MODEL = "eurusd-1h"


def test_the_newest_runs_are_linked_and_read_once(tmp_path):
    """Newest first; one that goes on is looked at again, until it has ended."""
    objects = Objects(tmp_path.as_uri())
    done = [leave_run(objects, MODEL, number=number) for number in range(MAX_RUNS)]
    going = leave_run(objects, MODEL, number=MAX_RUNS, report=None)
    shelf = RunShelf(objects, MODEL)
    before = shelf.links()
    Runs(objects, MODEL).finish(ended(going), "page")
    after = shelf.links()

    assert [link.id for link in before] == [going.id, *[run.id for run in done[:0:-1]]]
    assert [link.end for link in before] == [None, *["finished"] * (MAX_RUNS - 1)]
    assert after[0].end == "finished"
    assert before[1] is after[1]


def test_a_damaged_record_hides_no_other(tmp_path):
    """It is named as what it is."""
    objects = Objects(tmp_path.as_uri())
    good, bad = leave_run(objects, MODEL), leave_run(objects, MODEL, number=1)
    (tmp_path / "runs" / MODEL / bad.id / "record.json").write_text("{")

    assert [(link.id, link.end) for link in RunShelf(objects, MODEL).links()] == [
        (bad.id, "unreadable"),
        (good.id, "finished"),
    ]
