"""Rows of the log as a service with this bundle would have written them, and their windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.inputs import given, input_bytes, inputs_hash, last_steps
from plumbline.monitoring.watching.audit.answer_fault import AnswerFault
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.replay import Replay
from plumbline.monitoring.watching.audit.session import Graph
from plumbline.store.prediction import PredictionBatch

HOUR = 3_600_000_000
START = 1_500_000_000_000_000


@dataclass(frozen=True)
class Answered:
    """Logged rows with the windows they were asked about."""

    bundle: Bundle
    batch: PredictionBatch
    windows: dict[str, np.ndarray]

    @property
    def right(self) -> np.ndarray:
        """What the graph says: the logged raw numbers, before a test changes them."""
        return self.batch.raw

    def saying(self, raw: np.ndarray, since: int = 0) -> Answered:
        """Return the rows with other raw numbers from a row on, read as the bundle reads them."""
        changed = self.batch.raw.copy()
        changed[since:] = raw[since:]
        return Answered(self.bundle, read(self.bundle, self.batch, changed), self.windows)

    def of(self, symbols: np.ndarray) -> Answered:
        """Return the rows as answers about these symbols."""
        return Answered(self.bundle, replace(self.batch, symbol=symbols), self.windows)

    def with_batch(self, **columns: np.ndarray) -> Answered:
        """Return the rows with other columns."""
        return Answered(self.bundle, replace(self.batch, **columns), self.windows)

    def feed(
        self,
        replay: Replay,
        *,
        at_once: int = 25,
        exact: np.ndarray | None = None,
        rows: slice = slice(None),
    ) -> list[tuple[int, AnswerFault]]:
        """Check the rows; returns what was found and after how many rows."""
        places = np.arange(len(self.batch))[rows]
        found = []
        for i in range(0, len(places), at_once):
            some = places[i : i + at_once]
            known = np.ones(len(some), bool) if exact is None else exact[some]
            rebuilt = Rebuilt(
                np.flatnonzero(known),
                {name: each[some][known] for name, each in self.windows.items()},
                np.ones(int(known.sum()), bool),
            )
            replay.check(self.batch.take(some), rebuilt)
            found += [(int(some[fault.row]), fault) for fault in replay.faults()]
        return found


def windows_of(bundle: Bundle, rows: int, *, seed: int = 1) -> dict[str, np.ndarray]:
    """Return windows of a persistent series for every input that differs from row to row."""
    rng = np.random.default_rng(seed)
    made = {}
    for spec in given(bundle.manifest.inputs):
        steps, columns = spec.steps, spec.shape[-1]
        series = np.zeros((rows + steps - 1, columns))
        for step in range(1, len(series)):
            series[step] = 0.9 * series[step - 1] + rng.normal(0, 0.5, columns)
        views = np.lib.stride_tricks.sliding_window_view(series, steps, axis=0).transpose(0, 2, 1)
        made[spec.name] = np.ascontiguousarray(views, spec.dtype).reshape(rows, *spec.shape)
    return made


def answered(
    bundle: Bundle,
    rows: int = 400,
    *,
    group: np.ndarray | None = None,
    windows: dict[str, np.ndarray] | None = None,
    sampled: float = 0.1,
) -> Answered:
    """Return rows that the bundle's own graph has answered, one symbol and one bar an hour.

    Parameters
    ----------
    group
        Of a model of cross-sections.
    sampled
        Share of rows kept with their inputs.
    """
    specs = bundle.manifest.inputs
    windows = windows_of(bundle, rows) if windows is None else windows
    graph = Graph(bundle)
    raw = np.empty((rows, bundle.manifest.raw_width), np.float32)
    names = np.full(rows, "") if group is None else group
    pieces = (
        [np.arange(rows)] if group is None else [np.flatnonzero(names == g) for g in set(names)]
    )
    for piece in pieces:
        said = graph.answer({name: each[piece] for name, each in windows.items()})
        assert said is not None, graph.fault
        raw[piece] = said
    whole = [input_bytes(specs, windows, i) for i in range(rows)]
    kept = np.random.default_rng(2).random(rows) < sampled
    window = np.array([data if kept[i] else None for i, data in enumerate(whole)], object)
    number = np.arange(rows)
    watched = any(spec.source == "features" for spec in specs)
    batch = PredictionBatch(
        prediction_id=number.astype(str),
        seq=number,
        time=START + number * 1_000,
        bar_time=START + number * HOUR,
        symbol=np.full(rows, "EURUSD"),
        group=names,
        client=np.full(rows, ""),
        version=np.full(rows, bundle.version),
        action=np.full(rows, -1, np.int8),
        position=np.zeros(rows),
        size=np.zeros(rows),
        raw=raw,
        centre=raw,
        epistemic=raw,
        features=last_steps(specs, windows) if watched else np.empty((rows, 0), np.float32),
        inputs_hash=np.array([inputs_hash(data) for data in whole]),
        window=window,
    )
    return Answered(bundle, read(bundle, batch, raw), windows)


def read(bundle: Bundle, batch: PredictionBatch, raw: np.ndarray) -> PredictionBatch:
    """Return rows with these raw numbers, read and decided as the service would."""
    outputs = bundle.outputs
    group = batch.group if bundle.manifest.unit == "cross_section" else None
    with np.errstate(invalid="ignore"):
        readings = outputs.read(raw, group)
        decision = outputs.decide(readings, group)
    none = np.full(len(batch), -1, np.int8)
    return replace(
        batch,
        raw=np.asarray(raw, np.float32),
        centre=outputs.centres(readings).astype(np.float32),
        epistemic=outputs.epistemics(readings).astype(np.float32),
        action=none if decision.action is None else decision.action.astype(np.int8),
        position=decision.position,
        size=decision.size,
    )
