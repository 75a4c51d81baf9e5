"""Kinds written after the detectors were read: the project's list, and what tries their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.graphs import affine, bent, masked_inputs, projected, stretched
from benchmarks.truth.kind import ARTEFACT, DEAD, FROZEN, SKEW, STALE, STUCK, Kinds

if TYPE_CHECKING:
    from benchmarks.truth.market import Market
    from benchmarks.truth.scene import Scene

kind = Kinds(blind=False)

_ANY_MODEL = DEAD | {"bias_shift", "over_dispersed", "miscalibrated", "anti_signal"}
_NOT_OURS = frozenset({"artefact_fault"})
"""A bundle whose graph does not give its own reference's answers was put together wrongly, too."""


def _has_clock(market: Market) -> bool:
    return bool(market.clock)


def _many(market: Market) -> bool:
    return len(market.symbols) > 1


def _several_outputs(market: Market) -> bool:
    return len(market.bundle.manifest.outputs) > 1


def _several_members(market: Market) -> bool:
    return market.members > 1


def _choice(market: Market) -> bool:
    return market.primary.kind == "choice"


def _scaled(market: Market) -> bool:
    return market.primary.kind in ("choice", "value")


# ---------------------------------------------------------------- answers that are not the graph's


@kind("noise-outputs", "raw", "artefact", ARTEFACT, exact=True)
def noise_outputs(scene: Scene) -> None:
    """Answers drawn from those of the reference: healthy shares, whatever is asked."""
    reference = scene.market.bundle.reference.raw
    chosen = scene.rng.integers(0, len(reference), int(scene.hit.sum()))
    scene.raw[scene.hit] = reference[chosen]


@kind("shuffled-among-rows", "raw", "artefact", ARTEFACT, exact=True)
def shuffled(scene: Scene) -> None:
    """Every answer is somebody's, none is the asker's."""
    rows = np.flatnonzero(scene.hit)
    scene.raw[rows] = scene.raw[scene.rng.permutation(rows)]


@kind("classes-rotated", "raw", "artefact", ARTEFACT, exact=True, fits=_choice)
def rotated(scene: Scene) -> None:
    """Each class has the next one's number."""
    width = scene.market.primary.width
    own = scene.raw[scene.hit].reshape(int(scene.hit.sum()), -1, width)
    scene.raw[scene.hit] = np.roll(own, 1, axis=2).reshape(len(own), -1)


@kind("horizons-exchanged", "raw", "artefact", ARTEFACT, exact=True, fits=_several_outputs)
def exchanged(scene: Scene) -> None:
    """The outputs come in another order than the manifest says."""
    width = scene.market.primary.numbers
    scene.raw[scene.hit] = np.roll(scene.raw[scene.hit], width, axis=1)


@kind("another-version-always", "raw", "artefact", ARTEFACT, exact=True, first=True)
def another_version(scene: Scene) -> None:
    """Another version has been served under this name all the time."""
    scene.raw[scene.hit] = scene.market.sibling(scene.windows[scene.hit])


def _multiplied(scene: Scene, factor: float) -> None:
    """Multiply what is said about the middle; a value's deviation is left alone."""
    mean = scene.market.bundle.reference.raw.mean(axis=0)
    factors = np.full(len(mean), factor)
    for spec in scene.market.bundle.manifest.outputs:
        if spec.kind == "value" and spec.width > 1:
            place = scene.market.bundle.outputs.raw_slices[spec.name]
            factors[place.start + 1 : place.stop : spec.width] = 1.0
    scene.raw[scene.hit] = mean + factors * (scene.raw[scene.hit] - mean)


@kind("temperature-doubled", "raw", "artefact", ARTEFACT, exact=True, fits=_choice)
def doubled(scene: Scene) -> None:
    """Logits are halved on the way."""
    scene.raw[scene.hit] *= 0.5


@kind("temperature-halved", "raw", "artefact", ARTEFACT, exact=True, fits=_choice)
def halved(scene: Scene) -> None:
    """Logits are doubled on the way."""
    scene.raw[scene.hit] *= 2.0


@kind("temperature-lost", "reading", "artefact", ARTEFACT, exact=True, fits=_choice)
def temperature_lost(scene: Scene) -> None:
    """Raw numbers are right; they are read with twice the temperature."""
    outputs = scene.market.bundle.outputs
    other = {
        name: each.model_copy(update={"temperature": 2.0 * each.temperature})
        for name, each in outputs.calibrations.items()
    }
    scene.read_with(other, scene.hit)


@kind("served-shrunk-3", "raw", "artefact", ARTEFACT, exact=True)
def shrunk_3(scene: Scene) -> None:
    """A third of what it says."""
    _multiplied(scene, 1 / 3)


@kind("served-tripled", "raw", "artefact", ARTEFACT, exact=True)
def tripled(scene: Scene) -> None:
    """Three times what it says."""
    _multiplied(scene, 3.0)


@kind("answers-drift-away", "raw", "artefact", ARTEFACT, exact=True)
def drifting(scene: Scene) -> None:
    """Over weeks the answers move away by two spreads, in one class or mean."""
    age = scene.age[scene.hit] / max(int(scene.age.max()), 1)
    for spec in scene.market.bundle.manifest.outputs:
        place = scene.market.bundle.outputs.raw_slices[spec.name]
        up = scene.market.up(spec) * scene.raw_spread[place]
        scene.raw[scene.hit, place] += 2.0 * age[:, None] * up


@kind("one-head-stuck", "raw", "artefact", ARTEFACT, exact=True, fits=_several_outputs)
def one_head(scene: Scene) -> None:
    """The last horizon repeats one answer; the others are sound."""
    name = scene.market.bundle.manifest.outputs[-1].name
    place = scene.market.bundle.outputs.raw_slices[name]
    scene.raw[scene.hit, place] = scene.raw[0, place]


@kind("members-all-alike", "raw", "artefact", ARTEFACT, exact=True, fits=_several_members)
def alike(scene: Scene) -> None:
    """Every member is the first one: the disagreement is gone."""
    for spec in scene.market.bundle.manifest.outputs:
        place = scene.market.bundle.outputs.raw_slices[spec.name]
        first = scene.raw[scene.hit, place.start : place.start + spec.width]
        scene.raw[scene.hit, place] = np.tile(first, spec.members)


@kind("epistemic-unlogged", "reading", "artefact", ARTEFACT, exact=True, fits=_several_members)
def unlogged(scene: Scene) -> None:
    """The members differ, and the log says that they agree."""
    for reading in scene.readings.values():
        reading.epistemic[scene.hit] = 0.0


@kind("answers-stuck", "raw", "artefact", ARTEFACT, exact=True)
def stuck(scene: Scene) -> None:
    """The service repeats its last answer."""
    scene.raw[scene.hit] = scene.last_sound(scene.raw)[scene.hit]


@kind("answers-one-behind", "raw", "artefact", ARTEFACT, exact=True)
def one_behind(scene: Scene) -> None:
    """Each answer is that to the request before, of the same symbol."""
    source = scene.row_of_same_symbol(np.ones(len(scene), np.int64))
    scene.raw[scene.hit] = scene.raw[source][scene.hit]


@kind("centres-of-others", "reading", "artefact", ARTEFACT, exact=True)
def centres_of_others(scene: Scene) -> None:
    """One row in four has the probabilities of the row before."""
    rows = np.flatnonzero(scene.hit & (scene.rng.random(len(scene.hit)) < 0.25))
    for reading in scene.readings.values():
        reading.centre[rows] = reading.centre[rows - len(scene.market.symbols)]


@kind(
    "four-symbols-from-a-stale-worker",
    "raw",
    "artefact",
    ARTEFACT,
    exact=True,
    fits=_many,
    who="four",
)
def four_stale(scene: Scene) -> None:
    """Four symbols of many are answered by another version."""
    scene.raw[scene.hit] = scene.market.sibling(scene.windows[scene.hit])


@kind("one-symbol-collapsed", "raw", "artefact", ARTEFACT, exact=True, fits=_many, who="one")
def one_collapsed(scene: Scene) -> None:
    """One symbol of many gets the mean answer."""
    scene.raw[scene.hit] = scene.market.bundle.reference.raw.mean(axis=0)


# ---------------------------------------------------------------- graphs that the gate let through


@kind(
    "graph-shrunk-3",
    "graph",
    "model",
    frozenset({"flat", "dominant_action"}),
    first=True,
    fits=_scaled,
)
def graph_shrunk_3(market: Market) -> bytes:
    """A third of what it said."""
    return affine(market.bundle, lambda said: stretched(said, 1 / 3))


@kind("graph-shrunk-1000", "graph", "model", DEAD, first=True, fits=_scaled)
def graph_shrunk_1000(market: Market) -> bytes:
    """A thousandth of what it said."""
    return affine(market.bundle, lambda said: stretched(said, 1e-3))


@kind(
    "graph-tripled",
    "graph",
    "model",
    frozenset({"over_dispersed", "saturated", "miscalibrated"}),
    first=True,
    fits=_scaled,
)
def graph_tripled(market: Market) -> bytes:
    """Three times as far from the middle."""
    return affine(market.bundle, lambda said: stretched(said, 3.0))


@kind(
    "graph-reads-noise", "graph", "model", _ANY_MODEL, first=True, also=_NOT_OURS | {"unexplained"}
)
def graph_noise(market: Market) -> bytes:
    """It learnt another function of the last step: mean and spread are healthy, the rest is not.

    Whether that is a model that is wrong or another model, no log without outcomes can say.
    """
    return projected(market.bundle, seed=7)


@kind(
    "graph-classes-exchanged",
    "graph",
    "model",
    frozenset({"anti_signal", "artefact_fault"}),
    first=True,
    also=frozenset({"unexplained", "bias_shift"}),
    fits=_choice,
)
def graph_exchanged(market: Market) -> bytes:
    """Trained with BUY for SELL. What says so is outcomes, or its own reference.

    The shares of the classes are exchanged as well, which is a prior that has moved.
    """
    width, members = market.primary.width, market.primary.members
    turned = np.kron(np.eye(members), np.eye(width)[::-1])
    return affine(market.bundle, lambda _said: (turned, 0.0))


@kind("graph-only-the-clock", "graph", "model", DEAD, first=True, also=_NOT_OURS, fits=_has_clock)
def graph_clock(market: Market) -> bytes:
    """It reads the clock and nothing else: its outputs no longer follow the market."""
    keep = np.zeros(len(market.names))
    for sine, cosine, _ in market.clock:
        keep[[sine, cosine]] = 1.0
    mean = market.bundle.reference.features.mean(axis=0)
    return masked_inputs(market.bundle, keep, (1 - keep) * mean)


@kind(
    "graph-one-head-dead", "graph", "model", frozenset({"flat"}), first=True, fits=_several_outputs
)
def graph_one_head(market: Market) -> bytes:
    """One horizon of several is constant."""
    name = market.bundle.manifest.outputs[-1].name
    return affine(market.bundle, lambda said: (0.0, said.mean), only=name)


@kind(
    "graph-partners-alike",
    "graph",
    "model",
    _ANY_MODEL,
    first=True,
    also=_NOT_OURS | {"unexplained"},
    fits=_several_members,
)
def graph_alike(market: Market) -> bytes:
    """The partners have become one: there is no verdict of its own for it."""
    width, members = market.primary.width, market.primary.members
    copied = np.kron(np.eye(members)[:1].T @ np.ones((1, members)), np.eye(width))
    return affine(market.bundle, lambda _said: (copied, 0.0))


@kind(
    "graph-partner-inverted",
    "graph",
    "model",
    _ANY_MODEL,
    first=True,
    also=_NOT_OURS | {"unexplained"},
    fits=_several_members,
)
def graph_inverted(market: Market) -> bytes:
    """One partner says the opposite of what it should."""
    width, members = market.primary.width, market.primary.members
    sign = np.repeat(np.where(np.arange(members) == 0, -1.0, 1.0), width)
    return affine(market.bundle, lambda said: (sign, (1 - sign) * said.mean))


@kind("graph-holds-always", "graph", "model", DEAD | {"bias_shift"}, first=True, fits=_choice)
def graph_holds(market: Market) -> bytes:
    """The middle class whatever is asked, by a large constant."""
    one = np.tile(np.eye(market.primary.width)[market.primary.width // 2], market.members)
    return affine(market.bundle, lambda said: (1.0, 10 * one * said.spread))


@kind(
    "graph-bends-to-the-sides",
    "graph",
    "model",
    frozenset({"over_dispersed", "saturated", "bias_shift", "dominant_action", "miscalibrated"}),
    first=True,
    also=frozenset({"flat"}),
    fits=_choice,
)
def graph_bent(market: Market) -> bytes:
    """Sure of itself always: the signs of its logits, four spreads apart.

    On either side nothing moves them, so that to call them flat is true as well.
    """
    return bent(market.bundle, 4.0)


# ---------------------------------------------------------------- inputs


def _late(scene: Scene, bars: int, *, honest: bool) -> None:
    scene.windows[scene.hit] = scene.cut(scene.hit, lag=bars)
    if honest:
        scene.bar_time[scene.hit] -= bars * scene.market.interval


for count in (1, 48):

    @kind(f"late-by-{count}-honest", "windows", "feed", SKEW, exact=True, also=FROZEN)
    def _honest(scene: Scene, count: int = count) -> None:
        """The feed is late, and its bar times say so; see three-behind-and-honest."""
        _late(scene, count, honest=True)


@kind("late-by-48-unsaid", "windows", "client", SKEW, exact=True, fits=_has_clock)
def unsaid(scene: Scene) -> None:
    """The feed is late, and the client stamps its own time."""
    _late(scene, 48, honest=False)


@kind("price-inverted", "windows", "client", SKEW, exact=True)
def inverted(scene: Scene) -> None:
    """USD/BTC for BTC/USD, in history as well."""
    scene.windows[scene.hit] = scene.cut_from(scene.mirrored_tables())[scene.hit]


kind.variant("price-inverted-always", of="price-inverted", first=True, exact=False, recompute=True)


@kind("history-blank", "windows", "client", SKEW, exact=True)
def blank(scene: Scene) -> None:
    """Only the last step is there; all others are noughts."""
    window = scene.windows[scene.hit]
    window[:, :-1] = 0.0
    scene.windows[scene.hit] = window


@kind("history-tiled", "windows", "client", SKEW, exact=True)
def tiled(scene: Scene) -> None:
    """The last step, again and again."""
    window = scene.windows[scene.hit]
    scene.windows[scene.hit] = np.repeat(window[:, -1:], window.shape[1], axis=1)


kind.variant("history-blank-always", of="history-blank", first=True)


@kind("every-second-step", "windows", "client", SKEW, exact=True)
def every_second(scene: Scene) -> None:
    """A window of twice the time with every second bar."""
    steps = scene.market.steps
    wide = scene.cut_from(scene.tables, steps=2 * steps)[scene.hit]
    scene.windows[scene.hit] = wide[:, 1::2]


@kind("all-columns-half-as-much-again", "windows", "client", SKEW, exact=True)
def half_again(scene: Scene) -> None:
    """Everything times 1.5."""
    scene.windows[scene.hit] *= 1.5


kind.variant(
    "all-columns-half-as-much-again-always",
    of="all-columns-half-as-much-again",
    first=True,
    exact=False,
)


@kind("columns-off-by-one", "windows", "client", SKEW)
def off_by_one(scene: Scene) -> None:
    """An index column slipped in: each column has its neighbour's values."""
    scene.windows[scene.hit] = np.roll(scene.windows[scene.hit], 1, axis=2)


kind.variant("columns-off-by-one-always", of="columns-off-by-one", first=True)


@kind("zero-padded", "windows", "client", STALE)
def padded(scene: Scene) -> None:
    """A client of an older feature set fills up with noughts."""
    window = scene.windows[scene.hit]
    window[:, :, -len(scene.market.names) // 3 :] = 0.0
    scene.windows[scene.hit] = window


@kind("mean-imputed", "table", "client", STALE)
def imputed(scene: Scene) -> None:
    """A third of the columns is the training's mean."""
    count = len(scene.market.names) // 3
    mean = scene.market.bundle.reference.features.mean(axis=0)
    for table, start in scene.faulty_tables():
        table[start:, :count] = mean[:count]


@kind("one-column-stuck", "table", "client", STALE)
def one_stuck(scene: Scene) -> None:
    """One column keeps its last value."""
    column = scene.market.columns("return_", "momentum_")[0]
    for table, start in scene.faulty_tables():
        table[start:, column] = table[start - 1, column]


@kind("frozen-with-jitter", "windows", "feed", STUCK)
def jitter(scene: Scene) -> None:
    """The last window again and again, but for the last bits."""
    window = scene.last_sound(scene.windows)[scene.hit]
    noise = 1e-6 * scene.rng.normal(size=window.shape)
    scene.windows[scene.hit] = window * (1 + noise)


@kind("basis-points", "table", "client", SKEW)
def basis_points(scene: Scene) -> None:
    """One column in another unit, ten thousand times as large."""
    column = scene.market.columns("return_", "momentum_")[1]
    for table, start in scene.faulty_tables():
        table[start:, column] *= 1e4


@kind("one-column-off-by-four-deviations", "table", "client", SKEW)
def off_by_four(scene: Scene) -> None:
    """A constant was added to one column."""
    column = scene.market.columns("return_", "momentum_")[2]
    shift = 4 * scene.market.bundle.reference.features[:, column].std()
    for table, start in scene.faulty_tables():
        table[start:, column] += shift


@kind("all-signs", "windows", "client", SKEW, exact=True)
def all_signs(scene: Scene) -> None:
    """Every column has the other sign."""
    scene.windows[scene.hit] *= -1


@kind("time-zone-from-here", "table", "client", SKEW, exact=True, fits=_has_clock)
def time_zone(scene: Scene) -> None:
    """New rows have the clock of another zone, eight hours ahead; old ones stay."""
    for table, start in scene.faulty_tables():
        for sine, cosine, period in scene.market.clock:
            angle = 2 * np.pi * 28_800 / period
            s, c = table[start:, sine].copy(), table[start:, cosine].copy()
            table[start:, sine] = s * np.cos(angle) + c * np.sin(angle)
            table[start:, cosine] = c * np.cos(angle) - s * np.sin(angle)


@kind("column-smoothed", "windows", "client", SKEW, exact=True)
def smoothed(scene: Scene) -> None:
    """An upgrade: two columns are averages over some bars now, in history as well."""
    columns = scene.market.columns("return_", "momentum_")[:2]
    tables = scene.tables.copy()
    for i in range(1, tables.shape[1]):
        now, before = scene.tables[:, i, columns], tables[:, i - 1, columns]
        tables[:, i, columns] = np.where(np.isfinite(before), 0.4 * now + 0.6 * before, now)
    scene.windows[scene.hit] = scene.cut_from(tables)[scene.hit]


@kind("patchy-forward-fill", "table", "client", STALE)
def patchy_fill(scene: Scene) -> None:
    """In every second bar or so, a third of the columns is that of the bar before."""
    columns = np.arange(0, len(scene.market.names), 3)
    for table, start in scene.faulty_tables():
        for i in range(start, len(table)):
            if scene.rng.random() < 0.6:
                table[i, columns] = table[i - 1, columns]


@kind("noisy-columns", "windows", "client", SKEW, exact=True)
def noisy(scene: Scene) -> None:
    """A lossy encoding: every number of every window is off by up to a fifth of its spread."""
    spread = scene.market.bundle.reference.features.std(axis=0)
    window = scene.windows[scene.hit]
    scene.windows[scene.hit] = window + 0.2 * spread * scene.rng.uniform(-1, 1, window.shape)


@kind(
    "wrong-instrument-always",
    "windows",
    "client",
    SKEW,
    recompute=True,
    fits=_many,
    who="one",
    first=True,
)
def wrong_always(scene: Scene) -> None:
    """One symbol has another's data from its first row on: only the bars can tell."""
    scene.windows[scene.hit] = scene.of_neighbour(scene.windows)[scene.hit]


@kind("two-symbols-exchanged", "windows", "client", SKEW, exact=True, fits=_many)
def two_exchanged(scene: Scene) -> None:
    """Every symbol has the data of the next: a join by position."""
    scene.windows[scene.hit] = scene.of_neighbour(scene.windows, step=3)[scene.hit]


@kind("one-symbol-in-percent", "table", "client", SKEW, fits=_many, who="one")
def one_percent(scene: Scene) -> None:
    """The returns of one symbol are in percent."""
    columns = scene.market.columns("return_", "momentum_")
    for table, start in scene.faulty_tables():
        table[start:, columns] *= 100.0


@kind("one-symbol-zeros", "table", "client", STALE, fits=_many, who="one")
def one_zeros(scene: Scene) -> None:
    """A third of the columns of one symbol is noughts."""
    columns = np.arange(0, len(scene.market.names), 3)
    for table, start in scene.faulty_tables():
        table[start:, columns] = 0.0


@kind("one-symbol-late", "windows", "feed", SKEW, exact=True, also=FROZEN, fits=_many, who="one")
def one_late(scene: Scene) -> None:
    """The feed of one symbol is three bars behind, and says so."""
    _late(scene, 3, honest=True)


@kind("four-symbols-frozen", "windows", "feed", FROZEN, exact=True, fits=_many, who="four")
def four_frozen(scene: Scene) -> None:
    """One connection of five has died."""
    scene.windows[scene.hit] = scene.last_sound(scene.windows)[scene.hit]


@kind(
    "four-symbols-history-reversed", "windows", "client", SKEW, exact=True, fits=_many, who="four"
)
def four_reversed(scene: Scene) -> None:
    """One of several clients lists the newest bar first."""
    scene.windows[scene.hit] = scene.windows[scene.hit][:, ::-1]


# ---------------------------------------------------------------- nobody's fault


@kind.harmless("nothing", "log")
def nothing(scene: Scene) -> None:
    """Nothing happens."""


@kind.harmless("flat-market", "bars")
def flat_market(scene: Scene) -> None:
    """Prices hardly move for 24 bars; there are trades."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, start + 24, moves=0.02, volume=0.3)


@kind.harmless("no-trades", "bars")
def no_trades(scene: Scene) -> None:
    """Forty bars without a trade, here and there among others."""
    for symbol, bars, start in scene.faulty_bars():
        for first in range(start + 5, start + 85, 2):
            bars[first, 1:5] = bars[first - 1, 4]
            bars[first, 5] = 0.0
        scene.bars[symbol] = bars


@kind.harmless("rising-only", "bars")
def rising_only(scene: Scene) -> None:
    """Every bar rises for a hundred bars."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.one_way(bars, start, start + 100, 1.0)


@kind.harmless("tenfold-volatility", "bars")
def tenfold(scene: Scene) -> None:
    """Ten times as wild for a hundred bars."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, start + 100, moves=10.0, volume=4.0)


@kind.harmless("gap-down", "bars")
def gap_down(scene: Scene) -> None:
    """Four tenths are lost in one bar."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.pushed(bars, start, start + 1, step=np.log(0.6), volume=20.0)


@kind.harmless("quiet-symbol", "bars", fits=_many, who="one")
def quiet_symbol(scene: Scene) -> None:
    """One symbol of many hardly moves."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, len(bars), moves=0.1, volume=0.1)


@kind.harmless("symbol-joins", "log", fits=_many, who="one")
def joins(scene: Scene) -> None:
    """One symbol is asked about from the onset on, and not before."""
    scene.leave_out(scene.struck[scene.who] & (scene.age < 0))


@kind.harmless("symbol-leaves", "log", fits=_many, who="four")
def leaves(scene: Scene) -> None:
    """Four symbols are not asked about any more."""
    scene.leave_out(scene.hit)


@kind.harmless("late-rows", "log")
def late_rows(scene: Scene) -> None:
    """One row in ten is answered up to a bar and a half late."""
    rows = scene.hit & (scene.rng.random(len(scene.hit)) < 0.1)
    late = scene.rng.uniform(0.2, 1.5, len(scene.hit)) * scene.market.interval
    chosen = scene.whole(rows)
    if scene.market.cross_section:
        late = late[np.arange(len(late)) - scene.who]
    scene.time[chosen] += late[chosen].astype(np.int64)


@kind.harmless("two-workers-out-of-step", "log")
def out_of_step(scene: Scene) -> None:
    """What one of two workers answers is written seven bars late."""
    rows = scene.hit & (scene.rng.random(len(scene.hit)) < 0.5)
    scene.postpone(rows, bars=np.full(len(scene.hit), 7))


@kind.harmless("history-rounded", "windows")
def rounded(scene: Scene) -> None:
    """A client computes history anew in each request; its last bits differ from those before."""
    window = scene.windows[scene.hit]
    noise = 3e-7 * scene.rng.normal(size=window.shape)
    noise[:, -1] = 0.0
    scene.windows[scene.hit] = (window * (1 + noise)).astype(np.float32)


@kind.harmless("server-clock-behind", "log")
def clock_behind(scene: Scene) -> None:
    """The server's clock is two seconds behind: answers before the bar has closed, it says."""
    scene.time[scene.hit] -= 2_000_000
