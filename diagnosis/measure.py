"""What is measured of each row of a stream, with the memory that takes.

The same meter runs over the reference, to learn what is normal, and over the live rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.bundle.heads import Head
from plumbline.diagnosis.null import FORGET
from plumbline.diagnosis.sample import Sample
from plumbline.diagnosis.surrogate import Surrogate


@dataclass(frozen=True)
class Measures:
    """One row per prediction: its input, and one output of it.

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
    residual : (n, c) float64
        Coordinates minus the surrogate's; NaN where the input is unlike any it knows.
    spread : (n,) float64
        Distance of the coordinates from their own exponential average; NaN in a first row.
    confidence : (n,) float64
        NaN for a kind of output that has none.
    action : (n,) int64
        Taken by this output; -1 where none is.
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
    """The last row of one symbol; coordinates and their average by output."""

    features: FloatArray
    inputs_hash: str
    coordinates: dict[str, FloatArray]
    average: dict[str, FloatArray]
    zero_run: IntArray
    stale_run: IntArray


@dataclass
class Meter:
    """Measures rows in order, remembering the last row of each symbol.

    Attributes
    ----------
    scale : (f,) float64
        Typical step of each feature.
    surrogates
        Of the reference model, one for each output.
    heads
        By output.
    acting
        The output whose choices are the actions; None where there are none.
    """

    scale: FloatArray
    surrogates: Mapping[str, Surrogate]
    heads: Mapping[str, Head[Any]]
    acting: str | None = None
    _memory: dict[str, _Memory] = field(default_factory=dict)

    def measure(self, sample: Sample) -> dict[str, Measures]:
        """Measure rows, oldest first; the result is by output.

        Raises
        ------
        ValueError
            If the sample has no features.
        """
        if sample.features is None:
            raise ValueError("a stream is measured by its features, this sample has none")
        n = len(sample)
        features = np.asarray(sample.features, np.float64)
        symbols = np.full(n, "") if sample.symbol is None else np.asarray(sample.symbol)
        hashes = np.full(n, "") if sample.inputs_hash is None else np.asarray(sample.inputs_hash)
        said = {name: sample.readings[name].coordinates for name in self.surrogates}
        inputs = _empty_inputs(n, features.shape[1])
        outputs = {name: _empty_outputs(n) for name in said}
        for symbol in np.unique(symbols):
            rows = np.flatnonzero(symbols == symbol)
            own = {name: each[rows] for name, each in said.items()}
            self._walk(str(symbol), rows, (features[rows], hashes[rows]), own, (inputs, outputs))
        return {
            name: Measures(
                symbol=symbols,
                residual=self._residual(name, features, said[name]),
                confidence=self._confidence(name, sample),
                action=self._action(name, sample),
                **inputs,
                **outputs[name],
            )
            for name in said
        }

    def _residual(self, name: str, features: FloatArray, said: FloatArray) -> FloatArray:
        surrogate = self.surrogates[name]
        known = surrogate.knows(features)
        return np.where(known[:, None], said - surrogate.predict(features), np.nan)

    def _action(self, name: str, sample: Sample) -> IntArray:
        if name != self.acting or sample.action is None:
            return np.full(len(sample), -1, np.int64)
        return np.asarray(sample.action, np.int64)

    def _confidence(self, name: str, sample: Sample) -> FloatArray:
        sure = self.heads[name].confidence(sample.readings[name])
        return np.full(len(sample), np.nan) if sure is None else sure

    def _walk(
        self,
        symbol: str,
        rows: IntArray,
        columns: tuple[FloatArray, AnyArray],
        said: Mapping[str, FloatArray],
        into: tuple[dict[str, AnyArray], Mapping[str, dict[str, AnyArray]]],
    ) -> None:
        """Measure the rows of one symbol against each other and against the one remembered."""
        (features, hashes), (inputs, outputs) = columns, into
        memory = self._memory.get(symbol)
        known = memory is not None
        if memory is None:
            none = np.zeros(features.shape[1], np.int64)
            first = {name: each[0] for name, each in said.items()}
            memory = _Memory(features[0], "", first, dict(first), none, none)
        before = np.vstack([memory.features[None], features[:-1]])
        before_hashes = np.concatenate([[memory.inputs_hash], hashes[:-1]])
        steps = features - before
        size = np.sqrt(((steps / self.scale) ** 2).mean(axis=1))
        kept = steps == 0
        named = (hashes != "") & (before_hashes != "")
        still = np.where(named, hashes == before_hashes, size == 0)
        zero_run = _runs(features == 0, memory.zero_run)
        if not known:
            kept[0] = still[0] = False
        stale_run = _runs(kept, memory.stale_run)
        usable = ~still & (size > 0)
        inputs["still"][rows] = still
        inputs["input_step"][rows] = size
        inputs["zero_run"][rows] = zero_run
        inputs["stale_run"][rows] = stale_run
        averages = {}
        for name, own in said.items():
            out = outputs[name]
            moves = np.abs(own - np.vstack([memory.coordinates[name][None], own[:-1]])).max(axis=1)
            out["gain"][rows] = np.where(usable, moves / np.where(size > 0, size, 1.0), np.nan)
            out["same_output"][rows] = moves == 0
            out["spread"][rows], averages[name] = _distance(own, memory.average[name])
            if not known:
                out["gain"][rows[0]] = out["spread"][rows[0]] = np.nan
                out["same_output"][rows[0]] = False
        if not known:
            inputs["input_step"][rows[0]] = np.nan
            inputs["first"][rows[0]] = True
        newest = {name: own[-1] for name, own in said.items()}
        self._memory[symbol] = _Memory(
            features[-1], str(hashes[-1]), newest, averages, zero_run[-1], stale_run[-1]
        )


def _empty_inputs(n: int, features: int) -> dict[str, AnyArray]:
    return {
        "first": np.zeros(n, bool),
        "still": np.zeros(n, bool),
        "input_step": np.empty(n),
        "zero_run": np.zeros((n, features), np.int64),
        "stale_run": np.zeros((n, features), np.int64),
    }


def _empty_outputs(n: int) -> dict[str, AnyArray]:
    return {"gain": np.empty(n), "same_output": np.zeros(n, bool), "spread": np.empty(n)}


def _distance(coordinates: FloatArray, average: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Distance of each row from the exponential average of those before it, and the new average."""
    distance = np.empty(len(coordinates))
    for i, row in enumerate(coordinates):
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
