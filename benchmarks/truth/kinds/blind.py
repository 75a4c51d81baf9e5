"""Kinds written blind.

Note of honesty: this file, `benchmarks.truth.plan` (places, seeds, the rule of judging) and all the
expected verdicts here were written and committed before their author had read anything in
`diagnosis`, in `monitoring.watching` or in `tests.support.faults`; from the project's issue and
the meaning of each verdict in `bundle.verdict` alone. They are what goes wrong, in one author's
experience, between an exchange's feed, a feature pipeline, a client, a server, a model registry and
a retrain. An expectation that turned out to be indefensible is changed here only with a note that
says what and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.graphs import affine, stretched
from benchmarks.truth.kind import (
    ARTEFACT,
    DEAD,
    FROZEN,
    SKEW,
    STALE,
    STUCK,
    Kinds,
)

if TYPE_CHECKING:
    from benchmarks.truth.market import Market
    from benchmarks.truth.scene import Scene

kind = Kinds(blind=True)
HOUR, DAY, WEEK = 3_600, 86_400, 604_800


def _has_clock(market: Market) -> bool:
    return bool(market.clock)


def _has_volume(market: Market) -> bool:
    return bool(len(market.columns("volume")))


def _many(market: Market) -> bool:
    return len(market.symbols) > 1


def _of_kind(*names: str):  # type: ignore[no-untyped-def]  # a predicate of markets
    return lambda market: market.primary.kind in names


# ---------------------------------------------------------------- the feed, and who reads it


@kind("cached-window", "windows", "feed", FROZEN, exact=True)
def cached_window(scene: Scene) -> None:
    """The feed has died; the client's cache answers, and its own clock stamps the bars."""
    scene.windows[scene.hit] = scene.last_sound(scene.windows)[scene.hit]


@kind("dead-socket", "windows", "feed", FROZEN, exact=True, also=SKEW)
def dead_socket(scene: Scene) -> None:
    """The feed has died and the client repeats its last request, bar time and all.

    That the bar time is old is as true a thing to say as that the input stands.
    """
    scene.windows[scene.hit] = scene.last_sound(scene.windows)[scene.hit]
    scene.bar_time[scene.hit] = scene.last_sound(scene.bar_time)[scene.hit]


@kind("frozen-price", "bars", "feed", STUCK)
def frozen_price(scene: Scene) -> None:
    """The feed repeats its last bar for ever, volume too, and only its clock goes on."""
    for symbol, bars, start in scene.faulty_bars():
        bars[start:, 1:] = bars[start - 1, 1:]
        scene.bars[symbol] = bars


@kind("drip-feed", "windows", "feed", STUCK, exact=True)
def drip_feed(scene: Scene) -> None:
    """A rate limit: only each fourth bar is fetched, the others are the one before again."""
    age = scene.age[scene.hit] % 4
    scene.windows[scene.hit] = scene.cut(scene.hit, lag=age)


@kind("one-bar-behind", "windows", "client", SKEW, exact=True)
def one_bar_behind(scene: Scene) -> None:
    """An index off by one: the newest bar is left out, and its time is given all the same."""
    scene.windows[scene.hit] = scene.cut(scene.hit, lag=1)


@kind("three-behind-and-honest", "windows", "feed", SKEW, exact=True, also=FROZEN)
def three_behind(scene: Scene) -> None:
    """The vendor is three bars late, and the bar times say so.

    There is no verdict of its own for a late feed; that the feed hangs behind is near enough.
    """
    scene.windows[scene.hit] = scene.cut(scene.hit, lag=3)
    scene.bar_time[scene.hit] -= 3 * scene.market.interval


@kind("unfinished-bar", "windows", "client", SKEW, exact=True)
def unfinished_bar(scene: Scene) -> None:
    """The client asks before the bar has closed: its last step is of a third of a bar."""
    for row in np.flatnonzero(scene.hit):
        bars = scene.bars_of(row, scene.market.memory + 1).copy()
        opened, high, low, close, volume = bars[-1, 1:]
        now = opened + (close - opened) * 0.4
        top, bottom = max(opened, now), min(opened, now)
        bars[-1, 1:] = (
            opened,
            top + (high - max(opened, close)) * 0.4,
            bottom - (min(opened, close) - low) * 0.4,
            now,
            volume * scene.rng.uniform(0.2, 0.5),
        )
        scene.windows[row, -1] = scene.market.features(bars)[-1]


@kind("last-bar-twice", "windows", "client", SKEW, exact=True)
def last_bar_twice(scene: Scene) -> None:
    """Snapshot and stream overlap: the newest bar stands at the end of each window twice."""
    window = scene.windows[scene.hit]
    scene.windows[scene.hit] = np.concatenate([window[:, 1:], window[:, -1:]], axis=1)


@kind("hole-in-the-window", "windows", "client", SKEW, exact=True)
def hole(scene: Scene) -> None:
    """An off-by-one in a join: one bar near the end of every window is missing."""
    older = scene.cut(scene.hit, lag=1)
    window = scene.windows[scene.hit]
    cut = window.shape[1] - 3
    scene.windows[scene.hit] = np.concatenate([older[:, :cut], window[:, cut:]], axis=1)


@kind("volume-missing", "bars", "feed", STALE, fits=_has_volume)
def volume_missing(scene: Scene) -> None:
    """The exchange has changed a field's name: volume is read as nought."""
    for symbol, bars, start in scene.faulty_bars():
        bars[start:, 5] = 0.0
        scene.bars[symbol] = bars


@kind("unadjusted-split", "bars", "feed", SKEW, recompute=True)
def split(scene: Scene) -> None:
    """One for ten, and the feed has not adjusted its history."""
    for symbol, bars, start in scene.faulty_bars():
        bars[start:, 1:5] /= 10.0
        scene.bars[symbol] = bars


@kind("bad-prints", "bars", "feed", SKEW, recompute=True)
def bad_prints(scene: Scene) -> None:
    """Every tenth bar has a high of half as much again: trades that were cancelled."""
    for symbol, bars, start in scene.faulty_bars():
        bars[start::10, 2] *= 1.5
        scene.bars[symbol] = bars


@kind("rolling-bars", "bars", "client", SKEW, recompute=True)
def rolling_bars(scene: Scene) -> None:
    """``rolling(4)`` for ``resample``: each bar is the last four together."""
    for symbol, bars, start in scene.faulty_bars():
        sound = bars.copy()
        for i in range(start, len(bars)):
            four = sound[i - 3 : i + 1]
            bars[i, 1:] = (
                four[0, 1],
                four[:, 2].max(),
                four[:, 3].min(),
                four[-1, 4],
                four[:, 5].sum(),
            )
        scene.bars[symbol] = bars


# ---------------------------------------------------------------- units, clocks, columns


@kind("percent-returns", "table", "client", SKEW)
def percent_returns(scene: Scene) -> None:
    """Returns in percent where shares were meant."""
    columns = scene.market.columns("return_", "momentum_")
    for table, start in scene.faulty_tables():
        table[start:, columns] *= 100.0


@kind("local-time", "windows", "client", SKEW, exact=True, fits=_has_clock)
def local_time(scene: Scene) -> None:
    """The client's clock columns are in New York's time, the training's in UTC."""
    scene.turn_clock(-5 * HOUR)


@kind("summer-time", "windows", "client", SKEW, exact=True, fits=_has_clock)
def summer_time(scene: Scene) -> None:
    """The clocks went forward, and the client's columns with them."""
    scene.turn_clock(HOUR)


@kind("milliseconds", "windows", "client", SKEW, exact=True, fits=_has_clock)
def milliseconds(scene: Scene) -> None:
    """Clock columns computed from milliseconds as if they were seconds."""
    window, steps = scene.windows[scene.hit], scene.windows.shape[1]
    ends = scene.bar_time[scene.hit] / 1e6
    moments = ends[:, None] - (np.arange(steps)[::-1] * scene.market.interval / 1e6)[None, :]
    for sine, cosine, period in scene.market.clock:
        angle = 2 * np.pi * ((moments * 1000.0) % period) / period
        window[:, :, sine], window[:, :, cosine] = np.sin(angle), np.cos(angle)
    scene.windows[scene.hit] = window


@kind("annualised-volatility", "table", "client", SKEW)
def annualised(scene: Scene) -> None:
    """A new version of the client's library gives volatility per year, its logarithm plus 4.5."""
    columns = scene.market.columns("volatility_")
    for table, start in scene.faulty_tables():
        table[start:, columns] += 0.5 * np.log(DAY * 365 / HOUR)


@kind("alphabetical-columns", "windows", "client", SKEW)
def alphabetical(scene: Scene) -> None:
    """A data frame made from a dictionary: columns sorted by name."""
    order = np.argsort(np.array(scene.market.names))
    scene.windows[scene.hit] = scene.windows[scene.hit][:, :, order]


@kind("two-columns-swapped", "windows", "client", SKEW, exact=True)
def swapped(scene: Scene) -> None:
    """Two columns of the same family in each other's place."""
    first, second = scene.market.columns("return_", "momentum_")[[1, 3]]
    order = np.arange(len(scene.market.names))
    order[[first, second]] = second, first
    scene.windows[scene.hit] = scene.windows[scene.hit][:, :, order]


@kind("returns-the-other-way", "windows", "client", SKEW, exact=True)
def other_way(scene: Scene) -> None:
    """Old price over new: the short returns have the other sign."""
    columns = scene.market.columns("return_", "momentum_")[:3]
    window = scene.windows[scene.hit]
    window[:, :, columns] *= -1
    scene.windows[scene.hit] = window


@kind("two-decimals", "table", "client", STALE)
def two_decimals(scene: Scene) -> None:
    """The client writes its numbers with two decimals."""
    for table, start in scene.faulty_tables():
        table[start:] = np.round(table[start:], 2)


@kind("source-out-zeros", "table", "client", STALE)
def zeros(scene: Scene) -> None:
    """A source is out; a third of the columns is filled with noughts."""
    columns = np.arange(0, len(scene.market.names), 3)
    for table, start in scene.faulty_tables():
        table[start:, columns] = 0.0


@kind("source-out-forward-fill", "table", "client", STALE)
def forward_fill(scene: Scene) -> None:
    """A source is out; a third of the columns keeps its last value."""
    columns = np.arange(1, len(scene.market.names), 3)
    for table, start in scene.faulty_tables():
        table[start:, columns] = table[start - 1, columns]


@kind("patchy-imputation", "table", "client", STALE)
def patchy(scene: Scene) -> None:
    """In two rows of five, volume and volatility are the mean of the training."""
    columns = scene.market.columns("volume", "volatility_")
    mean = scene.market.bundle.reference.features.mean(axis=0)
    for table, start in scene.faulty_tables():
        rows = start + np.flatnonzero(scene.rng.random(len(table) - start) < 0.4)
        table[np.ix_(rows, columns)] = mean[columns]


@kind("standardised-by-the-client", "windows", "client", SKEW)
def standardised(scene: Scene) -> None:
    """The client does what the graph does already."""
    mean, scale = scene.market.scaler
    scene.windows[scene.hit] = (scene.windows[scene.hit] - mean) / scale


@kind("newest-first", "windows", "client", SKEW, exact=True)
def newest_first(scene: Scene) -> None:
    """The exchange's new interface lists the newest bar first."""
    scene.windows[scene.hit] = scene.windows[scene.hit][:, ::-1]


@kind("row-major-mix-up", "windows", "client", SKEW)
def mix_up(scene: Scene) -> None:
    """Columns by steps where steps by columns are wanted, and reshaped."""
    window = scene.windows[scene.hit]
    scene.windows[scene.hit] = window.transpose(0, 2, 1).reshape(window.shape)


@kind("amnesia", "windows", "client", SKEW, exact=True)
def amnesia(scene: Scene) -> None:
    """The client keeps no more than its last steps; older ones are noughts."""
    keep = max(scene.windows.shape[1] // 8, 1)
    window = scene.windows[scene.hit]
    window[:, :-keep] = 0.0
    scene.windows[scene.hit] = window


@kind("last-months-file", "windows", "client", SKEW, exact=True)
def old_file(scene: Scene) -> None:
    """The client reads a file of some weeks ago, at the same hour of the week."""
    weeks = max(int(np.ceil(scene.span_seconds / WEEK)), 4)
    lag = scene.weeks_before(weeks)
    scene.windows[scene.hit] = scene.cut_from_before(scene.hit, lag)


@kind("wrong-instrument", "windows", "client", SKEW, exact=True, fits=_many, who="one")
def wrong_instrument(scene: Scene) -> None:
    """One symbol's windows are another's: a mapping of names has slipped."""
    scene.windows[scene.hit] = scene.of_neighbour(scene.windows)[scene.hit]


@kind("one-symbol-stuck", "windows", "feed", FROZEN, exact=True, fits=_many, who="one")
def one_stuck(scene: Scene) -> None:
    """One subscription of many was not renewed."""
    scene.windows[scene.hit] = scene.last_sound(scene.windows)[scene.hit]


for name in (
    "percent-returns",
    "annualised-volatility",
    "source-out-zeros",
):
    kind.variant(f"{name}-always", of=name, first=True)
kind.variant("alphabetical-columns-always", of="alphabetical-columns", first=True)
kind.variant("standardised-always", of="standardised-by-the-client", first=True)
kind.variant("newest-first-always", of="newest-first", first=True)
kind.variant("local-time-always", of="local-time", first=True)


# ---------------------------------------------------------------- what is served under the name


@kind("other-seed", "raw", "artefact", ARTEFACT, exact=True)
def other_seed(scene: Scene) -> None:
    """What is served is the same training with another seed."""
    scene.raw[scene.hit] = scene.market.sibling(scene.windows[scene.hit])


@kind("torn-weights", "raw", "artefact", ARTEFACT, exact=True)
def torn_weights(scene: Scene) -> None:
    """A tenth of the weights was read as noughts."""
    scene.raw[scene.hit] = scene.market.torn(scene.windows[scene.hit])


@kind("coarse-quantisation", "raw", "artefact", ARTEFACT, exact=True)
def quantised(scene: Scene) -> None:
    """Somebody serves it with a few bits."""
    step = np.maximum(scene.raw_spread / 8, 1e-12)
    scene.raw[scene.hit] = np.round(scene.raw[scene.hit] / step) * step


@kind("one-worker-stale", "raw", "artefact", ARTEFACT, exact=True)
def one_worker(scene: Scene) -> None:
    """One of two workers did not load the new version."""
    rows = scene.hit & (scene.rng.random(len(scene.hit)) < 0.5)
    scene.raw[rows] = scene.market.sibling(scene.windows[rows])


@kind("answer-cache", "raw", "artefact", ARTEFACT, exact=True)
def answer_cache(scene: Scene) -> None:
    """A cache before the service: seven answers of eight are an older one of the symbol."""
    source = scene.row_of_same_symbol(scene.age % 8)
    scene.raw[scene.hit] = scene.raw[source][scene.hit]


@kind("batch-mix-up", "raw", "artefact", ARTEFACT, exact=True)
def batch_mix_up(scene: Scene) -> None:
    """Answers of a batch of sixteen go to the wrong askers."""
    rows = np.flatnonzero(scene.hit)
    for begin in range(0, len(rows), 16):
        some = rows[begin : begin + 16]
        scene.raw[some] = scene.raw[np.roll(some, 5)]


@kind("uncalibrated", "reading", "artefact", ARTEFACT, exact=True, fits=_of_kind("choice", "value"))
def uncalibrated(scene: Scene) -> None:
    """The service did not find the calibration and goes on with one that changes nothing."""
    scene.read_with(scene.market.identity, scene.hit)


@kind("labels-reversed", "raw", "artefact", ARTEFACT, exact=True)
def labels_reversed(scene: Scene) -> None:
    """The map of labels is the other way round: BUY is SELL."""
    scene.raw[scene.hit] = scene.turned(scene.raw[scene.hit])


@kind("default-on-timeout", "raw", "artefact", ARTEFACT, exact=True)
def timeout(scene: Scene) -> None:
    """One row in five gets the default answer, for the model was too slow."""
    rows = scene.hit & (scene.rng.random(len(scene.hit)) < 0.2)
    scene.raw[rows] = scene.market.bundle.reference.raw.mean(axis=0)


@kind("scaled-twice-in-the-graph", "raw", "artefact", ARTEFACT, exact=True)
def scaled_twice(scene: Scene) -> None:
    """The export that is served has the scaler twice."""
    mean, scale = scene.market.scaler
    scene.raw[scene.hit] = scene.market.answer((scene.windows[scene.hit] - mean) / scale)


@kind("clipped-outputs", "raw", "artefact", ARTEFACT, exact=True)
def clipped(scene: Scene) -> None:
    """A guard in the service that nobody remembers."""
    mean = scene.market.bundle.reference.raw.mean(axis=0)
    half = 0.5 * scene.raw_spread
    scene.raw[scene.hit] = np.clip(scene.raw[scene.hit], mean - half, mean + half)


@kind("policy-of-old", "reading", "artefact", ARTEFACT, exact=True)
def policy_of_old(scene: Scene) -> None:
    """Positions and actions are by an older policy: plain argmax, or the other side."""
    scene.decide_otherwise(scene.hit)


@kind(
    "one-symbol-from-a-stale-worker", "raw", "artefact", ARTEFACT, exact=True, fits=_many, who="one"
)
def one_symbol_stale(scene: Scene) -> None:
    """Symbols are sharded over workers; the worker of one has old weights."""
    scene.raw[scene.hit] = scene.market.sibling(scene.windows[scene.hit])


# ---------------------------------------------------------------- retrains that should not live


@kind("dead-retrain", "graph", "model", DEAD, first=True)
def dead(market: Market) -> bytes:
    """Dead units: the same answer whatever is asked."""
    return affine(market.bundle, lambda said: (0.0, said.mean))


@kind(
    "always-long",
    "graph",
    "model",
    DEAD | {"bias_shift"},
    first=True,
    fits=_of_kind("choice", "value"),
)
def always_long(market: Market) -> bytes:
    """A bias so large that one answer prevails, though the ranking is intact."""
    return affine(market.bundle, lambda said: (1.0, market.up(said.spec) * 12 * said.spread))


@kind(
    "prior-moved",
    "graph",
    "model",
    frozenset({"bias_shift"}),
    first=True,
    also=frozenset({"dominant_action"}),
    fits=_of_kind("choice", "value"),
)
def prior_moved(market: Market) -> bytes:
    """Trained on a year of rises: everything is as it was, plus a constant.

    Where the constant makes one action prevail, that is true as well.
    """
    return affine(market.bundle, lambda said: (1.0, market.up(said.spec) * 3 * said.spread))


@kind(
    "overconfident-retrain",
    "graph",
    "model",
    frozenset({"saturated", "over_dispersed", "miscalibrated"}),
    first=True,
    fits=_of_kind("choice", "value"),
)
def overconfident(market: Market) -> bytes:
    """Trained for too long: everything five times as far from the middle."""
    return affine(market.bundle, lambda said: stretched(said, 5.0))


@kind(
    "timid-retrain",
    "graph",
    "model",
    frozenset({"flat"}),
    first=True,
    also=frozenset({"dominant_action"}),
    fits=_of_kind("choice", "value"),
)
def timid(market: Market) -> bytes:
    """Regularised to death: a tenth of what it said. Then one action prevails, too."""
    return affine(market.bundle, lambda said: stretched(said, 0.1))


# ---------------------------------------------------------------- nobody's fault


@kind.harmless("quiet-days", "bars")
def quiet(scene: Scene) -> None:
    """Nothing happens for 48 bars: moves and volume are a tenth."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, start + 48, moves=0.1, volume=0.1)


@kind.harmless("crash", "bars")
def crash(scene: Scene) -> None:
    """A quarter is lost in five bars, ten times the volume; then it is five times as wild."""
    for symbol, bars, start in scene.faulty_bars():
        calm = scene.rescaled(bars, start + 5, start + 100, moves=5.0, volume=5.0)
        scene.bars[symbol] = scene.pushed(
            calm, start, start + 5, step=np.log(0.75) / 5, volume=10.0
        )


@kind.harmless("melt-up", "bars")
def melt_up(scene: Scene) -> None:
    """Two hundred bars of one direction."""
    for symbol, bars, start in scene.faulty_bars():
        step = float(np.diff(np.log(bars[:, 4])).std())
        scene.bars[symbol] = scene.pushed(bars, start, start + 200, step=step, volume=1.0)


@kind.harmless("halt", "bars")
def halt(scene: Scene) -> None:
    """Trading is halted for twelve bars: no volume, one price; then it goes on where it would."""
    for symbol, bars, start in scene.faulty_bars():
        bars[start : start + 12, 1:5] = bars[start - 1, 4]
        bars[start : start + 12, 5] = 0.0
        scene.bars[symbol] = bars


@kind.harmless("wild-quarter", "bars")
def wild(scene: Scene) -> None:
    """Three times the volatility from here on."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, len(bars), moves=3.0, volume=2.0)


@kind.harmless("holiday-volume", "bars", fits=_has_volume)
def holiday(scene: Scene) -> None:
    """A twentieth of the volume for eighty bars; prices as usual."""
    for symbol, bars, start in scene.faulty_bars():
        scene.bars[symbol] = scene.rescaled(bars, start, start + 80, moves=1.0, volume=0.05)


@kind.harmless("retries", "log")
def retries(scene: Scene) -> None:
    """Answers are lost on the way: one row in five is asked twice, under another id."""
    rows = np.flatnonzero(scene.hit & (scene.rng.random(len(scene.hit)) < 0.2))
    scene.ask_again(rows, later=0.4)


@kind.harmless("backfill-burst", "log")
def burst(scene: Scene) -> None:
    """The client was cut off for forty bars and asks them all when it is back."""
    scene.delay_until_end(scene.age < 40)


@kind.harmless("client-restart", "log")
def restart(scene: Scene) -> None:
    """The client was down: thirty bars were never asked about."""
    scene.leave_out(scene.hit & (scene.age < 30))


@kind.harmless("lossy-network", "log")
def lossy(scene: Scene) -> None:
    """One row in ten never arrives."""
    scene.leave_out(scene.hit & (scene.rng.random(len(scene.hit)) < 0.1))


@kind.harmless("out-of-order", "log")
def out_of_order(scene: Scene) -> None:
    """Rows overtake each other by up to five bars."""
    rows = scene.hit & (scene.rng.random(len(scene.hit)) < 0.3)
    scene.postpone(rows, bars=scene.rng.integers(1, 6, len(scene.hit)))


@kind.harmless("slow-clients", "log")
def slow(scene: Scene) -> None:
    """Latency of up to a third of a bar."""
    scene.time[scene.hit] += (
        scene.rng.uniform(0.0, 0.33, int(scene.hit.sum())) * scene.market.interval
    ).astype(np.int64)


@kind.harmless("revised-bars", "windows")
def revised(scene: Scene) -> None:
    """The exchange corrects one bar in ten after its close: later windows have it otherwise."""
    scene.revise(share=0.1, size=0.05)


@kind.harmless("two-libraries", "windows")
def two_libraries(scene: Scene) -> None:
    """Two clients in turn, the second of which computes in another order: the last bits differ."""
    rows = scene.hit & (np.arange(len(scene.hit)) % 2 == 1)
    noise = scene.rng.normal(0, 1e-6, scene.windows[rows].shape)
    scene.windows[rows] = (scene.windows[rows] * (1 + noise)).astype(np.float32)


@kind.harmless("researcher", "log")
def researcher(scene: Scene) -> None:
    """Somebody asks the production service about bars of last week, one row in ten."""
    rows = np.flatnonzero(scene.hit & (scene.rng.random(len(scene.hit)) < 0.1))
    scene.ask_about_the_past(rows)


@kind.harmless("other-processor", "raw")
def other_processor(scene: Scene) -> None:
    """The service has moved to another processor: the last bits of its answers differ."""
    noise = scene.rng.normal(0, 2e-7, scene.raw[scene.hit].shape)
    scene.raw[scene.hit] = (scene.raw[scene.hit] * (1 + noise)).astype(np.float32)


@kind.harmless("holidays", "log")
def holidays(scene: Scene) -> None:
    """The market is closed for a week and opens again; nobody asks in between."""
    scene.time[scene.hit] += WEEK * 1_000_000
    scene.bar_time[scene.hit] += WEEK * 1_000_000
