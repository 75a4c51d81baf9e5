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
from plumbline.diagnosis.column import ColumnRelations
from plumbline.diagnosis.lanes import Lanes, lay_out, runs
from plumbline.diagnosis.null import FORGET
from plumbline.diagnosis.roster import NOBODY, Roster, grown
from plumbline.diagnosis.sample import Sample
from plumbline.diagnosis.stress import Stress
from plumbline.diagnosis.surrogate import Surrogate

STANDING = 0.25
"""Share of pinned columns from which a market stands still, and its steps say nothing."""


@dataclass(frozen=True)
class Measures:
    """One row per prediction: its input, and one output of it.

    Attributes
    ----------
    symbol : (n,) str
    place, tenant : (n,) int64
        Where the symbol sits; see `diagnosis.roster.Roster`.
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
    epistemic : (n,) float64
        How far the members disagree; NaN for a single member.
    action : (n,) int64
        Taken by this output; -1 where none is.
    zero_run, stale_run : (n, f) int64
        Rows in a row, this one included, in which a column is zero; has kept its value. Not counted
        where a market under stress, or a trend against the column's bounds, would pin it so.
    far, unusual : (n,) int64
        Columns that lie farther from what the others say of them than ever, than usual.
    unusual_run : (n, f) int64
        Rows in a row, this one included, in which a column does so, farther than usual.
    """

    symbol: AnyArray
    place: IntArray
    tenant: IntArray
    first: BoolArray
    still: BoolArray
    input_step: FloatArray
    gain: FloatArray
    same_output: BoolArray
    residual: FloatArray
    spread: FloatArray
    confidence: FloatArray
    epistemic: FloatArray
    action: IntArray
    zero_run: IntArray
    stale_run: IntArray
    far: IntArray
    unusual: IntArray
    unusual_run: IntArray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: slice | AnyArray) -> Self:
        """Return the rows at these positions, or where this mask is true."""
        return type(self)(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})


@dataclass
class _Memory:
    """The last row of each symbol, by place; coordinates and their average by output."""

    tenant: IntArray
    features: FloatArray
    inputs_hash: AnyArray
    zero_run: IntArray
    stale_run: IntArray
    unusual_run: IntArray
    coordinates: dict[str, FloatArray]
    average: dict[str, FloatArray]

    @classmethod
    def empty(cls, features: int, coordinates: Mapping[str, int]) -> Self:
        """Return a memory of nobody."""
        return cls(
            np.full(1, NOBODY),
            np.zeros((1, features)),
            np.full(1, "", object),
            np.zeros((1, features), np.int64),
            np.zeros((1, features), np.int64),
            np.zeros((1, features), np.int64),
            {name: np.zeros((1, width)) for name, width in coordinates.items()},
            {name: np.zeros((1, width)) for name, width in coordinates.items()},
        )

    def make_room(self, places: int) -> None:
        """Have at least so many places."""
        held = len(self.tenant)
        if places <= held:
            return
        runs_of = ("zero_run", "stale_run", "unusual_run")
        for name in ("tenant", "features", "inputs_hash", *runs_of):
            setattr(self, name, grown(getattr(self, name), places))
        self.tenant[held:] = NOBODY
        for states in (self.coordinates, self.average):
            states.update({name: grown(each, places) for name, each in states.items()})


@dataclass(frozen=True)
class _Past:
    """The row before each row, in this batch or in the memory.

    Attributes
    ----------
    lanes
        Of the rows, one stream for each symbol.
    heads, places : (streams,) int64
        The first row of each symbol, and where it is remembered.
    fresh : (streams,) bool
        Nothing of it is.
    previous : (n,) int64
        The row before each; of heads themselves.
    last : (streams,) int64
        The last row of each symbol.
    """

    lanes: Lanes
    heads: IntArray
    places: IntArray
    fresh: BoolArray
    previous: IntArray
    last: IntArray

    @classmethod
    def of(cls, place: IntArray, tenant: IntArray, remembered: IntArray) -> Self:
        """Find out."""
        lanes = lay_out(tenant)
        heads = lanes.heads
        previous = np.empty(len(place), np.int64)
        previous[lanes.sorted[1:]] = lanes.sorted[:-1]
        previous[heads] = heads
        fresh = remembered[place[heads]] != tenant[heads]
        last = lanes.sorted[np.cumsum(lanes.lengths) - 1]
        return cls(lanes, heads, place[heads], fresh, previous, last)

    def before(self, rows: AnyArray, memory: AnyArray) -> AnyArray:
        """Return the rows before these ones: ``(n, ...)`` both; heads of fresh symbols as such."""
        found = rows[self.previous]
        old = self.heads[~self.fresh]
        found[old] = memory[self.places[~self.fresh]]
        return found

    def start(self, rows: AnyArray, memory: AnyArray) -> AnyArray:
        """Return what each symbol begins with: what is remembered, or else its first row."""
        found = memory[self.places]
        found[self.fresh] = rows[self.heads[self.fresh]]
        return found


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
    relations
        Of the columns; None where they are not watched.
    stress
        What the columns do in markets under stress, if that is known.
    lowest, highest : (f,) float64
        Of each feature in the reference: a bounded one is pinned there by a trend, and nobody has
        kept its value for it.
    roster
        Who is remembered.
    """

    scale: FloatArray
    surrogates: Mapping[str, Surrogate]
    heads: Mapping[str, Head[Any]]
    acting: str | None = None
    relations: ColumnRelations | None = None
    stress: Stress | None = None
    lowest: FloatArray | float = -np.inf
    highest: FloatArray | float = np.inf
    roster: Roster = field(default_factory=Roster)
    _memory: _Memory | None = None

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
        if n == 0:
            return {name: _nothing(symbols, features, said[name]) for name in said}
        place, tenant = self.roster.seat(symbols.tolist())
        widths = {name: each.shape[1] for name, each in said.items()}
        memory = self._memory or _Memory.empty(features.shape[1], widths)
        self._memory = memory
        memory.make_room(int(place.max()) + 1)
        past = _Past.of(place, tenant, memory.tenant)
        inputs = self._inputs(past, memory, features, hashes)
        outputs = {
            name: self._output(past, memory, name, each, inputs) for name, each in said.items()
        }
        memory.tenant[place] = tenant
        return {
            name: Measures(
                symbol=symbols,
                place=place,
                tenant=tenant,
                residual=self._residual(name, features, said[name]),
                confidence=self._confidence(name, sample),
                epistemic=self._epistemic(name, sample),
                action=self._action(name, sample),
                **inputs,
                **outputs[name],
            )
            for name in said
        }

    def forget(self, place: int) -> None:
        """Forget the last row of the symbol at a place."""
        if self._memory is not None and place < len(self._memory.tenant):
            self._memory.tenant[place] = NOBODY

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

    def _epistemic(self, name: str, sample: Sample) -> FloatArray:
        if self.heads[name].spec.members == 1:
            return np.full(len(sample), np.nan)
        return np.asarray(sample.readings[name].epistemic, np.float64)

    def _inputs(
        self, past: _Past, memory: _Memory, features: FloatArray, hashes: AnyArray
    ) -> dict[str, AnyArray]:
        """Measure the inputs against those before them, and remember the last of each symbol."""
        place, fresh = past.places, past.heads[past.fresh]
        steps = features - past.before(features, memory.features)
        size = np.sqrt(((steps / self.scale) ** 2).mean(axis=1))
        kept = (steps == 0) & (features > self.lowest) & (features < self.highest)
        before = past.before(hashes.astype(object), memory.inputs_hash)
        before[fresh] = ""
        named = (hashes != "") & (before != "")
        still = np.where(named, hashes == before, size == 0)
        kept[fresh] = still[fresh] = False
        size[fresh] = np.nan
        found: dict[str, AnyArray] = {
            "first": np.zeros(len(features), bool),
            "still": still,
            "input_step": size,
        }
        found["first"][fresh] = True
        apart = self._apart(features)
        found["far"], found["unusual"] = self._count(apart)
        zero = features == 0
        if self.stress is not None:
            pinned = self.stress.pinned(features)
            zero, kept = zero & ~pinned, kept & ~pinned
            size[pinned.mean(axis=1) > STANDING] = np.nan
        for name, flags in (
            ("zero_run", zero),
            ("stale_run", kept),
            ("unusual_run", self._unusual(apart)),
        ):
            own = getattr(memory, name)
            begun = np.where(past.fresh[:, None], 0, own[place])
            found[name] = runs(flags, past.lanes, begun)
            own[place] = found[name][past.last]
        memory.features[place] = features[past.last]
        memory.inputs_hash[place] = hashes[past.last]
        return found

    def _apart(self, features: FloatArray) -> FloatArray:
        if self.relations is None:
            return np.zeros(features.shape)
        return self.relations.columns.apart(features)

    def _count(self, apart: FloatArray) -> tuple[IntArray, IntArray]:
        if self.relations is None:
            return np.zeros(len(apart), np.int64), np.zeros(len(apart), np.int64)
        return self.relations.count(apart)

    def _unusual(self, apart: FloatArray) -> BoolArray:
        if self.relations is None:
            return np.zeros(apart.shape, bool)
        found: BoolArray = apart > self.relations.outer
        return found

    def _output(
        self,
        past: _Past,
        memory: _Memory,
        name: str,
        said: FloatArray,
        inputs: Mapping[str, AnyArray],
    ) -> dict[str, AnyArray]:
        """Measure one output against what was said before, likewise."""
        size, fresh, lanes = inputs["input_step"], past.heads[past.fresh], past.lanes
        moves = np.abs(said - past.before(said, memory.coordinates[name])).max(axis=1)
        usable = ~inputs["still"] & (size > 0)
        gain = np.where(usable, moves / np.where(size > 0, size, 1.0), np.nan)
        start = past.start(said, memory.average[name])
        walked = said[lanes.order]
        after = lanes.affine(np.full(walked.shape, 1.0 - FORGET), FORGET * walked, start)
        away = walked - lanes.before(after, start)
        spread = np.sqrt((away * away).sum(axis=1))[lanes.place]
        gain[fresh] = spread[fresh] = np.nan
        same = moves == 0
        same[fresh] = False
        memory.coordinates[name][past.places] = said[past.last]
        memory.average[name][past.places] = after[lanes.place[past.last]]
        return {"gain": gain, "same_output": same, "spread": spread}


def _nothing(symbols: AnyArray, features: FloatArray, said: FloatArray) -> Measures:
    """Return the measures of no rows."""
    none, flags, whole = np.empty(0), np.zeros(0, bool), np.zeros(0, np.int64)
    columns = np.zeros((0, features.shape[1]), np.int64)
    return Measures(
        symbol=symbols,
        place=whole,
        tenant=whole,
        first=flags,
        still=flags,
        input_step=none,
        gain=none,
        same_output=flags,
        residual=said[:0],
        spread=none,
        confidence=none,
        epistemic=none,
        action=whole,
        zero_run=columns,
        stale_run=columns,
        far=whole,
        unusual=whole,
        unusual_run=columns,
    )
