"""Incident I1's cause: a client that fills the columns it does not have with zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.drills.scenarios.feed import FeedDrill
from plumbline.drills.traffic import Question

COLUMNS = 11


class ZeroPadded(FeedDrill):
    """Sends the last 11 columns as zeros."""

    name: ClassVar[str] = "zero-padded"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.SCHEMA_SKEW,)
    detection_limit: ClassVar[int | None] = 200

    @override
    def broken(self) -> Iterator[Question]:
        for question in self.system.questions():
            window = question.window.copy()
            window[:, -COLUMNS:] = 0.0
            yield Question(window, question.time)
