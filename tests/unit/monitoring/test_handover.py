"""Since when every answer is the new version's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from plumbline.monitoring.watching.handover import Handover


def rows(*answers: tuple[int, str]) -> SimpleNamespace:
    """Return what a handover looks at of rows: when they were answered, and by which version."""
    return SimpleNamespace(
        time=np.array([time for time, _ in answers], np.int64),
        version=np.array([version for _, version in answers], object),
    )


def test_it_is_over_with_the_first_answer_after_the_last_of_another() -> None:
    """Workers take a promotion up one by one, so answers of both versions are mixed for a while."""
    handover = Handover("new", promoted=100)
    handover.take(rows((90, "old"), (105, "old")))

    assert handover.since is None

    handover.take(rows((110, "new"), (115, "old"), (120, "new"), (125, "new")))

    assert handover.since == 120

    handover.take(rows((130, "new"), (140, "old")))

    assert handover.since is None

    handover.take(rows((150, "new")))

    assert handover.since == 150


def test_rows_that_come_late_undo_nothing_that_came_after_them() -> None:
    """A worker's segment may be read long after the others'."""
    handover = Handover("new", promoted=100)
    handover.take(rows((110, "new"), (120, "new")))
    handover.take(rows((105, "old")))

    assert handover.since == 110


def test_without_another_version_it_is_the_first_answer() -> None:
    """Of a model that was not asked anything meanwhile."""
    handover = Handover("new", promoted=100)
    handover.take(rows())
    handover.take(rows((200, "new")))

    assert handover.since == 200
