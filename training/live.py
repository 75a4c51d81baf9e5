"""What was really served: sampled windows of the prediction log, for a candidate to face."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from plumbline.bundle.array import FloatArray
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch

WINDOWS = 400
"""Windows a candidate is asked about, at most."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of the log, by the time of the answers; None is open."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class LiveRows:
    """Rows of the log with their whole windows ``(m, t, f) float32``, oldest first."""

    rows: PredictionBatch
    windows: FloatArray


def read_live(
    objects: Objects, model: str, stretch: Stretch, *, window: tuple[int, int]
) -> LiveRows | None:
    """Read windows spread over a stretch of the log.

    Parameters
    ----------
    objects, model, stretch
        Whose log, and which part of it.
    window
        Steps and features of the windows wanted.

    Returns
    -------
    LiveRows, or None if there are no windows of that shape

    Raises
    ------
    StoreError
        If the log cannot be read.
    """
    rows, windows = PredictionLog(objects, model).windows(
        WINDOWS, start=stretch.since, end=stretch.until
    )
    return LiveRows(rows, windows) if len(rows) and windows.shape[1:] == window else None
