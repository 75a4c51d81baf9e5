"""Where the replay of a running system stands."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from plumbline.drills.system import System
from tests.unit.drills.test_replay import replay_of


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A system of ten bars whose log is empty."""
    url = (tmp_path / "store").as_uri()
    return System("http://127.0.0.1:1", url, "m", replay_of([1] * 10))


@pytest.mark.parametrize(("asked", "coming"), [(0, [2, 4]), (2, [2, 4]), (3, [12, 14])])
def test_bars_that_are_skipped_to_are_still_to_come(system, asked, coming):
    """In this pass or the next; the replay goes on after them, so that no time comes again."""
    list(islice(system.cursor, asked))

    assert system.skip_to([2, 4]) == coming
    assert next(system.cursor) == coming[-1] + 1


def test_an_empty_log_begins_at_the_first_bar(system):
    """There is nothing to go on after."""
    system.go_on()

    assert next(system.cursor) == 0
