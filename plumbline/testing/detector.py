"""The contract of detectors."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from math import isclose, log

from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors.base import Detector
from plumbline.testing.contract import hold, require, require_kind

LOG_A = log(1e6)
COST_SECONDS = 200e-6
"""Of a row: all detectors together have to keep up with thousands of rows a second."""


def check_detector(
    kind: type[Detector], *, reference: Measures, healthy: Measures, collapsed: Measures
) -> None:
    """Hold a detector to everything it promises.

    Parameters
    ----------
    kind
        The class.
    reference
        Rows to learn from, measured as the panel measures them.
    healthy
        Other rows of the same sound model, 2,000 or so.
    collapsed
        Rows in which that happens which the detector is for.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Detector)
    hold(kind.__qualname__, _PROMISES, _Subject(kind, reference, healthy, collapsed))


@dataclass
class _Subject:
    kind: type[Detector]
    reference: Measures
    healthy: Measures
    collapsed: Measures

    @cached_property
    def _fitted(self) -> Detector:
        return self.kind(self.reference, self.kind.Params(), log_a=LOG_A)

    def fresh(self) -> Detector:
        return deepcopy(self._fitted)


def _is_quiet(subject: _Subject) -> None:
    """Quiet on healthy rows of another stretch than the reference's."""
    found = subject.fresh().update(subject.healthy)
    require(
        not found.alarmed, f"it alarms on healthy rows, {found.log_e:.1f} of {found.threshold:.1f}"
    )


def _alarms(subject: _Subject) -> None:
    """It alarms on the collapse it is for, within the rows at hand, and says who it is."""
    detector = subject.fresh()
    found = detector.evidence()
    for row in range(len(subject.collapsed)):  # the evidence may wane after the alarm
        found = detector.update(subject.collapsed.take(slice(row, row + 1)))
        if found.alarmed:
            break
    require(found.alarmed, f"it is silent, {found.log_e:.1f} of {found.threshold:.1f} nats")
    require(found.log_e >= found.threshold, "it alarms below its threshold")
    require(found.detector == subject.kind.name, f"its evidence is signed {found.detector!r}")


def _takes_rows_one_by_one(subject: _Subject) -> None:
    """The evidence does not depend on the batches."""
    rows = subject.collapsed.take(slice(0, 60))
    at_once, single = subject.fresh().update(rows), subject.fresh()
    for i in range(60):
        single.update(rows.take(slice(i, i + 1)))
    found = single.evidence()
    same = isclose(found.log_e, at_once.log_e, abs_tol=1e-6)  # sums in another order
    require(
        same and replace(found, log_e=at_once.log_e) == at_once,
        "one row at a time gives other evidence than all at once",
    )


def _forgets(subject: _Subject) -> None:
    """A reset forgets evidence, alarm and count."""
    detector = subject.fresh()
    detector.update(subject.collapsed)
    detector.reset()
    found = detector.evidence()
    require(not found.alarmed and found.n == 0 and found.log_e < 0, f"a reset leaves {found}")


def _holds_to_the_level(subject: _Subject) -> None:
    """The alarm level is at least that of theory, and above anything the reference shows."""
    detector = subject.fresh()
    level = max(LOG_A, detector.highest)
    require(detector.threshold >= level, f"it is {detector.threshold:.1f}, expected {level:.1f}")


def _costs_little(subject: _Subject) -> None:
    """A row costs little."""
    detector = subject.fresh()
    start = time.process_time()
    detector.update(subject.healthy)
    cost = (time.process_time() - start) / max(len(subject.healthy), 1)
    require(cost < COST_SECONDS, f"it costs {cost * 1e6:.0f} µs, expected {COST_SECONDS * 1e6:.0f}")


_PROMISES = (
    _is_quiet,
    _alarms,
    _takes_rows_one_by_one,
    _forgets,
    _holds_to_the_level,
    _costs_little,
)
