"""Detectors: each watches one kind of event and gathers sequential evidence about it."""

from __future__ import annotations

from monitoring.detectors.action_share import ActionShare
from monitoring.detectors.base import Detector
from monitoring.detectors.confidence import Confidence
from monitoring.detectors.frozen import Frozen
from monitoring.detectors.gain import Gain
from monitoring.detectors.repeats import Repeats
from monitoring.detectors.spread import Spread
from monitoring.detectors.stale import Stale
from monitoring.detectors.surrogate import SurrogateResidual
from monitoring.detectors.zero_padded import ZeroPadded

DETECTORS: dict[str, type[Detector]] = {
    each.name: each
    for each in (
        Frozen,
        ZeroPadded,
        Stale,
        Gain,
        Spread,
        ActionShare,
        Repeats,
        SurrogateResidual,
        Confidence,
    )
}
