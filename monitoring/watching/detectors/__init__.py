"""Detectors: each watches one kind of event and gathers sequential evidence about it."""

from __future__ import annotations

from plumbline.bundle.plugin import Plugins
from plumbline.monitoring.watching.detectors.action_share import ActionShare
from plumbline.monitoring.watching.detectors.base import Detector
from plumbline.monitoring.watching.detectors.confidence import Confidence
from plumbline.monitoring.watching.detectors.epistemic import Epistemic
from plumbline.monitoring.watching.detectors.frozen import Frozen
from plumbline.monitoring.watching.detectors.gain import Gain
from plumbline.monitoring.watching.detectors.relation import ColumnRelation
from plumbline.monitoring.watching.detectors.repeats import Repeats
from plumbline.monitoring.watching.detectors.spread import Spread
from plumbline.monitoring.watching.detectors.stale import Stale
from plumbline.monitoring.watching.detectors.surrogate import SurrogateResidual
from plumbline.monitoring.watching.detectors.zero_padded import ZeroPadded

DETECTORS: Plugins[Detector] = Plugins(
    "detectors",
    Detector,
    {
        each.name: each
        for each in (
            Frozen,
            ZeroPadded,
            Stale,
            ColumnRelation,
            Gain,
            Spread,
            ActionShare,
            Repeats,
            SurrogateResidual,
            Confidence,
            Epistemic,
        )
    },
)
