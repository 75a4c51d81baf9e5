"""Clients whose history goes wrong, and what the audit of histories says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reference import ReferenceProfile
from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.monitoring.watching.audit.history import History
from plumbline.store.prediction import PredictionBatch
from tests.support.bundles import small_bundle
from tests.support.logged import FIRST, HOUR, Sent, columns

WINDOW, WIDTH = 32, 12
ONSET = 110

Change = Callable[[np.ndarray], np.ndarray]
"""What is done to steps ``(n, F)``."""


@cache
def taught(window: int = WINDOW, width: int = WIDTH) -> tuple[Manifest, ReferenceProfile]:
    """Return what a history is kept for: a reference like the streams of `columns`."""
    manifest, files = small_bundle(features=width, window=window, rows=400)
    reference = ReferenceProfile.from_bytes(files["reference.npz"])
    return manifest, replace(
        reference,
        features=columns(400, width, seed=99),
        bar_time=FIRST - HOUR * np.arange(400, 0, -1),
    )


def otherwise(change: Change, *, since: int = ONSET, until: int = 10**9) -> Sent:
    """Return the fault of computing everything another way between two bars."""
    return lambda window, bar: change(window) if since <= bar < until else window


def behind(change: Change, *, since: int = ONSET, until: int = 10**9) -> Sent:
    """Return the fault of a wrong history: the newest step is right."""

    def sent(window: np.ndarray, bar: int) -> np.ndarray:
        if not since <= bar < until:
            return window
        return np.vstack([change(window[:-1].copy()), window[-1:]])

    return sent


def on(columns: list[int], change: Change) -> Change:
    """Return what befalls only some columns."""

    def changed(steps: np.ndarray) -> np.ndarray:
        steps[:, columns] = change(steps[:, columns])
        return steps

    return changed


def audited(
    rows: PredictionBatch, history: History | None = None, *, size: int = 100
) -> tuple[list[tuple[int, ClientFault]], list[tuple[int, ClientFault]]]:
    """Return the faults found and those over, each with the place of its row in the log."""
    history = history or History(*taught())
    found: list[tuple[int, ClientFault]] = []
    over: list[tuple[int, ClientFault]] = []
    for start in range(0, len(rows), size):
        history.take(rows.take(slice(start, start + size)))
        found += [(start + each.row, each) for each in history.findings()]
        over += [(start + each.row, each) for each in history.recovered()]
    return found, over
