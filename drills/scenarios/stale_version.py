"""A server that says one version and answers with another."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.drills.fault import perturbed_graph
from plumbline.drills.scenarios.wrong_answers import WrongAnswersDrill


class StaleVersion(WrongAnswersDrill):
    """Answers with weights as an earlier training might have left them: a twentieth off."""

    name: ClassVar[str] = "stale-version"

    @override
    def answering(self, champion: Bundle) -> bytes | None:
        return perturbed_graph(champion, share=0.05, seed=1)
