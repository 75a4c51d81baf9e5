"""Rows of the prediction log beside the bars they are about: what was sent, what should have been.

Both are laid out in the same way whatever a model takes: columns, or the bars they are computed
from. So one comparison, `diagnosis.exact.recomputed`, serves both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.inputs import parse_inputs
from plumbline.bundle.spec import InputSpec
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.diagnosis.exact.recomputed import Pairs
from plumbline.store.prediction import PredictionBatch
from plumbline.training.bar_layout import key_of
from plumbline.training.bars import COLUMNS
from plumbline.training.data import UNNAMED

LATEST: Final = 60
"""How many bars late a feed is looked for, bar by bar."""

EARLIEST: Final = 3
_HOURS = 24
_HOUR = 3_600_000_000
_MOST_OTHERS = 20


@dataclass(frozen=True)
class Sheet:
    """What every bar of a symbol should give.

    Attributes
    ----------
    time : (n,) int64
        Open times of the bars, ascending.
    values : (n, f) float64
        A row a bar; NaN where it cannot be computed.
    mirror : (n, f) float64
        The same of the market quoted the other way round.
    interval
        Of the bars, microseconds.
    """

    time: IntArray
    values: FloatArray
    mirror: FloatArray
    interval: int

    def places(self, time: IntArray) -> IntArray:
        """Return where these bars stand, -1 for those that are not here."""
        place = np.searchsorted(self.time, time)
        inside = np.minimum(place, len(self.time) - 1)
        return np.where(self.time[inside] == time, inside, -1)

    def at(self, places: IntArray, *, mirrored: bool = False) -> FloatArray:
        """Return the rows at these places, NaN where there are none: ``(n, f)``."""
        values = self.mirror if mirrored else self.values
        inside = (places >= 0) & (places < len(values))
        rows: FloatArray = values[np.where(inside, places, 0)].copy()
        rows[~inside] = np.nan
        return rows


@dataclass(frozen=True)
class Sent:
    """Rows as they were sent, oldest first.

    Attributes
    ----------
    values : (n, f) float64
        What was sent.
    time : (n,) int64
        Open time of the bar each is about, -1 where nobody said.
    symbol, client : (n,) str
        Whose, by the model's name of it or else as sent; and from whom.
    """

    values: FloatArray
    time: IntArray
    symbol: np.ndarray
    client: np.ndarray

    def take(self, rows: IntArray) -> Sent:
        """Return the rows at these places."""
        return Sent(self.values[rows], self.time[rows], self.symbol[rows], self.client[rows])


def sent_columns(batch: PredictionBatch, known: Sequence[str]) -> Sent:
    """Return the last step of every row."""
    return Sent(
        batch.features.astype(np.float64),
        batch.bar_time,
        np.array(known_symbols(batch.symbol, known)),
        batch.client,
    )


def sent_bars(batch: PredictionBatch, spec: InputSpec, known: Sequence[str]) -> Sent:
    """Return every bar of the windows that were kept, each once, as it was last sent."""
    kept = [i for i, window in enumerate(batch.window) if window is not None]
    symbols = known_symbols(batch.symbol, known)
    last: dict[tuple[str, str, int], FloatArray] = {}
    if kept:
        windows = parse_inputs([spec], [batch.window[i] for i in kept])[spec.name]
        for i, window in zip(kept, windows, strict=True):
            for row in window:
                last[symbols[i], str(batch.client[i]), round(float(row[0]) * 1e6)] = row[1:]
    order = sorted(last, key=lambda key: key[2])
    values = [last[key] for key in order] or np.empty((0, len(COLUMNS)))
    return Sent(
        np.asarray(values, np.float64),
        np.array([time for _, _, time in order], np.int64),
        np.array([symbol for symbol, _, _ in order], dtype=object),
        np.array([client for _, client, _ in order], dtype=object),
    )


def known_symbols(sent: np.ndarray, known: Sequence[str]) -> list[str]:
    """Return the model's names of symbols, however clients spell them.

    A client that names none of a model's only symbol means that one.
    """
    by_key = {key_of(name): name for name in known}
    if len(known) == 1:
        by_key |= {"": known[0], key_of(UNNAMED): known[0]}
    return [by_key.get(key_of(str(name)), str(name)) for name in sent]


def newest_each(sent: Sent, rows: int) -> Sent:
    """Return the newest rows of each symbol, a bar once for each client, oldest first."""
    last = {
        (str(symbol), str(client), int(time) if time >= 0 else -1 - i): i
        for i, (symbol, client, time) in enumerate(
            zip(sent.symbol, sent.client, sent.time, strict=True)
        )
    }
    each: Counter[str] = Counter()
    chosen = []
    for i in sorted(last.values(), reverse=True):
        each[str(sent.symbol[i])] += 1
        if each[str(sent.symbol[i])] <= rows:
            chosen.append(i)
    return sent.take(np.array(chosen[::-1], np.int64))


def lay_beside(
    sent: Sent,
    sheets: Mapping[str, Sheet],
    names: tuple[str, ...],
    scale: Scale,
    reach: IntArray,
) -> tuple[Pairs, dict[str, int]]:
    """Match rows with the bars they are about, by symbol and time.

    Returns
    -------
    Pairs, dict of str to int
        The rows that have a counterpart, and how many have none, by the reason.
    """
    place = np.full(len(sent.time), -1, np.int64)
    skipped: Counter[str] = Counter()
    for symbol in np.unique(sent.symbol.astype(str)):
        own = sent.symbol == symbol
        if symbol not in sheets:
            skipped["of a symbol that the model does not know"] += int(own.sum())
        else:
            place[own] = sheets[symbol].places(sent.time[own])
    unsaid = sent.time < 0
    place[unsaid] = -1
    known = np.isin(sent.symbol.astype(str), list(sheets))
    skipped["that do not say which bar they are about"] += int((unsaid & known).sum())
    skipped["whose bar is not among the bars"] += int(((place < 0) & ~unsaid & known).sum())
    expected = np.full_like(sent.values, np.nan)
    for symbol, sheet in sheets.items():
        own = (sent.symbol == symbol) & (place >= 0)
        if own.any():
            expected[own] = sheet.at(place[own])
    whole = (place >= 0) & np.isfinite(expected).all(axis=1)
    skipped["whose bar has too few before it"] += int(((place >= 0) & ~whole).sum())
    finite = np.isfinite(sent.values).all(axis=1)
    skipped["that are not finite"] += int((whole & ~finite).sum())
    rows = np.flatnonzero(whole & finite)
    places, symbols = place[rows], sent.symbol[rows]
    pairs = Pairs(
        names=names,
        found=sent.values[rows],
        expected=expected[rows],
        bar=places,
        symbol=symbols,
        client=sent.client[rows],
        scale=scale,
        reach=reach,
        alternatives=lambda some: _alternatives(sheets, symbols[some], places[some]),
    )
    return pairs, {reason: count for reason, count in skipped.items() if count}


def _alternatives(
    sheets: Mapping[str, Sheet], symbol: np.ndarray, place: IntArray
) -> Iterator[tuple[str, FloatArray]]:
    """Yield what clients send by mistake: another bar, the other way round, another symbol."""
    used = {name: sheet for name, sheet in sheets.items() if (symbol == name).any()}
    interval = next(iter(used.values())).interval
    hours = [_HOUR * hour // interval for hour in range(1, _HOURS + 1) if interval < _HOUR]
    late = sorted({*range(1, LATEST + 1), *hours} - {0})
    for bars in (*late, *range(-1, -EARLIEST - 1, -1)):
        text = (
            f"as those of {abs(bars)} {'bar' if abs(bars) == 1 else 'bars'} "
            f"{'before' if bars > 0 else 'after'} the one they are said to be about"
        )
        yield text, _gather(used, symbol, place - bars)
    yield (
        "as those of prices quoted the other way round",
        _gather(used, symbol, place, mirrored=True),
    )
    for other in list(sheets)[:_MOST_OTHERS] if len(sheets) > 1 else ():
        found = np.full((len(place), sheets[other].values.shape[1]), np.nan)
        for name, sheet in used.items():
            if name != other:
                own = symbol == name
                time = sheet.time[place[own]]
                found[own] = sheets[other].at(sheets[other].places(time))
        yield f"as those of {other}", found


def _gather(
    sheets: Mapping[str, Sheet], symbol: np.ndarray, place: IntArray, *, mirrored: bool = False
) -> FloatArray:
    width = next(iter(sheets.values())).values.shape[1]
    found = np.full((len(place), width), np.nan)
    for name, sheet in sheets.items():
        own = symbol == name
        found[own] = sheet.at(place[own], mirrored=mirrored)
    return found
