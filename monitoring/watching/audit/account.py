"""The newest answers kept with their inputs, so that a fault can be named when it is found."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import structlog

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.bundle.errors import BundleError
from plumbline.diagnosis.exact.answers import Answers, Slack
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.session import Graph
from plumbline.store.prediction import PredictionBatch

Others: TypeAlias = Callable[[], Mapping[str, Bundle]]
"""Opens other versions that a service might serve by mistake, by what to call them."""

KEPT = 64
"""Rows kept with their inputs."""

NOTED = 256
"""Rows whose logged answers are remembered."""

log = structlog.get_logger()


@dataclass(frozen=True)
class _Kept:
    """Some rows and their whole inputs."""

    windows: Mapping[str, FloatArray]
    logged: FloatArray
    symbol: AnyArray
    seq: AnyArray

    def __len__(self) -> int:
        return len(self.seq)

    def take(self, rows: BoolArray) -> _Kept:
        """Return the rows where this is true."""
        windows = {name: each[rows] for name, each in self.windows.items()}
        return _Kept(windows, self.logged[rows], self.symbol[rows], self.seq[rows])


class Account:
    """What is known of the newest answers.

    Parameters
    ----------
    bundle, graph
        The version, and its session.
    others
        Asked once, when a fault is to be named.
    """

    def __init__(self, bundle: Bundle, graph: Graph, others: Others | None) -> None:
        self._bundle = bundle
        self._graph = graph
        self._others = others
        self._opened: dict[str, Bundle] | None = None
        self._graphs: dict[str, Graph] = {}
        self._kept: deque[_Kept] = deque()
        self._wrong: deque[_Kept] = deque()
        self._newest: deque[PredictionBatch] = deque()

    def note(self, batch: PredictionBatch) -> None:
        """Remember what was logged of all rows, whatever is known of their windows."""
        self._newest.append(batch)
        while len(self._newest) > 1 and sum(map(len, self._newest)) - len(self._newest[0]) >= NOTED:
            self._newest.popleft()

    def keep(self, batch: PredictionBatch, rebuilt: Rebuilt, some: IntArray) -> None:
        """Keep rows with their windows: ``some`` are places in ``rebuilt``, all of them exact.

        Where answers depend on the whole cross-section, they are one.
        """
        if self._graph.rowwise:
            some = some[-KEPT:]
        _append(self._kept, batch, rebuilt, some)

    def keep_wrong(self, batch: PredictionBatch, rebuilt: Rebuilt, some: IntArray) -> None:
        """Keep rows that were found wrong: of one symbol of many they may lie far apart."""
        if self._graph.rowwise:
            _append(self._wrong, batch, rebuilt, some[-KEPT:])

    def forget(self) -> None:
        """Forget what was found wrong."""
        self._wrong.clear()

    def answers(self, slack: Slack) -> Answers | None:
        """Return the newest answers beside the right ones; None if the graph fails."""
        kept = self._everything()
        right = _ask(self._graph, kept)
        if right is None:
            return None
        others = {}
        for name, graph in self._other_graphs().items():
            said = _ask(graph, kept)
            if said is not None:
                others[name] = said
        return Answers(
            logged=np.concatenate([each.logged for each in kept]),
            right=right,
            slack=slack,
            symbol=np.concatenate([each.symbol for each in kept]),
            seq=np.concatenate([each.seq for each in kept]),
            others=others,
            all_logged=np.concatenate([each.raw[-NOTED:] for each in self._newest]),
            all_symbol=np.concatenate([each.symbol[-NOTED:] for each in self._newest]),
            all_seq=np.concatenate([each.seq[-NOTED:] for each in self._newest]),
        )

    def _everything(self) -> list[_Kept]:
        """Return the wrong rows that are older than the newest, then the newest."""
        known = {seq for each in self._kept for seq in each.seq.tolist()}
        older = [
            each.take(np.array([seq not in known for seq in each.seq.tolist()]))
            for each in self._wrong
        ]
        return [*(each for each in older if len(each)), *self._kept]

    @property
    def others(self) -> dict[str, Bundle]:
        """The other versions, opened on first use; a fault in opening them is none of this one."""
        if self._opened is None:
            self._opened = {}
            try:
                self._opened = dict(self._others()) if self._others is not None else {}
            except BundleError as error:
                log.warning("other_versions_not_opened", reason=str(error))
        return self._opened

    def _other_graphs(self) -> dict[str, Graph]:
        own = self._bundle.manifest
        for name, other in self.others.items():
            theirs = other.manifest
            if theirs.inputs == own.inputs and theirs.raw_width == own.raw_width:
                self._graphs.setdefault(name, Graph(other))
        return self._graphs


def _ask(graph: Graph, kept: Sequence[_Kept]) -> FloatArray | None:
    said = [graph.answer(each.windows) for each in kept]
    found = [each for each in said if each is not None]
    return np.concatenate(found) if found and len(found) == len(said) else None


def _append(kept: deque[_Kept], batch: PredictionBatch, rebuilt: Rebuilt, some: IntArray) -> None:
    """Append rows, and drop the oldest beyond `KEPT` rows and three pieces."""
    if len(some) == 0:
        return
    rows = rebuilt.rows[some]
    windows = {name: each[some] for name, each in rebuilt.windows.items()}
    kept.append(_Kept(windows, batch.raw[rows], batch.symbol[rows], batch.seq[rows]))
    while len(kept) > 3 and sum(map(len, kept)) - len(kept[0]) >= KEPT:
        kept.popleft()
