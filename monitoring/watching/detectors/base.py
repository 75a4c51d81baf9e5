"""What all detectors have in common: events, bounds learnt from the reference, and an e-process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import exp
from typing import ClassVar

import numpy as np
from pydantic import Field

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.bundle.verdict import Accusation, Verdict
from plumbline.diagnosis.bootstrap import highest_evidence
from plumbline.diagnosis.e_process import EProcess
from plumbline.diagnosis.evidence import Evidence, of_input
from plumbline.diagnosis.measure import Measures
from plumbline.diagnosis.null import NO_EVENT, fit_null
from plumbline.diagnosis.verdicts import VERDICTS

_ACCUSED = frozenset(verdict for verdict in VERDICTS if not verdict.facts.sized)
"""What an alarm may name: verdicts that `diagnose` reaches, and under which no size is given."""


class Detector(ABC):
    """Watches a few events and gathers evidence that they are likelier than in the reference.

    A subclass names the events: `learn` takes their edges from the reference, `events` tells for
    each row which occurred. The rest is the same for all: how likely each event may be given the
    recent past, the bets against it, and the level at which the evidence is an alarm. It also says
    whom an alarm accuses: of an input by the verdict's name, of an output the model.

    Parameters
    ----------
    reference
        The reference stream, measured by the same meter as the live rows.
    params
        Recorded with the evidence.
    log_a
        The alarm level of theory, in nats. A bet that would have raised an alarm in one half of the
        reference against the null of the other, bootstrapped, is not placed. The level used is the
        larger of theory's and the highest evidence of those that are, with some slack.
    output
        Which output it watches; empty for the input.
    """

    name: ClassVar[str]
    accuses: ClassVar[Accusation]

    class Params(Record):
        """Of the bootstrap; subclasses add their edges."""

        paths: int = Field(4, ge=0, description="Resampled streams per half of the reference.")
        path_rows: int = Field(1_500, ge=100, description="Rows of each.")
        block: int = Field(100, ge=1, description="Mean block length.")
        slack: float = Field(2.3, ge=0, description="Nats above the highest evidence found.")

    def __init__(
        self, reference: Measures, params: Params, *, log_a: float, output: str = ""
    ) -> None:
        if isinstance(self.accuses, Verdict) and self.accuses not in _ACCUSED:
            names = ", ".join(sorted(_ACCUSED))
            raise ValueError(
                f"detector {self.name} accuses {self.accuses}; expected one of {names}"
            )
        self.output = output
        self._params = params
        self._edges = self.learn(reference)
        highest = self._highest(reference)
        self._placed = np.flatnonzero((highest <= log_a) | (highest == highest.min()))
        self.highest = float(highest[self._placed].max())
        self.threshold = max(log_a, self.highest + params.slack)
        self.bounds = self._null(reference, self._edges)[self._placed]
        self._mixture = 0
        self._process = EProcess(self.bounds, levels=np.array([exp(self.threshold)]))

    @classmethod
    def of_input(cls) -> bool:
        """Whether it watches what the model is given, or what the model says."""
        return of_input(cls.accuses)

    @classmethod
    def breaks(cls) -> bool:
        """Whether its events alone make a row say nothing about the model."""
        return isinstance(cls.accuses, Verdict) and cls.of_input()

    @abstractmethod
    def learn(self, reference: Measures) -> FloatArray:
        """Return the edges of the events: any shape, as `events` wants it."""

    @abstractmethod
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        """Return ``(n, j) int8``: 1 where an event occurred, 0 where not, -1 where undefined."""

    def wider(self, bets: int) -> Sequence[int]:
        """Return, of each event, which one always occurs with it and is commoner; -1 for none.

        Of an event too rare to have taught how long it lasts, the commoner one tells.
        """
        return [-1] * bets

    def lasting(self, reference: Measures, bets: int) -> Sequence[float]:  # noqa: ARG002 - ditto
        """Return how likely at least each event may be to go on; 0 where nothing is known.

        An event that a run is longer than ever goes on as the run does.
        """
        return [0.0] * bets

    @classmethod
    def watches(cls, reference: Measures) -> bool:  # noqa: ARG003 - for subclasses
        """Whether there is anything to watch in an output like the reference's."""
        return True

    def join(self, process: EProcess, mixture: int) -> None:
        """Let the evidence be gathered elsewhere, as one of the mixtures of a process."""
        self._process, self._mixture = process, mixture

    def update(self, measures: Measures) -> Evidence:
        """Take rows in order and return the evidence after the last of them."""
        self._process.follow(measures.symbol.tolist(), self.events_of(measures))
        return self.evidence()

    def columns(self, measures: Measures) -> BoolArray | None:  # noqa: ARG002 - for subclasses
        """Return which columns the events concern in each row, ``(n, f)``, if any do."""
        return None

    def events_of(self, measures: Measures) -> IntArray:
        """Return the events of live rows that are bet on: ``(n, j) int8``."""
        return self.events(measures, self._edges)[:, self._placed]

    def step(self, symbol: str, events: list[int]) -> bool:
        """Take one row; true when the alarm is raised at this very row."""
        before = self.alarmed
        self._process.step(symbol, events)
        return self.alarmed and not before

    @property
    def alarmed(self) -> bool:
        """Whether the alarm level has been reached since the last reset."""
        return bool(self._process.alarmed[self._mixture])

    @property
    def onset(self) -> int:
        """Rows since the evidence began to grow; 0 while it does not.

        Of the rows of those symbols whose own evidence has reached the level, if any has.
        """
        return self._process.onset(self._mixture)

    @property
    def excess(self) -> float:
        """Evidence above the alarm level, in nats."""
        return self._process.log_e(self._mixture) - self.threshold

    def evidence(self, columns: tuple[str, ...] = ()) -> Evidence:
        """Return the present state."""
        return Evidence(
            detector=self.name,
            accuses=self.accuses,
            output=self.output,
            log_e=self._process.log_e(self._mixture),
            threshold=self.threshold,
            alarmed=self.alarmed,
            onset=self.onset,
            n=self._process.n,
            columns=columns,
            symbols=self._process.symbols(self._mixture),
        )

    def reset(self) -> None:
        """Forget the evidence and the alarm."""
        self._process.reset()

    def _null(self, measures: Measures, edges: FloatArray) -> FloatArray:
        events = self.events(measures, edges)
        bets = events.shape[1]
        return fit_null(
            events,
            _breaks(measures),
            wider=self.wider(bets),
            lasting=self.lasting(measures, bets),
        )

    def _highest(self, reference: Measures) -> FloatArray:
        """Highest evidence of each bet in one half of the reference against the other, in nats."""
        early = _early(reference)
        halves = reference.take(early), reference.take(~early)
        found = []
        for seed, (inside, outside) in enumerate((halves, halves[::-1])):
            edges = self.learn(inside)
            found.append(
                highest_evidence(
                    self._null(inside, edges),
                    self.events(outside, edges),
                    _breaks(outside),
                    paths=self._params.paths,
                    rows=self._params.path_rows,
                    block=self._params.block,
                    rng=np.random.default_rng(seed),
                )
            )
        return np.maximum(*found)


def _breaks(measures: Measures) -> BoolArray:
    """Where another symbol begins; rows of one are consecutive in a reference."""
    return np.append(True, measures.symbol[1:] != measures.symbol[:-1])


def _early(measures: Measures) -> BoolArray:
    """Tell the first half of each symbol's rows from the second: early from late, not who."""
    begins = np.flatnonzero(_breaks(measures))
    lengths = np.diff(np.append(begins, len(measures)))
    rank = np.arange(len(measures)) - np.repeat(begins, lengths)
    early: BoolArray = rank < np.repeat(lengths, lengths) // 2
    return early


def exceeds(values: FloatArray, edges: FloatArray) -> IntArray:
    """Events ``value > edge``: ``(n,)`` and ``(j,)`` to ``(n, j) int8``; -1 where undefined."""
    return _compare(values, values[:, None] > edges)


def falls_below(values: FloatArray, edges: FloatArray) -> IntArray:
    """Events ``value < edge``, likewise."""
    return _compare(values, values[:, None] < edges)


def _compare(values: FloatArray, on: np.ndarray) -> IntArray:
    defined = np.isfinite(values)[:, None]
    return np.where(defined, on.astype(np.int8), np.int8(NO_EVENT))


def quantiles(values: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Quantiles of the defined values; NaN edges, which no value exceeds, where there are none."""
    defined = values[np.isfinite(values)]
    if len(defined) == 0:
        return np.full(len(levels), np.nan)
    return np.quantile(defined, levels)


def lasts(run: IntArray) -> FloatArray:
    """How often each column's runs go on: from their lengths ``(n, f)`` to ``(f,) float64``.

    With a grain of doubt, so that a few runs of one row do not prove that none goes on.
    """
    return np.asarray(((run > 1).sum(axis=0) + 1) / ((run > 0).sum(axis=0) + 4))
