"""A model that says one thing: the logits of a published incident, served for real."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.drills.fault import collapsed_graph, with_graph
from plumbline.drills.scenarios.broken_model import BrokenModelDrill


class CollapseDrill(BrokenModelDrill):
    """Logits that vary about a fixed point; subclasses say which."""

    retrains: ClassVar[int] = 1
    detection_limit: ClassVar[int | None] = 200
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    @override
    def break_bundle(self, champion: Bundle) -> Bundle:
        graph = collapsed_graph(champion, np.array(self.mean), np.array(self.std), seed=1)
        # The incident's logits were served as they came, so they are not calibrated here either.
        as_is = {champion.manifest.primary: ChoiceCalibration.identity(len(self.mean))}
        return self.system.registry.write(
            *with_graph(champion, graph, drill=self.name, calibrations=as_is)
        )
