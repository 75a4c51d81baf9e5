"""A feed that repeats itself: time goes on, the window does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.finding import Verdict
from plumbline.drills.scenarios.feed import FeedDrill
from plumbline.drills.traffic import Question


class FrozenFeed(FeedDrill):
    """Sends the same window with every new bar."""

    name: ClassVar[str] = "frozen-feed"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.FROZEN_FEED,)
    detection_limit: ClassVar[int | None] = 200

    @override
    def broken(self) -> Iterator[Question]:
        feed = self.system.questions()
        frozen = next(feed)
        yield frozen
        for question in feed:
            yield Question(frozen.window, question.time)
