"""The detectors of the input, or of the outputs, whose evidence is followed together."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp

import numpy as np

from plumbline.bundle.array import BoolArray, IntArray
from plumbline.diagnosis.e_process import MOST_AHEAD, Course, EProcess
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import LEVELS
from plumbline.monitoring.watching.detectors.base import Detector

_LEAST_AHEAD = 64
_NUMBERS_AHEAD = 40 * MOST_AHEAD
"""Bets times rows looked at together, at most: a panel of many outputs looks less far."""


class Team:
    """A few detectors as one process.

    Rows are looked at ahead of time, many together, since what each does to the evidence is known
    before it is taken. However rows are cut into calls, the outcome is the same.

    Parameters
    ----------
    detectors
        By the name the panel gives them.
    """

    def __init__(self, detectors: Mapping[str, Detector]) -> None:
        self.detectors = dict(detectors)
        each = list(self.detectors.values())
        self.process = EProcess(
            np.concatenate([np.empty((0, 2, LEVELS)), *(detector.bounds for detector in each)]),
            sizes=[len(detector.bounds) for detector in each],
            levels=np.array([exp(detector.threshold) for detector in each]),
        )
        for mixture, detector in enumerate(each):
            detector.join(self.process, mixture)
        self._most = max(
            _LEAST_AHEAD, min(MOST_AHEAD, _NUMBERS_AHEAD // max(1, len(self.process.bounds)))
        )
        self._reach = _LEAST_AHEAD
        self._course: Course | None = None
        self._rows: IntArray = np.empty(0, np.int64)
        self._due = 0
        self._of: IntArray | None = None
        self._at = self._until = 0

    def events(self, measures: Mapping[str, Measures], first: str) -> IntArray:
        """Return the events of all detectors beside each other: ``(n, j) int8``."""
        none = np.empty((len(measures[first]), 0), np.int8)
        found = [each.events_of(measures[each.output or first]) for each in self.detectors.values()]
        return np.hstack([none, *found])

    def look(
        self, inputs: Measures, events: IntArray, shown: BoolArray, start: int, stop: int
    ) -> tuple[int, bool]:
        """Look at rows without taking them.

        Parameters
        ----------
        inputs
            Whose rows they are.
        events
            From `events`, of these rows.
        shown : (n,) bool
            Rows that these detectors are to see.
        start, stop
            Which rows to look at.

        Returns
        -------
        stop
            The place after the last row looked at: of the first that brings an alarm, or as far as
            it could be looked.
        alarm
            Whether that row brings one.
        """
        if not self._covers(events, start):
            self._look_ahead(inputs, events, shown, start, stop)
        stop = min(stop, self._until)
        if self._course is None:
            return stop, False
        until = int(np.searchsorted(self._rows, stop))
        found = self.process.first_alarm(self._course, self._due, until)
        return (stop, False) if found is None else (int(self._rows[found]) + 1, True)

    def take(self, stop: int, *, alarm: bool) -> None:
        """Take the rows looked at, up to this place, the last of which may bring an alarm."""
        self._at = stop
        self._due = int(np.searchsorted(self._rows, stop))
        if alarm:
            self.settle()

    def settle(self) -> None:
        """Bring the process up to the last row taken."""
        if self._course is not None:
            self.process.take(self._course, self._due)

    def drop(self) -> None:
        """Settle, and look ahead anew after this: something else is going to happen first."""
        self.settle()
        self._course, self._of = None, None

    def reset(self) -> None:
        """Forget the evidence."""
        self.drop()
        self.process.reset()

    def forget(self, place: int) -> None:
        """Forget the symbol at a place."""
        self.drop()
        self.process.forget(place)

    def _covers(self, events: IntArray, start: int) -> bool:
        """Whether these rows have been looked at, and none of those before it was left out."""
        return (
            self._of is events
            and self._at <= start < self._until
            and int(np.searchsorted(self._rows, start)) == self._due
        )

    def _look_ahead(
        self, inputs: Measures, events: IntArray, shown: BoolArray, start: int, stop: int
    ) -> None:
        goes_on = self._at == self._until
        self.drop()
        self._reach = min(2 * self._reach, self._most) if goes_on else _LEAST_AHEAD
        self._reach = max(self._reach, min(stop - start, self._most))
        self._of, self._at = events, start
        self._until = min(len(events), start + self._reach)
        self._rows = start + np.flatnonzero(shown[start : self._until])
        self._due = 0
        if len(self._rows) and self.detectors:
            rows = self._rows
            self._course = self.process.ahead(
                inputs.place[rows], inputs.tenant[rows], inputs.symbol[rows], events[rows]
            )
