"""A stretch of a market as it was asked about and answered, phase by phase, for a kind to edit.

Everything is real: bars, columns computed by the model's own feature set, windows as a client
sends them, answers of the bundle's own graph. A kind edits one phase; all later ones follow from
what it made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.kind import Kind
from benchmarks.truth.plan import (
    FAULT_BARS_OF_MANY,
    FAULT_ROWS,
    PLACES,
    SOUND_BARS_OF_MANY,
    SOUND_ROWS,
    seed_of,
)
from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.policies import ArgmaxPolicy
from plumbline.bundle.reading import Decision, Reading

if TYPE_CHECKING:
    from benchmarks.truth.market import Market

SECOND = 1_000_000
_SPARE = 320
"""Bars before the first one asked about, beyond what windows and features need."""


class Scene:
    """Rows of one case, oldest first, all symbols of a bar beside each other.

    Attributes
    ----------
    market, kind, rng
        What is asked about, what happens, and the case's own randomness.
    bars : (s, m, 6) float64
        Of every symbol, with what lies before.
    tables : (s, m, f) float32
        Columns of every bar.
    who, bar : (n,) int64
        Symbol, and place of the last bar of each row's window.
    windows : (n, t, f) float32
    bar_time, time : (n,) int64
        What the client says and when it was answered.
    raw : (n, Σ numbers) float32
    hit : (n,) bool
        Rows the fault is in.
    onset : int
        First row of the log that the fault may be in.
    """

    def __init__(self, market: Market, kind: Kind, place: int) -> None:
        self.market, self.kind = market, kind
        self.rng = np.random.default_rng(seed_of(market.name, kind.name, place))
        many = len(market.symbols) > 1
        sound = 0 if kind.first else (SOUND_BARS_OF_MANY if many else SOUND_ROWS)
        count = sound + (FAULT_BARS_OF_MANY if many else FAULT_ROWS)
        lead = market.memory + market.steps + _SPARE
        begin = _begin(market, count, lead, place)
        self.start = begin - lead
        stretch = slice(self.start, begin + count)
        self.moments = market.time[stretch]
        self.bars = market.bars[:, stretch].copy()
        self.tables = market.features_of[:, stretch].copy()
        self.asked_bar, self.fault_bar = lead, lead + sound
        symbols = len(market.symbols)
        self.bar = np.repeat(np.arange(lead, lead + count), symbols)
        self.who = np.tile(np.arange(symbols), count)
        self.onset = sound * symbols
        self.struck = self._struck()
        self.hit: BoolArray = (self.bar >= self.fault_bar) & self.struck[self.who]
        self.bar_time: IntArray = self.moments[self.bar].copy()
        latency = 200_000 + self.rng.integers(0, 300_000, len(self.bar)) + 1_000 * self.who
        if market.cross_section:  # a cross-section is one request
            latency = 200_000 + np.repeat(self.rng.integers(0, 300_000, count), symbols)
        self.time: IntArray = (
            self.bar_time
            + market.interval
            + np.sort(latency.reshape(count, symbols), axis=1).reshape(-1)
        )
        self.windows: FloatArray = np.zeros(0, np.float32)
        self.raw: FloatArray = np.zeros(0, np.float32)
        self.readings: dict[str, Reading] = {}
        self.decision: Decision | None = None
        self.order: IntArray = np.arange(len(self.bar))
        self.retried: BoolArray = np.zeros(len(self.bar), bool)
        self._play()

    def __len__(self) -> int:
        return len(self.bar)

    def _struck(self) -> BoolArray:
        """Choose whom it happens to."""
        symbols = len(self.market.symbols)
        count = {"all": symbols, "one": 1, "four": 4}[self.kind.who]
        struck = np.zeros(symbols, bool)
        struck[self.rng.permutation(symbols)[: min(count, symbols)]] = True
        return struck

    def _play(self) -> None:
        phase, apply = self.kind.phase, self.kind.apply
        if phase == "bars":
            sound = self.bars.copy()
            apply(self)
            for symbol in np.flatnonzero((self.bars != sound).any(axis=(1, 2))):
                self._recompute(int(symbol))
        if phase == "table":
            apply(self)
        self.windows = self.cut(np.ones(len(self), bool))
        if phase == "windows":
            apply(self)
        self.windows = np.ascontiguousarray(self.windows, np.float32)
        self.raw = self.market.answer(self.windows)
        if phase == "raw":
            apply(self)
            self.raw = self.raw.astype(np.float32)
        self.read()
        if phase == "reading":
            apply(self)
        if phase == "log":
            apply(self)

    def _recompute(self, symbol: int) -> None:
        """Compute the columns of edited bars, for the whole stretch: they are one client's."""
        found = self.market.features(self.bars[symbol])
        memory = self.market.memory
        self.tables[symbol, :memory] = np.nan
        self.tables[symbol, memory:] = found

    # ------------------------------------------------------------ what kinds look at

    @property
    def age(self) -> IntArray:
        """Bars since the onset, of each row; negative before."""
        return np.asarray(self.bar - self.fault_bar)

    @property
    def group(self) -> np.ndarray | None:
        """Which rows are one cross-section."""
        return self.bar if self.market.cross_section else None

    @property
    def span_seconds(self) -> float:
        """Time from the first to the last bar asked about."""
        return float(self.moments[-1] - self.moments[self.asked_bar]) / SECOND

    @property
    def raw_spread(self) -> FloatArray:
        """Standard deviation of each raw number over the reference."""
        return self.market.raw_spread

    def faulty_bars(self) -> Iterator[tuple[int, FloatArray, int]]:
        """Yield each struck symbol, a copy of its bars, and where the fault begins."""
        for symbol in np.flatnonzero(self.struck):
            yield int(symbol), self.bars[symbol].copy(), self.fault_bar

    def faulty_tables(self) -> Iterator[tuple[FloatArray, int]]:
        """Yield the table of each struck symbol, to be edited, and where the fault begins."""
        for symbol in np.flatnonzero(self.struck):
            yield self.tables[symbol], self.fault_bar

    def bars_of(self, row: int, count: int) -> FloatArray:
        """Return the last so many bars of a row's window."""
        end = self.bar[row] + 1
        return self.bars[self.who[row], end - count : end]

    def cut(self, rows: BoolArray, lag: IntArray | int = 0) -> FloatArray:
        """Return the windows of these rows as they were ``lag`` bars before."""
        ends = self.bar[rows] - lag
        places = ends[:, None] + np.arange(1 - self.market.steps, 1)[None, :]
        return np.asarray(self.tables[self.who[rows][:, None], places])

    def cut_from(self, tables: FloatArray, *, steps: int | None = None) -> FloatArray:
        """Return the windows of all rows cut from other tables, or of other length."""
        count = self.market.steps if steps is None else steps
        places = self.bar[:, None] + np.arange(1 - count, 1)[None, :]
        return np.asarray(tables[self.who[:, None], places])

    @property
    def sound_tables(self) -> FloatArray:
        """Columns of the bars that really were."""
        return self.market.features_of[:, self.start : self.start + len(self.moments)]

    def mirrored_tables(self) -> FloatArray:
        """Return the columns of the market quoted the other way round."""
        bars = self.market.bars[:, self.start : self.start + len(self.moments)]
        mirrored = bars.copy()
        mirrored[:, :, [1, 2, 3, 4]] = 1.0 / bars[:, :, [1, 3, 2, 4]]
        tables = np.full_like(self.tables, np.nan)
        for symbol, turned in enumerate(mirrored):
            tables[symbol, self.market.memory :] = self.market.features(turned)
        return tables

    def cut_from_before(self, rows: BoolArray, lag: int) -> FloatArray:
        """Return windows of the market ``lag`` bars before these rows, as far as it reaches."""
        market = self.market
        ends = self.start + self.bar[rows] - lag
        least = market.memory + market.steps
        ends = np.where(ends < least, ends + lag // 2, ends)
        places = ends[:, None] + np.arange(1 - market.steps, 1)[None, :]
        return np.asarray(market.features_of[self.who[rows][:, None], places])

    def weeks_before(self, weeks: int) -> int:
        """Return how many bars the same time of the week lies back, for the first faulty bar."""
        moment = self.moments[self.fault_bar] - weeks * 604_800 * SECOND
        place = int(np.searchsorted(self.market.time, moment))
        return self.start + self.fault_bar - place

    def last_sound(self, values: FloatArray | IntArray) -> np.ndarray:
        """Return each row's value at its symbol's last bar before the onset."""
        symbols = len(self.market.symbols)
        rows = (self.fault_bar - 1 - self.asked_bar) * symbols + self.who
        return np.asarray(values[rows])

    def row_of_same_symbol(self, back: IntArray) -> IntArray:
        """Return the row of the same symbol so many bars before."""
        return np.maximum(np.arange(len(self)) - back * len(self.market.symbols), 0)

    def of_neighbour(self, values: FloatArray, *, step: int = 1) -> np.ndarray:
        """Return each row's value of the next symbol at the same bar."""
        symbols = len(self.market.symbols)
        other = (self.who + step) % symbols
        return np.asarray(values[np.arange(len(self)) - self.who + other])

    # ------------------------------------------------------------ what kinds do to columns

    def turn_clock(self, seconds: float) -> None:
        """Turn the clock columns of faulty windows forward."""
        window = self.windows[self.hit]
        for sine, cosine, period in self.market.clock:
            angle = 2 * np.pi * seconds / period
            s, c = window[:, :, sine].copy(), window[:, :, cosine].copy()
            window[:, :, sine] = s * np.cos(angle) + c * np.sin(angle)
            window[:, :, cosine] = c * np.cos(angle) - s * np.sin(angle)
        self.windows[self.hit] = window

    def revise(self, *, share: float, size: float) -> None:
        """Correct some bars after their close: only windows that end later have them otherwise."""
        changed = self.tables.copy()
        chosen = self.rng.random(changed.shape[:2]) < share
        noise = 1 + self.rng.normal(0, size, changed.shape)
        changed = np.where(chosen[:, :, None], changed * noise, changed).astype(np.float32)
        sound, self.tables = self.tables, changed
        window = self.cut(self.hit)
        self.tables = sound
        window[:, -1] = self.windows[self.hit][:, -1]
        first = self.windows[self.hit]
        fresh = self.bar[self.hit] - self.fault_bar + 1  # steps that lie behind the onset
        steps = self.market.steps
        old = np.arange(steps)[None, :] < (steps - fresh)[:, None]
        self.windows[self.hit] = np.where(old[:, :, None], first, window)

    @staticmethod
    def rescaled(
        bars: FloatArray, start: int, stop: int, *, moves: float, volume: float
    ) -> FloatArray:
        """Return bars whose moves from ``start`` to ``stop`` are multiplied, and their volume."""
        out = bars.copy()
        logs = np.log(bars[:, 1:5])
        before = np.concatenate([logs[:1, 3], logs[:-1, 3]])
        relative = logs - before[:, None]
        relative[start:stop] *= moves
        closes = logs[start - 1, 3] + np.cumsum(relative[start:, 3])
        base = np.concatenate([[logs[start - 1, 3]], closes[:-1]])
        out[start:, 1:5] = np.exp(base[:, None] + relative[start:])
        out[start:stop, 5] *= volume
        return out

    @staticmethod
    def pushed(
        bars: FloatArray, start: int, stop: int, *, step: float, volume: float
    ) -> FloatArray:
        """Return bars that move by ``step`` more (of the logarithm) each, from start to stop."""
        out = bars.copy()
        stop = min(stop, len(bars))
        added = np.zeros(len(bars))
        added[start:stop] = step * np.arange(1, stop - start + 1)
        added[stop:] = step * (stop - start)
        before = np.concatenate([[0.0], added[:-1]])
        sound = bars[:, 1:5]
        out[:, 1] = sound[:, 0] * np.exp(before)
        out[:, 4] = sound[:, 3] * np.exp(added)
        high = sound[:, 1] / np.maximum(sound[:, 0], sound[:, 3])
        low = sound[:, 2] / np.minimum(sound[:, 0], sound[:, 3])
        out[:, 2] = np.maximum(out[:, 1], out[:, 4]) * high
        out[:, 3] = np.minimum(out[:, 1], out[:, 4]) * low
        out[:start, 1:5] = sound[:start]
        out[start:stop, 5] *= volume
        return out

    @staticmethod
    def one_way(bars: FloatArray, start: int, stop: int, sign: float) -> FloatArray:
        """Return bars each of which moves the same way from ``start`` to ``stop``."""
        out = bars.copy()
        logs = np.log(bars[:, 1:5])
        before = np.concatenate([logs[:1, 3], logs[:-1, 3]])
        relative = logs - before[:, None]
        turn = np.sign(relative[:, 3]) != sign
        turn[:start], turn[stop:] = False, False
        relative[turn] = -relative[turn][:, [0, 2, 1, 3]]
        closes = logs[start - 1, 3] + np.cumsum(relative[start:, 3])
        base = np.concatenate([[logs[start - 1, 3]], closes[:-1]])
        out[start:, 1:5] = np.exp(base[:, None] + relative[start:])
        return out

    # ------------------------------------------------------------ what kinds do to answers

    def turned(self, raw: FloatArray) -> FloatArray:
        """Return raw numbers with every output the other way round."""
        turned = raw.copy()
        for spec in self.market.bundle.manifest.outputs:
            place = self.market.bundle.outputs.raw_slices[spec.name]
            own = raw[:, place].reshape(len(raw), spec.members, spec.width).copy()
            if spec.kind == "choice":
                own = own[:, :, ::-1]
            else:
                own[:, :, 0] *= -1
            turned[:, place] = own.reshape(len(raw), -1)
        return turned

    def read(self) -> None:
        """Read and decide everything as the service does."""
        outputs = self.market.bundle.outputs
        self.readings = outputs.read(self.raw, self.group)
        self.decision = outputs.decide(self.readings, self.group)

    def read_with(self, calibrations: dict[str, Calibration], rows: BoolArray) -> None:
        """Read these rows with other calibrations."""
        outputs = self.market.outputs_with(calibrations)
        readings = outputs.read(self.raw, self.group)
        self._replace(readings, outputs.decide(readings, self.group), rows)

    def decide_otherwise(self, rows: BoolArray) -> None:
        """Decide these rows by another policy: plain argmax, or the other side."""
        assert self.decision is not None
        policy = self.market.bundle.outputs.policy
        if isinstance(policy, ArgmaxPolicy):
            tau = 0.0 if policy.params.tau else 1.0
            other = ArgmaxPolicy(policy.params.model_copy(update={"tau": tau}), policy.output)
            decided = other.decide(self.readings, self.market.bundle.outputs.calibrations)
        else:
            now = self.decision
            decided = Decision(now.action, -now.position, now.size)
        self._replace(self.readings, decided, rows)

    def _replace(self, readings: dict[str, Reading], decided: Decision, rows: BoolArray) -> None:
        assert self.decision is not None
        mixed = {}
        for name, sound in self.readings.items():
            other = readings[name]
            mixed[name] = Reading(
                np.where(rows[:, None], other.centre, sound.centre),
                np.where(rows, other.epistemic, sound.epistemic),
                np.where(rows[:, None], other.coordinates, sound.coordinates),
            )
        now = self.decision
        action = None
        if now.action is not None and decided.action is not None:
            action = np.where(rows, decided.action, now.action)
        self.readings = mixed
        self.decision = Decision(
            action,
            np.where(rows, decided.position, now.position),
            np.where(rows, decided.size, now.size),
        )

    # ------------------------------------------------------------ what kinds do to the log

    def whole(self, rows: BoolArray) -> BoolArray:
        """Return rows, or for cross-sections whole groups of which the first row is chosen."""
        if not self.market.cross_section:
            return rows
        firsts = np.arange(len(rows)) - self.who
        return np.asarray(rows[firsts])

    def leave_out(self, rows: BoolArray) -> None:
        """Let these rows never have been."""
        self.order = self.order[~self.whole(rows)[self.order]]

    def postpone(self, rows: BoolArray, *, bars: IntArray) -> None:
        """Answer these rows later by so many bars."""
        if self.market.cross_section:
            bars = bars[np.arange(len(rows)) - self.who]
        chosen = self.whole(rows)
        self.time[chosen] += bars[chosen] * self.market.interval

    def delay_until_end(self, rows: BoolArray) -> None:
        """Answer these faulty rows when the last of them would have been, in order."""
        chosen = np.flatnonzero(rows & self.hit)
        last = int(self.time[chosen].max())
        rank = self.bar[chosen] - self.bar[chosen].min()
        self.time[chosen] = last + 20_000 * rank + (self.who[chosen] if not self.group_is else 0)

    @property
    def group_is(self) -> bool:
        """Whether rows of a bar are one request."""
        return self.market.cross_section

    def ask_again(self, rows: IntArray, *, later: float) -> None:
        """Ask these rows a second time, ``later`` of an interval after."""
        again = self._mask(rows)
        self._append(again, self.windows[again], self.bar_time[again])
        added = np.arange(len(self.time) - int(again.sum()), len(self.time))
        self.time[added] = self.time[np.flatnonzero(again)] + int(later * self.market.interval)

    def ask_about_the_past(self, rows: IntArray) -> None:
        """Let others ask, right after these rows, about what was a week before."""
        again = self._mask(rows)
        lag = self.weeks_before(1)
        windows = self.cut_from_before(again, lag)
        bar_time = self.market.time[self.start + self.bar[again] - lag]
        self._append(again, windows, bar_time)
        added = np.arange(len(self.time) - int(again.sum()), len(self.time))
        self.time[added] = self.time[np.flatnonzero(again)] + int(0.3 * self.market.interval)

    def _mask(self, rows: IntArray) -> BoolArray:
        chosen = np.zeros(len(self.who), bool)
        chosen[rows] = True
        return self.whole(chosen)

    def _append(self, rows: BoolArray, windows: FloatArray, bar_time: IntArray) -> None:
        """Add rows that ask for the same symbols as these, and answer them."""
        count = int(rows.sum())
        self.windows = np.concatenate([self.windows, windows.astype(np.float32)])
        self.bar_time = np.concatenate([self.bar_time, bar_time])
        for name in ("who", "time", "bar"):
            held = getattr(self, name)
            setattr(self, name, np.concatenate([held, held[rows]]))
        self.hit = np.concatenate([self.hit, np.zeros(count, bool)])
        self.order = np.concatenate([self.order, np.arange(len(self.bar) - count, len(self.bar))])
        self.retried = np.concatenate([self.retried, np.ones(count, bool)])
        self.raw = np.concatenate([self.raw, self.market.answer(windows)])
        outputs = self.market.bundle.outputs
        group = None if self.group is None else self.bar + self.retried * 10**9
        self.readings = outputs.read(self.raw, group)
        self.decision = outputs.decide(self.readings, group)


def _begin(market: Market, count: int, lead: int, place: int) -> int:
    """Return where the place's first bar lies among the bars of the market."""
    first = max(market.first, lead)
    last = len(market.time) - count
    if last < first:
        raise ValueError(
            f"{market.name}: expected {count} held-out bars or more, found "
            f"{len(market.time) - first}: give it a larger test part"
        )
    return first + round((last - first) * place / max(PLACES - 1, 1))
