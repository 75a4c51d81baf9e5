"""The series of one model version, looked up once, and how a batch of answers is added to them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from time import time

import numpy as np
from prometheus_client import Counter, Gauge, Histogram

from plumbline.bundle.array import FloatArray
from plumbline.bundle.reading import Reading
from plumbline.service.predictor import OutputScale, Predicted

_SYMBOLS = 4096


class ExactCounter:
    """A counter that loses nothing to rounding, however large it has grown.

    What an addition rounds off is carried to the next one, so the counter is its true sum, rounded
    once. Adding plainly, the errors of 10⁹ additions of about 0.25 would drown a variance of 1e-8.

    Parameters
    ----------
    counter
        The child that Prometheus sees; nothing else may add to it.

    References
    ----------
    Kahan (1965), "Further remarks on reducing truncation errors"; Knuth, TAOCP 2, 4.2.2, theorem B.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._total = _value(counter)
        self._carry = 0.0

    def inc(self, amount: float) -> None:
        """Add an amount that is not negative."""
        term = amount + self._carry
        if term < 0.0:
            self._carry = term
            return
        self._counter.inc(term)
        before, self._total = self._total, self._total + term
        added = self._total - before
        self._carry = (before - (self._total - added)) + (term - added)


@dataclass(frozen=True)
class OutputMetrics:
    """The children of one output of a version, looked up once."""

    scale: OutputScale
    members: int
    epistemic: ExactCounter
    probability: list[ExactCounter]
    positive: list[ExactCounter]
    negative: list[ExactCounter]
    square: list[ExactCounter]
    entropy: ExactCounter | None
    confidence: Histogram | None

    def count(self, reading: Reading) -> None:
        """Count coordinates and, of a choice, probabilities, entropy and confidence."""
        shifted = self.scale.apply(reading.coordinates)
        columns = zip(self.positive, self.negative, self.square, shifted.T.tolist(), strict=True)
        for positive, negative, square, column in columns:
            rising = sum(u for u in column if u > 0)
            if rising:
                positive.inc(rising)
            falling = -sum(u for u in column if u < 0)
            if falling:
                negative.inc(falling)
            square.inc(sum(u * u for u in column))
        if self.members > 1:
            self.epistemic.inc(float(reading.epistemic.sum()))
        if self.entropy is None or self.confidence is None:
            return
        rows = reading.centre.tolist()
        for counter, chosen in zip(self.probability, zip(*rows, strict=True), strict=True):
            counter.inc(sum(chosen))
        self.entropy.inc(max(-sum(p * log(p) for row in rows for p in row if p > 0), 0.0))
        for row in rows:
            self.confidence.observe(max(row))


class Newest:
    """A gauge that only rises: when the newest of something was, in seconds since 1970.

    Its series begins with the first time: before it, there is nothing to say.
    """

    def __init__(self, gauge: Gauge, labels: tuple[str, ...]) -> None:
        self._gauge = gauge
        self._labels = labels
        self._reached = self._shown = 0.0

    def note(self, seconds: float) -> None:
        """Take in one time; it is shown by the next `publish`."""
        self._reached = max(self._reached, seconds)

    def publish(self) -> None:
        """Show the newest time there has been."""
        if self._reached > self._shown:
            self._shown = self._reached
            self._gauge.labels(*self._labels).set(self._shown)


@dataclass(frozen=True)
class VersionMetrics:
    """The children of one model version, looked up once."""

    predictions: Counter
    decisions: list[Counter]
    outputs: dict[str, OutputMetrics]
    repeated: Counter
    zero_columns: Counter
    newest_bar: Newest
    newest_prediction: Newest
    last_inputs: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def count_outputs(self, predicted: Predicted) -> None:
        """Count answers, actions, and what each output said."""
        self.predictions.inc(len(predicted))
        self.newest_prediction.note(time())
        action = predicted.decision.action
        if action is not None:
            counts = np.bincount(action, minlength=len(self.decisions)).tolist()
            for counter, count in zip(self.decisions, counts, strict=True):
                if count:
                    counter.inc(count)
        for name, output in self.outputs.items():
            output.count(predicted.readings[name])

    def count_inputs(
        self,
        windows: Sequence[FloatArray],
        symbols: Sequence[str],
        hashes: Sequence[str],
        times: Sequence[int | None],
    ) -> None:
        """Count inputs that repeat and columns that are zero throughout a window; note the bar."""
        zero = sum(int((~each.any(axis=1)).sum()) for each in windows)
        if zero:
            self.zero_columns.inc(zero)
        newest = max((each for each in times if each is not None), default=0)
        self.newest_bar.note(newest / 1e6)
        last = self.last_inputs
        for symbol, inputs_hash in zip(symbols, hashes, strict=True):
            if last.get(symbol) == inputs_hash:
                self.repeated.inc()
            last[symbol] = inputs_hash
            last.move_to_end(symbol)
            if len(last) > _SYMBOLS:
                last.popitem(last=False)


def _value(counter: Counter) -> float:
    """Return what a counter stands at: a process may go on with the file of one of its number."""
    (metric,) = counter.collect()
    return float(metric.samples[0].value)
