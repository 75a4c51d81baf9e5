"""The observer of a store in which somebody has accepted a client's inputs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from plumbline.bundle.moment import microseconds
from plumbline.monitoring.watching import observer as observing
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.observer import Observer, Watch
from plumbline.store.acceptance import Acceptance, Acceptances
from plumbline.store.prediction import PredictionBatch
from tests.support.control import MODEL, Control
from tests.support.monitored import log_rows, ship
from tests.support.rows import prediction_rows

ROWS = 100


def test_an_acceptance_waits_until_what_came_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitor that starts again has a backlog, in which rows of another version may lie."""
    monkeypatch.setattr(observing, "_ROUND", ROWS // 2)
    control = Control(tmp_path)
    version = control.serve(seed=1)
    rows = prediction_rows(range(ROWS), version=version, model=MODEL)
    start = microseconds(datetime.now(UTC))
    rows = [replace(row, time=start + i, action=0) for i, row in enumerate(rows)]
    rows[3] = replace(rows[3], version="f" * 16)
    for first in range(0, ROWS, ROWS // 2):
        ship(control.objects, rows[first : first + ROWS // 2])
    Acceptances(control.objects, MODEL).accept(
        Acceptance(version=version, time=control.clock(), actor="ada", reason="a new feed")
    )
    read: list[int] = []
    taken: list[int] = []
    feed = Watch.feed

    def counted(watch: Watch, new: PredictionBatch) -> Iterator[Judgement]:
        read.append(len(new))
        return feed(watch, new)

    monkeypatch.setattr(Watch, "feed", counted)
    monkeypatch.setattr(Watch, "accept_inputs", lambda *_: taken.append(sum(read)))
    time.sleep(2.2)  # rows settle
    observer = Observer(control.objects, control.loaded(), clock=control.clock)
    for _ in range(3):
        observer.step()
    control.offset = timedelta(minutes=1)
    observer.step()

    assert read[0] < ROWS // 2
    assert taken == [ROWS - 1]


@pytest.mark.parametrize("fails_after", [0, 2])
def test_rows_of_a_round_that_failed_are_judged_in_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_after: int
) -> None:
    """Whatever the watch had taken of them before: it ends as one that never failed."""
    control = Control(tmp_path)
    version = control.serve(seed=1)
    log_rows(control.objects, control.registry.open(version), rows=ROWS, ago_seconds=-0.5)
    time.sleep(2.7)  # rows settle
    whole = Observer(control.objects, control.loaded(), clock=control.clock)
    expected = whole.step()
    feed, failed = Watch.feed, []

    def failing(watch: Watch, new: PredictionBatch) -> Iterator[Judgement]:
        if failed:
            yield from feed(watch, new)
            return
        failed.append(len(new))
        list(feed(watch, new.take(slice(0, 25 * fails_after))))
        raise ZeroDivisionError

    monkeypatch.setattr(Watch, "feed", failing)
    observer = Observer(control.objects, control.loaded(), clock=control.clock)
    with pytest.raises(ZeroDivisionError):
        observer.step()
    seen = observer.step()

    assert expected is not None
    assert seen is not None
    assert failed == [ROWS]
    assert seen.rows == expected.rows == ROWS
    assert seen.judgement == expected.judgement
