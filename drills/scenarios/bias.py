"""A constant on one class: the ranking is intact, and an offset repairs it without a retrain."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.bundle.finding import Verdict
from plumbline.drills.errors import DrillError
from plumbline.drills.fault import shifted_graph, with_graph
from plumbline.drills.scenarios.broken_model import BrokenModelDrill

OFFSET = 1.2


class Bias(BrokenModelDrill):
    """Adds 1.2 nats to the logit of the last class, inside the graph."""

    name: ClassVar[str] = "bias"
    expected: ClassVar[tuple[Verdict, ...]] = (Verdict.BIAS_SHIFT,)
    detection_limit: ClassVar[int | None] = 400

    @override
    def break_bundle(self, champion: Bundle) -> Bundle:
        calibration = champion.outputs.calibrations[champion.manifest.primary]
        if not isinstance(calibration, ChoiceCalibration):
            raise DrillError(f"{self.name} shifts the logits of a choice, this is another kind")
        offset = np.zeros(len(calibration.bias))
        offset[-1] = OFFSET * calibration.temperature
        graph = shifted_graph(champion, offset)
        return self.system.registry.write(*with_graph(champion, graph, drill=self.name))
