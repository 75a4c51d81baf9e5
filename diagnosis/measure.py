"""What is measured of each row of a stream, with the memory that takes.

The same meter runs over the reference, to learn what is normal, and over the live rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.diagnosis.movement import clr
from plumbline.diagnosis.null import FORGET
from plumbline.diagnosis.sample import Sample
from plumbline.diagnosis.surrogate import Surrogate


@dataclass(frozen=True)
class Measures:
    """One row per prediction.

    Attributes
    ----------
    symbol : (n,) str
    first : (n,) bool
        Nothing is known of the symbol's past.
    still : (n,) bool
        The input window is the one before it, bit for bit.
    input_step : (n,) float64
        NaN in a first row.
    gain : (n,) float64
        NaN where the input did not move.
    same_output : (n,) bool
        Output bit-identical to the one before.
    residual : (n, k) float64
        Log-probabilities minus the surrogate's; NaN where the input is unlike any it knows.
    spread : (n,) float64
        Distance of the log-probabilities from their own exponential average; NaN in a first row.
    confidence : (n,) float64
    action : (n,) int64
    zero_run, stale_run : (n, f) int64
        Rows in a row, this one included, in which a column is zero; has kept its value.
    """

    symbol: AnyArray
    first: BoolArray
    still: BoolArray
    input_step: FloatArray
    gain: FloatArray
    same_output: BoolArray
    residual: FloatArray
    spread: FloatArray
    confidence: FloatArray
    action: IntArray
    zero_run: IntArray
    stale_run: IntArray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: slice | AnyArray) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        return type(self)(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass
class _Memory:
    """The last row of one symbol."""

    features: FloatArray
    log_ratio: FloatArray
    window_hash: str
    average: FloatArray
    zero_run: IntArray
    stale_run: IntArray


@dataclass
class Meter:
    """Measures rows in order, remembering the last row of each symbol.

    Attributes
    ----------
    scale : (f,) float64
        Typical step of each feature.
    surrogate
        Of the reference head.
    """

    scale: FloatArray
    surrogate: Surrogate
    _memory: dict[str, _Memory] = field(default_factory=dict)

    def measure(self, sample: Sample) -> Measures:
        """Measure rows, oldest first.

        Raises
        ------
        ValueError
            If the sample has no features.
        """
        if sample.features is None:
            raise ValueError("a stream is measured by its features, this sample has none")
        n = len(sample)
        features = np.asarray(sample.features, np.float64)
        ratios = clr(sample.probabilities)
        symbols = np.full(n, "") if sample.symbol is None else np.asarray(sample.symbol)
        hashes = np.full(n, "") if sample.window_hash is None else np.asarray(sample.window_hash)
        out = _empty(n, features.shape[1])
        for symbol in np.unique(symbols):
            rows = np.flatnonzero(symbols == symbol)
            self._walk(str(symbol), rows, (features[rows], ratios[rows], hashes[rows]), out)
        probabilities = np.asarray(sample.probabilities, np.float64)
        known = self.surrogate.knows(features)
        return Measures(
            symbol=symbols,
            residual=np.where(known[:, None], ratios - self.surrogate.predict(features), np.nan),
            confidence=probabilities.max(axis=1) if n else np.empty(0),
            action=np.asarray(sample.actions, np.int64),
            **out,
        )

    def _walk(
        self,
        symbol: str,
        rows: IntArray,
        columns: tuple[FloatArray, FloatArray, AnyArray],
        out: dict[str, AnyArray],
    ) -> None:
        """Measure the rows of one symbol against each other and against the one remembered."""
        features, ratios, hashes = columns
        memory = self._memory.get(symbol)
        known = memory is not None
        if memory is None:
            none = np.zeros(features.shape[1], np.int64)
            memory = _Memory(features[0], ratios[0], "", ratios[0], none, none)
        before = np.vstack([memory.features[None], features[:-1]])
        before_ratios = np.vstack([memory.log_ratio[None], ratios[:-1]])
        before_hashes = np.concatenate([[memory.window_hash], hashes[:-1]])
        steps = features - before
        size = np.sqrt(((steps / self.scale) ** 2).mean(axis=1))
        moves = np.abs(ratios - before_ratios).max(axis=1)
        kept = steps == 0
        named = (hashes != "") & (before_hashes != "")
        still = np.where(named, hashes == before_hashes, size == 0)
        spread, average = _distance(ratios, memory.average)
        zero_run = _runs(features == 0, memory.zero_run)
        if not known:
            kept[0] = still[0] = False
        stale_run = _runs(kept, memory.stale_run)
        usable = ~still & (size > 0)
        out["still"][rows] = still
        out["input_step"][rows] = size
        out["gain"][rows] = np.where(usable, moves / np.where(size > 0, size, 1.0), np.nan)
        out["same_output"][rows] = moves == 0
        out["spread"][rows] = spread
        out["zero_run"][rows] = zero_run
        out["stale_run"][rows] = stale_run
        if not known:
            for name in ("input_step", "gain", "spread"):
                out[name][rows[0]] = np.nan
            out["first"][rows[0]] = True
            out["same_output"][rows[0]] = False
        self._memory[symbol] = _Memory(
            features[-1], ratios[-1], str(hashes[-1]), average, zero_run[-1], stale_run[-1]
        )


def _empty(n: int, features: int) -> dict[str, AnyArray]:
    return {
        "first": np.zeros(n, bool),
        "still": np.zeros(n, bool),
        "input_step": np.empty(n),
        "gain": np.empty(n),
        "same_output": np.zeros(n, bool),
        "spread": np.empty(n),
        "zero_run": np.zeros((n, features), np.int64),
        "stale_run": np.zeros((n, features), np.int64),
    }


def _distance(ratios: FloatArray, average: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance of each row from the exponential average of those before it, and the new average."""
    distance = np.empty(len(ratios))
    for i, row in enumerate(ratios):
        away = row - average
        distance[i] = np.sqrt((away * away).sum())
        average = average + FORGET * away
    return distance, average


def _runs(flags: BoolArray, before: IntArray) -> IntArray:
    """Length of the run of true values ending at each row, continuing earlier runs: ``(n, f)``."""
    n = len(flags)
    position = np.arange(1, n + 1)[:, None]
    last_false = np.maximum.accumulate(np.where(flags, 0, position), axis=0)
    unbroken = last_false == 0
    runs: IntArray = position - last_false + np.where(unbroken, before, 0)
    return np.where(flags, runs, 0)
