"""Which segments there are: found by listing hour folders, never by a catalogue of its own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from plumbline.bundle.moment import MICROSECOND, moment_of
from plumbline.store.objects import Objects
from plumbline.store.segment import SegmentName, hour_folder
from plumbline.store.table import LogTable

LOOKBACK = timedelta(hours=48)
"""How late a segment may appear, from the spool of a machine that was away, and be found as new."""

_LATE = timedelta(minutes=10) // MICROSECOND
_EARLY = timedelta(minutes=1) // MICROSECOND
_WIDE_LOOK = timedelta(seconds=60) // MICROSECOND


class SegmentIndex:
    """The segments of one table and model.

    Parameters
    ----------
    objects, table, model
        The store, which table, whose.
    lookback
        How far back `new` looks.
    """

    def __init__(
        self, objects: Objects, table: LogTable, model: str, *, lookback: timedelta = LOOKBACK
    ) -> None:
        self._objects = objects
        self._table = table.name
        self._model = model
        self._lookback = lookback // MICROSECOND
        self._known: set[str] = set()
        self._looked_wide: int | None = None

    def between(self, start: int | None = None, end: int | None = None) -> list[SegmentName]:
        """Return the segments that may hold rows with ``start <= time < end``, oldest first.

        Parameters
        ----------
        start, end
            Microseconds since 1970 UTC; None for open.
        """
        folders = []
        for day in self._objects.folders(f"{self._table}/{self._model}"):
            first = start is None or day >= _day(start)
            if first and (end is None or day <= _day(end)):
                folders.append(f"{self._table}/{self._model}/{day}")
        return [
            name
            for name in self._list(folders)
            if (start is None or name.last >= start) and (end is None or name.first < end)
        ]

    def new(self, now: int) -> list[SegmentName]:
        """Return the segments not marked as `known`, oldest first.

        Most calls list the present hour alone; once a minute everything within the lookback is
        listed, for segments that come late.
        """
        wide = self._looked_wide is None or not 0 <= now - self._looked_wide < _WIDE_LOOK
        if wide:
            found = self.between(now - self._lookback)
            self._looked_wide = now
            self._known &= {name.key for name in found}
        else:
            times = (now - _LATE, now, now + _EARLY)
            folders = {hour_folder(self._table, self._model, time) for time in times}
            found = self._list(sorted(folders))
        return [name for name in found if name.key not in self._known]

    def know(self, names: Iterable[SegmentName]) -> None:
        """Mark segments as known: `new` returns them no more."""
        self._known.update(name.key for name in names)

    def _list(self, folders: Iterable[str]) -> list[SegmentName]:
        keys = (key for folder in folders for key in self._objects.keys(folder))
        return sorted(name for key in keys if (name := SegmentName.parse(key)) is not None)


def _day(time: int) -> str:
    return f"date={moment_of(time):%Y-%m-%d}"
