"""Whose predictions they are: one line for each symbol and each client, against the reference.

One symbol's feed may be stuck, or one client may be wrong, while the stream as a whole looks well.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.moment import moment_of
from plumbline.bundle.record import Record
from plumbline.diagnosis.share import action_counts
from plumbline.store.prediction import PredictionBatch

WINDOW = 200
"""Newest rows of each that are counted."""

MOST_NAMES = 2_000
"""Of each kind; rows of further ones are counted in none."""

MOST_SHOWN = 50


class Party(Record):
    """One symbol or one client."""

    name: str
    rows: int
    last: datetime
    shares: tuple[float, ...]
    reference: tuple[float, ...]
    distance: float


class Parties(Record):
    """The most unusual of one kind, and how many there are."""

    shown: tuple[Party, ...] = ()
    known: int = 0


@dataclass
class _Tally:
    rows: int = 0
    last: int = 0
    actions: IntArray = field(default_factory=lambda: np.empty(0, np.int8))


class Crowd:
    """Counts the rows of one version by symbol and by client.

    It is fed by the control loop and read by whoever draws the page.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._kinds = len(bundle.outputs.policy.actions)
        reference = bundle.reference
        self._whole = reference.action_shares(self._kinds)
        self._reference = {
            str(symbol): _shares(reference.action[reference.symbol == symbol], self._kinds)
            for symbol in np.unique(reference.symbol)[:MOST_NAMES]
        }
        self._symbols: dict[str, _Tally] = {}
        self._clients: dict[str, _Tally] = {}
        self._lock = threading.Lock()

    def add(self, rows: PredictionBatch) -> None:
        """Count rows."""
        if len(rows) == 0:
            return
        with self._lock:
            _count(self._symbols, rows.symbol, rows)
            _count(self._clients, rows.client, rows)

    def symbols(self) -> Parties:
        """Return the symbols, those farthest from their own reference first."""
        with self._lock:
            return self._parties(self._symbols)

    def clients(self) -> Parties:
        """Return the clients that have said who they are; the unnamed are one of them."""
        with self._lock:
            return self._parties(self._clients)

    def _parties(self, tallies: dict[str, _Tally]) -> Parties:
        parties = []
        for name, tally in tallies.items():
            shares = _shares(tally.actions, self._kinds)
            reference = self._reference.get(name, self._whole)
            parties.append((float(np.abs(shares - reference).sum() / 2), name, shares, reference))
        parties.sort(key=lambda party: (-party[0], party[1]))
        shown = tuple(
            Party(
                name=name,
                rows=tallies[name].rows,
                last=moment_of(tallies[name].last),
                shares=tuple(shares.tolist()),
                reference=tuple(reference.tolist()),
                distance=distance,
            )
            for distance, name, shares, reference in parties[:MOST_SHOWN]
        )
        return Parties(shown=shown, known=len(parties))


def _count(tallies: dict[str, _Tally], names: np.ndarray, rows: PredictionBatch) -> None:
    kinds, inverse = np.unique(names, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(inverse[order])) + 1)
    for name, own in zip(kinds.tolist(), parts, strict=True):
        if name not in tallies and len(tallies) >= MOST_NAMES:
            continue
        tally = tallies.setdefault(name, _Tally())
        tally.rows += len(own)
        tally.last = max(tally.last, int(rows.time[own[-1]]))
        tally.actions = np.concatenate([tally.actions, rows.action[own[-WINDOW:]]])[-WINDOW:]


def _shares(actions: IntArray, kinds: int) -> FloatArray:
    """Return the share of each action: ``(n,)`` to ``(kinds,) float64``; zeros without rows."""
    taken = actions[actions >= 0]
    if kinds == 0 or len(taken) == 0:
        return np.zeros(kinds)
    shares: FloatArray = action_counts(taken, kinds) / len(taken)
    return shares
