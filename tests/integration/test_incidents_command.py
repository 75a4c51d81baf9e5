"""`plumbline incidents`: what happened can be read from the store alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.cli.main import app
from plumbline.store.acknowledgement import Acknowledgement, Acknowledgements
from plumbline.store.incident import (
    EventKind,
    Incident,
    IncidentBook,
    IncidentEvent,
    IncidentStatus,
)
from plumbline.store.job_log import JobLogs
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.store.repair_time import repair_time
from tests.support.bundles import small_bundle

OPENED = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
STORY = (
    (0.0, EventKind.ALARMED, "the spread is gone"),
    (1.0, EventKind.RETRAIN_STARTED, "attempt 1"),
    (21.0, EventKind.CANDIDATE_REFUSED, "leak: volume | tells the return"),
    (22.0, EventKind.RETRAIN_STARTED, "attempt 2"),
    (40.0, EventKind.SHADOW_STARTED, "a share of the requests"),
    (47.0, EventKind.PROMOTED, "it was well in shadow"),
    (48.0, EventKind.WEBHOOK_RECEIVED, "CollapseEvidence"),
    (52.0, EventKind.RECOVERED, "healthy after 60 predictions"),
)


def incident(identity: str, *, opened: datetime = OPENED, ended: bool = True) -> Incident:
    """An incident whose second retrain mended it."""
    events = tuple(
        IncidentEvent(time=opened + timedelta(seconds=after), kind=kind, detail=detail)
        for after, kind, detail in STORY[: None if ended else 2]
    )
    finding = Finding(
        name="output_spread", level=Level.FAIL, value=6.4e-5, n=60, message="It is 6.4e-05."
    )
    return Incident(
        id=identity,
        model="eurusd-1h",
        version="0123456789abcdef",
        verdict=Verdict.FLAT,
        status=IncidentStatus.RESOLVED if ended else IncidentStatus.RETRAINING,
        trigger="verdict",
        actor="verdict",
        opened=opened,
        closed=events[-1].time if ended else None,
        detected_after=13,
        attempts=2 if ended else 1,
        diagnosis=Diagnosis(
            verdict=Verdict.FLAT, cause="The outputs do not vary.", findings=(finding,), n=60
        ),
        events=events,
    )


@pytest.fixture
def store(tmp_path: Path) -> Objects:
    """A store with a model, an incident that ended and one that has not."""
    objects = Objects((tmp_path / "store").as_uri())
    ModelRegistry(objects, "eurusd-1h").write(*small_bundle())
    book = IncidentBook(objects, "eurusd-1h")
    book.open(incident("aaaa111122223333"))
    book.open(incident("bbbb111122223333", opened=OPENED + timedelta(hours=1), ended=False))
    return objects


def run(store: Objects, *arguments: str) -> Result:
    """Run a command on the store."""
    return CliRunner().invoke(app, ["incidents", *arguments, "--store", store.url])


def test_the_time_of_a_repair_is_told_by_what_was_done() -> None:
    """Each phase is charged from the event that begins it; together they are the whole."""
    spent = repair_time(incident("aaaa111122223333"))

    assert spent.deciding == 1.0 + 1.0
    assert spent.training == 20.0 + 18.0
    assert spent.shadowing == 7.0
    assert spent.watching == 5.0
    assert spent.total == 52.0


def test_all_are_listed_the_newest_last(store: Objects) -> None:
    """With how they stand."""
    lines = json.loads(run(store, "list", "--json").stdout)["incidents"]

    assert [(each["incident"][:4], each["status"]) for each in lines] == [
        ("aaaa", "resolved"),
        ("bbbb", "retraining"),
    ]
    assert lines[0]["seconds"] == 52.0


def test_the_post_mortem_says_everything(store: Objects, tmp_path: Path) -> None:
    """Evidence, timeline, time and who was on it; a bar in a text breaks no table."""
    seen = Acknowledgement(incident="aaaa111122223333", actor="ada", note="on it", time=OPENED)
    Acknowledgements(store, "eurusd-1h").put(seen)
    written = run(store, "export", "aaaa", "--out", str(tmp_path / "post-mortem.md"))
    text = (tmp_path / "post-mortem.md").read_text()
    data = json.loads(run(store, "export", "aaaa", "--json").stdout)

    assert written.exit_code == 0, written.stderr
    assert text.startswith("# eurusd-1h: flat, 2026-11-28 12:00 UTC\n")
    assert "- **fail** output_spread: It is 6.4e-05." in text
    assert r"| +21.0 s | candidate refused | leak: volume \| tells the return |" in text
    assert "| training | 38.0 |" in text
    assert "by ada at 2026-11-28 12:00:00 UTC: on it" in text
    assert data["repair_seconds"]["total"] == 52.0
    assert data["acknowledgement"]["actor"] == "ada"


def test_the_breakdown_names_the_stages_over_their_budget(store: Objects) -> None:
    """As a table for people, and as data."""
    text = run(store, "show", "aaaa").stdout
    data = json.loads(run(store, "show", "aaaa", "--json").stdout)
    slow = incident("cccc111122223333", opened=OPENED + timedelta(hours=2))
    late = slow.events[5].model_copy(update={"time": slow.events[4].time + timedelta(seconds=30)})
    events = (*slow.events[:5], late, *slow.events[6:])
    IncidentBook(store, "eurusd-1h").open(
        slow.model_copy(update={"events": events, "closed": late.time + timedelta(seconds=5)})
    )
    tardy = run(store, "show", "cccc").stdout

    assert "| shadowing | 7.0 | 14 |  |" in text
    assert "| all with a budget | 14.0 | 60 |  |" in text
    assert "| shadowing | 30.0 | 14 | over |" in tardy
    assert data["repair_budget"]["shadowing"] == 14.0
    assert data["repair_budget"]["training"] is None
    assert data["repair_budget"]["over"] == []
    assert json.loads(run(store, "show", "cccc", "--json").stdout)["repair_budget"]["over"] == [
        "shadowing"
    ]


def test_the_end_of_each_jobs_log_is_told(store: Objects, tmp_path: Path) -> None:
    """Its last lines to people, all that was kept as data."""
    logs = JobLogs(store, "eurusd-1h")
    logs.keep("aaaa111122223333-1", "".join(f"epoch {number}\n" for number in range(100)))
    logs.keep("aaaa111122223333-2", "the end\n")
    logs.keep("bbbb111122223333-1", "another's\n")
    run(store, "export", "aaaa", "--out", str(tmp_path / "told.md"))
    text = (tmp_path / "told.md").read_text()
    data = json.loads(run(store, "export", "aaaa", "--json").stdout)

    assert "## The log of attempt 1\n\nThe last 60 lines of 100;" in text
    assert "    epoch 40\n" in text
    assert "epoch 39\n" not in text
    assert text.endswith("## The log of attempt 2\n\n    the end\n")
    assert list(data["job_logs"]) == ["1", "2"]
    assert data["job_logs"]["1"].startswith("epoch 0\n")


def test_the_last_is_shown_if_none_is_named(store: Objects) -> None:
    """And said not to have ended."""
    shown = run(store, "show")

    assert "bbbb111122223333" in shown.stdout
    assert "not ended: retraining" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("show", "cccc"), "there is no incident cccc"),
        (("show", "", "--model", "eurusd-1h"), "could be any of: aaaa111122223333, bbbb"),
        (("list", "--model", "eurusd"), "there is no model eurusd"),
        (("export", "last", "--out", "/absent/folder/x.md"), "cannot write /absent/folder/x.md"),
    ],
)
def test_what_cannot_be_told_is_said(store: Objects, arguments, reason) -> None:
    """Exit code 1, and what to do."""
    done = run(store, *arguments)

    assert done.exit_code == 1
    assert reason in done.stderr
