"""Runs in the store: written once, found by what people call them."""

from __future__ import annotations

import pytest

from plumbline.store.errors import ConflictError, NotFoundError
from plumbline.store.objects import Objects
from plumbline.store.run import Runs
from tests.support.runs import begun, ended


@pytest.fixture
def runs(tmp_path) -> Runs:
    """An empty shelf."""
    return Runs(Objects(tmp_path.as_uri()), "eurusd-1h")


def test_a_run_that_has_begun_is_seen_before_it_ends(runs):
    """A process that is killed leaves that much; one that ends leaves its record and page."""
    run = begun()
    runs.begin(run)

    assert runs.read(run.id) == run
    with pytest.raises(NotFoundError, match="report"):
        runs.report(run.id)

    runs.finish(ended(run), "<p>page</p>")

    assert runs.read(run.id) == ended(run)
    assert runs.report(run.id) == "<p>page</p>"
    assert ended(run).seconds == 60


def test_a_record_is_written_once(runs):
    """Nobody can write another end over it."""
    run = begun()
    runs.begin(run)
    runs.finish(ended(run), "page")

    with pytest.raises(ConflictError, match="exists already"):
        runs.finish(ended(run), "page")


def test_runs_are_listed_newest_first_and_found_by_name(runs):
    """By `last`, a beginning, the end of the name, or the version made."""
    all_runs = [begun(number) for number in range(3)]
    for number, run in enumerate(all_runs):
        runs.begin(run)
        runs.finish(ended(run, version=f"{number}abc"), "page")
    first, _, last = all_runs

    assert runs.ids() == [run.id for run in reversed(all_runs)]
    assert runs.resolve("last") == last.id
    assert runs.resolve(first.id[:13]) == first.id
    assert runs.resolve(first.id[-6:]) == first.id
    assert runs.resolve("0ab") == first.id
    with pytest.raises(NotFoundError, match="could be any of"):
        runs.resolve("2017")
    with pytest.raises(NotFoundError, match=f"has no run 'x'; the newest are {last.id}"):
        runs.resolve("x")


@pytest.mark.parametrize("name", ["../../secret", "record.json", "", "20170601T120000Z-XYZ"])
def test_names_that_no_run_has_are_not_looked_for(runs, name):
    """A link cannot climb out of the folder."""
    with pytest.raises(NotFoundError, match="is not the name of a run"):
        runs.report(name)
