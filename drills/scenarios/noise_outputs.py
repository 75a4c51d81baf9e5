"""Answers that look like any others, and depend on nothing: shares and spread are as ever."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.drills.scenarios.wrong_answers import WrongAnswersDrill


class NoiseOutputs(WrongAnswersDrill):
    """Gives answers of earlier rows, drawn at random."""

    name: ClassVar[str] = "noise-outputs"

    @override
    def answering(self, champion: Bundle) -> bytes | None:
        return None
