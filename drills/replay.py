"""Held-out real bars, as the requests a client would send."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.errors import FormatError
from plumbline.bundle.moment import microseconds, moment_of
from plumbline.bundle.replay import Replay
from plumbline.drills.errors import DrillError

WEEK = timedelta(weeks=1)


class Playback(Replay):
    """A replay as clients play it: bar after bar, and from the start again after the last."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that ``plumbline replay-data`` writes; raises `DrillError`."""
        try:
            return cls.from_bytes(path.read_bytes(), source=str(path))
        except (OSError, FormatError) as error:
            raise DrillError(
                f"{path} is not a replay file ({error}); write one with `plumbline replay-data`"
            ) from error

    def __len__(self) -> int:
        """Return the number of held-out bars."""
        return self.held_out

    @property
    def held_out_labels(self) -> IntArray:
        """True classes of the held-out bars: ``(len(self),) int8``."""
        return self.labels[self.first :]

    def window(self, position: int, *, late: int = 0) -> FloatArray:
        """Return the window of a held-out bar, or of so many bars before it: ``(steps, f)``."""
        end = self.first + position % len(self) + 1 - late
        return self.features[end - self.window_length : end]

    def time(self, position: int) -> datetime:
        """Return the bar's open time.

        Past the last bar the replay begins again, so many whole weeks later: hours and weekdays
        stay true and time never runs backwards.
        """
        passes, index = divmod(position, len(self))
        return self._clock(index) + passes * self._period

    def after(self, time: datetime) -> int:
        """Return the position of the first bar after a time."""
        passes = max((time - self._clock(0)) // self._period, 0)
        within = microseconds(time - passes * self._period)
        bars = self.bar_time[self.first :]
        return passes * len(self) + int(np.searchsorted(bars, within, side="right"))

    def label(self, time: datetime) -> int:
        """Return the true class of the bar of that time, -1 where masked."""
        return int(self.held_out_labels[(self.after(time) - 1) % len(self)])

    @property
    def _period(self) -> timedelta:
        """How much later the next pass is."""
        return (-(-(self._clock(len(self) - 1) - self._clock(0)) // WEEK) + 1) * WEEK

    def quiet_stretch(
        self, choice: int, share: float, *, hours: Collection[int], least: int
    ) -> list[int]:
        """Return the longest run of quiet bars of which at least ``share`` have one label.

        Parameters
        ----------
        choice
            Index of that label.
        share
            Of that label in the run.
        hours
            Bars of these hours of the day (UTC) alone are looked at; masked bars are left out.
        least
            Bars that the run must have.

        Returns
        -------
        Positions of the bars, in order.

        Raises
        ------
        DrillError
            If the longest run is shorter than ``least``.
        """
        labels = self.held_out_labels
        bars = [
            position
            for position in range(len(self))
            if labels[position] >= 0 and self.time(position).hour in hours
        ]
        chosen = labels[bars] == choice
        surplus = np.round(np.concatenate([[0.0], np.cumsum(chosen - share)]), 9)
        best = slice(0, 0)
        lowest = np.minimum.accumulate(surplus)
        for end in range(1, len(surplus)):
            start = int(np.searchsorted(-lowest, -surplus[end]))
            if start < end and end - start > best.stop - best.start:
                best = slice(start, end)
        found = bars[best]
        if len(found) < least:
            raise DrillError(
                f"no {least} quiet bars have {share:.0%} one label; longest {len(found)}"
            )
        return found

    def _clock(self, index: int) -> datetime:
        return moment_of(int(self.bar_time[self.first + index]))


def encode(window: FloatArray, *, prediction: str, symbol: str, time: datetime) -> bytes:
    """Return the body of a ``POST /predict`` for one window."""
    instance = {
        "features": [[float(f"{value:.9g}") for value in row] for row in window.tolist()],
        "id": prediction,
        "symbol": symbol,
        "time": time.isoformat(),
    }
    return json.dumps({"instances": [instance]}, separators=(",", ":")).encode()
