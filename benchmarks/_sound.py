"""Sound models on made and on real markets: streams on which every alarm is a false one.

Two markets are made, by constructions that have nothing in common. *Regimes*: hidden states that
drift, stochastic volatility and persistent factors, seen through mixed columns by a random
network. *Bars*: a GARCH process with heavy tails, leverage and a day, cut into bars, from which the
project computes its own columns and a head is fitted to what comes six bars later. A third is the
one the tests use. Real series are treated as the made bars are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from plumbline.bundle.calibration import ChoiceCalibration, softmax
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.policies.argmax import ArgmaxParams, ArgmaxPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.bars import Bars
from plumbline.training.feature_table import build_table, resolve_feature_set
from tests.support.bundles import choice_output
from tests.support.streams import head, market

HOUR = 3_600_000_000
LAGS = (0, 4, 12)
HORIZON = 6
HIDDEN = 48


@dataclass(frozen=True)
class Said:
    """What a model was shown and said, in the order in which it is asked."""

    features: np.ndarray
    logits: np.ndarray
    symbol: np.ndarray
    time: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: np.ndarray | slice) -> Said:
        """Return some of the rows."""
        return Said(self.features[rows], self.logits[rows], self.symbol[rows], self.time[rows])


def joined(parts: Sequence[Said]) -> Said:
    """Return rows one after the other."""
    names = ("features", "logits", "symbol", "time")
    return Said(*(np.concatenate([getattr(each, name) for each in parts]) for name in names))


@dataclass(frozen=True)
class Sound:
    """A model with its reference, and streams that it answers rightly."""

    name: str
    reference: Said
    streams: tuple[Said, ...]

    def context(self) -> Context:
        """Return what the streams are held against."""
        shares = softmax(self.reference.logits).mean(axis=0)
        outputs = _outputs(tuple(shares / shares.sum()))
        names = tuple(f"column_{i}" for i in range(self.reference.features.shape[1]))
        order = np.lexsort((self.reference.time, self.reference.symbol))
        return Context(outputs, names, _profile(self.reference.take(order), outputs))

    def sample(self, said: Said, context: Context) -> Sample:
        """Return rows as the watcher sees them."""
        outputs = context.outputs
        p = softmax(said.logits)
        return Sample(
            readings=outputs.restore(p, np.zeros((len(p), 1))),
            action=outputs.policy.choose(p),  # type: ignore[attr-defined]
            features=said.features,
            symbol=said.symbol,
            bar_time=said.time,
        )


def _outputs(prior: tuple[float, ...]) -> Outputs:
    spec = choice_output(len(prior))
    identity = ChoiceCalibration.identity(len(prior))
    return Outputs((spec,), {spec.name: identity}, ArgmaxPolicy(ArgmaxParams(prior=prior), spec))


def _profile(said: Said, outputs: Outputs) -> ReferenceProfile:
    n, p = len(said), softmax(said.logits).astype(np.float32)
    return ReferenceProfile(
        bar_time=said.time,
        symbol=said.symbol,
        group=np.arange(n),
        features=said.features,
        raw=said.logits.astype(np.float32),
        centre=p,
        epistemic=np.zeros((n, 1), np.float32),
        action=outputs.policy.choose(p).astype(np.int8),  # type: ignore[attr-defined]
        position=np.zeros(n, np.float32),
        size=np.zeros(n, np.float32),
        truth=np.full((n, 1), np.nan),
    )


# --- hidden regimes ------------------------------------------------------------------------------


def regimes(seed: int, streams: int, rows: int, reference: int) -> Sound:
    """Return a random network on columns of markets with hidden states."""
    rng = np.random.default_rng(seed)
    factors, columns = 6, 24
    keep = rng.uniform(0.75, 0.985, factors)
    pull = rng.normal(0, 0.25, (3, factors)) * np.sqrt(1 - keep**2)
    stay = 1 - 1 / np.array([80.0, 240.0, 80.0])
    mix = rng.normal(size=(factors, 12))
    first = rng.normal(0, 1.1, (columns, 16)) / np.sqrt(columns)
    second = rng.normal(0, 1.4, (16, 3)) / np.sqrt(16)
    longest, burn = max(rows, reference), 500
    state = np.ones(streams + 1, np.int64)
    factor = np.zeros((streams + 1, factors))
    loudness = np.zeros(streams + 1)
    seen = np.zeros((longest, streams + 1, factors))
    heard = np.zeros((longest, streams + 1))
    for step in range(-burn, longest):
        leave = rng.random(streams + 1) > stay[state]
        state = np.where(leave, (state + rng.integers(1, 3, streams + 1)) % 3, state)
        loudness = 0.985 * loudness + 0.09 * rng.standard_normal(streams + 1)
        kick = rng.standard_t(5, (streams + 1, factors)) * np.sqrt(1 - keep**2)
        factor = keep * factor + pull[state] + kick * np.exp(loudness)[:, None]
        if step >= 0:
            seen[step], heard[step] = factor, loudness
    found = []
    for i, length in enumerate((reference, *[rows] * streams)):
        x, size = seen[:length, i], heard[:length, i]
        hour = np.arange(length) + int(rng.integers(0, 24))
        table = np.column_stack(
            [
                x,
                np.tanh(x @ mix) + 0.05 * rng.standard_normal((length, 12)),
                size + 0.1 * rng.standard_normal(length),
                np.abs(x[:, 0]) * np.exp(size),
                np.sin(2 * np.pi * hour / 24),
                np.cos(2 * np.pi * hour / 24),
                np.maximum(x[:, 1] - 1.0, 0.0),
                np.sign(x[:, 2]) * x[:, 2] ** 2,
            ]
        ).astype(np.float32)
        found.append((table, hour))
    centre, scale = found[0][0].mean(axis=0), found[0][0].std(axis=0)

    def said(table: np.ndarray, hour: np.ndarray) -> Said:
        z = np.clip((table - centre) / scale, -6, 6)
        logits = 1.6 * np.tanh(z @ first) @ second + np.log([0.17, 0.65, 0.18])
        return Said(table, logits, np.full(len(table), "MADE"), HOUR * hour.astype(np.int64))

    whole = [said(*each) for each in found]
    return Sound("regimes", whole[0], tuple(whole[1:]))


def several(seed: int, streams: int, rows: int, reference: int) -> Sound:
    """Return one model of symbols unlike each other: some quiet, some loud, some slow.

    The reference has as many rows of each symbol as fit, in turn; each stream has all symbols in
    turn, and the last of them only the quietest, which alone is no reason to complain.
    """
    symbols = 10
    parts = regimes(seed, symbols * streams + symbols, rows // symbols, 2_000)
    known = regimes(seed, symbols, reference // symbols, 2_000)
    rng = np.random.default_rng(seed)
    loud = np.sort(np.exp(rng.normal(0, 0.8, symbols)))

    def turn(own: Sequence[Said]) -> Said:
        quiet = [
            Said(
                each.features * np.float32(loud[i]),
                each.logits.mean(axis=0) + loud[i] * (each.logits - each.logits.mean(axis=0)),
                np.full(len(each), f"S{i}"),
                HOUR * np.arange(len(each), dtype=np.int64),
            )
            for i, each in enumerate(own)
        ]
        whole = joined(quiet)
        return whole.take(np.lexsort((whole.symbol, whole.time)))

    live = [turn(parts.streams[i * symbols : (i + 1) * symbols]) for i in range(streams)]
    alone = live[-1].take(np.flatnonzero(live[-1].symbol == "S0"))
    return Sound("several symbols", turn(known.streams), (*live, alone))


def tested(seed: int, streams: int, rows: int, reference: int) -> Sound:
    """Return the market of the tests: one model, other stretches."""

    def said(length: int, number: int) -> Said:
        table = market(length, number)
        time = HOUR * np.arange(length, dtype=np.int64)
        return Said(table, head(table), np.full(length, "MADE"), time)

    first = 10_000 + 100 * seed
    return Sound(
        "tests",
        said(reference, first),
        tuple(said(rows, first + 1 + each) for each in range(streams)),
    )


# --- bars ----------------------------------------------------------------------------------------


def garch_bars(seed: int, rows: int, symbol: str = "MADE") -> Bars:
    """Return hourly bars of returns whose variance remembers, more so after falls."""
    character = np.random.default_rng(seed // 1_000)
    alpha, leverage = character.uniform(0.03, 0.07), character.uniform(0.0, 0.05)
    beta = character.uniform(0.985, 0.993) - alpha - leverage / 2
    rng = np.random.default_rng(seed)
    steps = 6
    day = 1 + 0.5 * np.sin(2 * np.pi * np.arange(24) / 24)
    shocks = rng.standard_t(6, (rows, steps)) / np.sqrt(1.5)
    variance = 1e-5
    moves = np.empty((rows, steps))
    for i in range(rows):
        moves[i] = shocks[i] * np.sqrt(variance * day[i % 24] / steps)
        whole = moves[i].sum() ** 2 / day[i % 24]
        fall = leverage * whole * (moves[i].sum() < 0)
        variance = 1e-5 * (1 - alpha - leverage / 2 - beta) + alpha * whole + fall + beta * variance
        variance = min(variance, 4e-3)
    path = np.cumsum(moves.ravel()).reshape(rows, steps)
    close = 100 * np.exp(path[:, -1])
    open_ = np.append(100.0, close[:-1])
    inside = 100 * np.exp(path)
    return Bars(
        symbol=symbol,
        time=1_500_000_400_000_000 // HOUR * HOUR + HOUR * np.arange(rows, dtype=np.int64),
        open=open_,
        high=np.maximum(inside.max(axis=1), open_),
        low=np.minimum(inside.min(axis=1), open_),
        close=close,
        volume=rng.lognormal(8, 0.5, rows) * (1 + 4e4 * (moves**2).sum(axis=1)),
    )


class Head:
    """A network of one hidden layer on the columns of three steps, its last layer fitted."""

    def __init__(self, table: np.ndarray, close: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._centre, self._scale = np.nanmean(table, axis=0), np.nanstd(table, axis=0) + 1e-9
        width = len(LAGS) * table.shape[1]
        self._first = rng.normal(0, 1.5 / np.sqrt(width), (width, HIDDEN))
        ahead = np.append(np.log(close[HORIZON:] / close[:-HORIZON]), np.full(HORIZON, np.nan))
        band = np.nanquantile(np.abs(ahead), 0.65)
        label = np.where(ahead > band, 2, np.where(ahead < -band, 0, 1))
        hidden = self._hidden(table)
        sound = np.isfinite(hidden).all(axis=1) & np.isfinite(ahead)
        self._second = _fit(hidden[sound], label[sound])

    def logits(self, table: np.ndarray) -> np.ndarray:
        """Return what it says of every row, NaN where a row has no past."""
        return self._hidden(table) @ self._second

    def _hidden(self, table: np.ndarray) -> np.ndarray:
        z = np.clip((table - self._centre) / self._scale, -5, 5)
        late = [np.vstack([np.full((lag, z.shape[1]), np.nan), z[: len(z) - lag]]) for lag in LAGS]
        return np.column_stack([np.tanh(np.hstack(late) @ self._first), np.ones(len(z))])


def _fit(hidden: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the weights of a softmax regression with a little shrinkage."""
    classes = np.eye(3)[label]
    shape = (hidden.shape[1], 3)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        p = softmax(hidden @ weights)
        value = -np.log(np.maximum((p * classes).sum(axis=1), 1e-12)).mean()
        slope = hidden.T @ (p - classes) / len(hidden) + 2e-3 * weights
        return value + 1e-3 * (weights**2).sum(), slope.ravel()

    start = np.zeros(shape[0] * shape[1])
    return minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 60}).x.reshape(
        shape
    )


def _answers(head_: Head, table: np.ndarray, bars: Bars) -> Said:
    logits = head_.logits(table)
    rows = np.isfinite(logits).all(axis=1) & np.isfinite(table).all(axis=1)
    return Said(
        table[rows].astype(np.float32),
        logits[rows],
        np.full(int(rows.sum()), bars.symbol),
        bars.time[rows],
    )


def bars(seed: int, streams: int, rows: int, reference: int) -> Sound:
    """Return a fitted head on columns of made bars."""
    train, warm = 6_000, 400
    made = [garch_bars(1_000 * seed + i, rows + warm) for i in range(1, streams + 1)]
    own = garch_bars(1_000 * seed, train + reference + warm)
    feature_set = resolve_feature_set("intraday_31", {}, [own])
    table = build_table(feature_set, own)
    head_ = Head(table[:train], own.close[:train], seed)
    said = _answers(head_, table, own)
    others = tuple(_answers(head_, build_table(feature_set, each), each) for each in made)
    return Sound("bars", said.take(slice(len(said) - reference, None)), others)


# --- real bars -----------------------------------------------------------------------------------

SERIES = {
    "BTC, hours": ("btc_usdt_1h.parquet", 1),
    "crypto, hours": ("crypto_spot_1h_2024.parquet", 20),
    "crypto, 5 minutes": ("crypto_spot_5min_2024.parquet", 3),
    "perpetuals, hours": ("crypto_perp_1h_2023_2025.parquet", 20),
    "SPY, minutes": ("spy_1min.parquet", 1),
    "leveraged funds, minutes": ("etf_1min_2025.parquet", 4),
    "US shares, hours": ("us_equity_1h_1998_2018.parquet", 5),
    "S&P 500, days": ("sp500_daily_2001_2018.parquet", 100),
}
"""File, and how many symbols one model answers for."""


def real(folder: Path, name: str, *, seed: int = 0) -> Iterator[Sound]:
    """Yield models of a series: fitted on its first quarter, judged on what comes after two."""
    file, together = SERIES[name]
    frame = pd.read_parquet(folder / file)
    symbols = sorted(frame["symbol"].unique())
    for first in range(0, min(len(symbols), 3 * together), together):
        chosen = symbols[first : first + together]
        found = [_read(frame, symbol) for symbol in chosen]
        found = [each for each in found if len(each) > 2_000]
        if not found:
            continue
        start, stop = min(b.time[0] for b in found), max(b.time[-1] for b in found)
        cuts = [start + int((stop - start) * share) for share in (0.25, 0.6)]
        feature_set = resolve_feature_set("intraday_31", {}, found)
        tables = [build_table(feature_set, each) for each in found]
        early = [each.time < cuts[0] for each in found]
        pooled = np.concatenate([t[e] for t, e in zip(tables, early, strict=True)])
        closes = np.concatenate([b.close[e] for b, e in zip(found, early, strict=True)])
        head_ = Head(pooled, closes, seed)
        said = [_answers(head_, t, b) for t, b in zip(tables, found, strict=True)]
        whole = joined(said)
        whole = whole.take(np.lexsort((whole.symbol, whole.time)))
        middle = (whole.time >= cuts[0]) & (whole.time < cuts[1])
        yield Sound(
            f"{name}, {len(found)} symbols",
            whole.take(np.flatnonzero(middle)),
            (whole.take(np.flatnonzero(whole.time >= cuts[1])),),
        )


def _read(frame: pd.DataFrame, symbol: str) -> Bars:
    own = frame[frame["symbol"] == symbol]
    factor = own["adj_factor"].to_numpy() if "adj_factor" in own else 1.0
    prices = {k: own[k].to_numpy(np.float64) * factor for k in ("open", "high", "low", "close")}
    time = own["timestamp"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return Bars(symbol=symbol, time=time, volume=own["volume"].to_numpy(np.float64), **prices)
