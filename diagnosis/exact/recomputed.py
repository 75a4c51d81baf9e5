"""Is the input what training would have computed? Columns sent against columns computed again.

A client that is wrong from its first row is self-consistent: its windows are what its rows make
them, and nothing in the stream changes. Only the bars know better. Here the rows that were sent and
the rows that training computes of the same bars are laid beside each other, column by column.

Bars are revised: a file read today may differ in a few of them from what a client saw at the time,
and a rolling mean remembers each of them for as long as its memory. So a column counts as wrong
only if it is in four of five rows, in the newest ones too; and where what is wrong with it could be
the trace of a revised bar, only if the rows reach further than such a bar does, and if columns that
forget it sooner are not wrong here and there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydantic import Field

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.finding import Diagnosis, Finding, Level, Verdict
from plumbline.bundle.record import Record
from plumbline.diagnosis.exact.comparison import Scale, tolerance
from plumbline.diagnosis.exact.comparison import compare as name_columns
from plumbline.diagnosis.exact.relation import Relation, RelationKind

MOST: Final = 0.8
"""Share of the rows in which a column must be wrong."""

FEWEST: Final = 20
"""Rows without which nobody is accused."""

MATERIAL: Final = 0.05
"""Standard deviations that a column without a name must be off in the median row."""

_MOST_PARTS = 4
"""Relations that are spelt out."""

_SPANS = (None, 100, 50, FEWEST)
"""Newest rows looked at, all of them first: who broke today was right yesterday."""

Alternatives = Callable[[IntArray], Iterable[tuple[str, FloatArray]]]
"""From places of rows to what may have been sent in their stead: other rows ``(n, f)``, NaN where
there are none, each with what it is, as ``as those of 5 bars before``."""

ANOTHER: Final = "another"
"""Kind of a column that is right for another bar, or another symbol; else a `RelationKind`."""

_TRACES = (
    RelationKind.STANDARDISED,
    RelationKind.SCALED,
    RelationKind.UNIT,
    RelationKind.SHIFTED,
    RelationKind.AFFINE,
)
"""What a revised bar may look like while a rolling mean remembers it."""

_UNNAMED = (RelationKind.NOISE, RelationKind.OTHER, RelationKind.UNKNOWN, RelationKind.SAME)


class ColumnDifference(Record):
    """One column that was sent wrong."""

    column: str
    kind: str = Field(description="A `RelationKind`, or another bar's or symbol's.")
    relation: str = Field(description="How it arrives, as a part of a sentence.")
    share: float = Field(ge=0, le=1, description="Of the rows looked at, those that are wrong.")
    deviations: float = Field(
        ge=0, description="Median difference in standard deviations of the reference."
    )


class Recomputed(Record):
    """What came of computing the newest logged inputs again."""

    model: str
    version: str
    bars: str = Field(description="Where the bars were read.")
    compared: int = Field(ge=0, description="Rows whose bar was found.")
    skipped: dict[str, int] = Field(
        default_factory=dict, description="Rows not compared, by the reason."
    )
    rows: int = Field(0, ge=0, description="Of the rows compared, those that the finding is about.")
    wrong: tuple[ColumnDifference, ...] = ()
    symbols: tuple[str, ...] = Field((), description="Whose rows are wrong; empty: everybody's.")
    clients: tuple[str, ...] = Field((), description="Who sends them; empty: everybody.")
    open: tuple[ColumnDifference, ...] = Field(
        (), description="Columns that differ, but not by enough or for long enough to accuse."
    )
    verdict: str = Field(description="One sentence.")

    @property
    def known(self) -> bool:
        """Whether enough rows were compared to say anything."""
        return self.compared >= FEWEST

    def diagnosis(self) -> Diagnosis | None:
        """Return the client's fault; None where the inputs are equal, or nothing is known."""
        if not self.wrong:
            return None
        finding = Finding(
            name="recomputed_columns",
            level=Level.FAIL,
            value=float(len(self.wrong)),
            threshold=0.0,
            n=self.rows,
            message=self.verdict,
            columns=tuple(each.column for each in self.wrong),
        )
        return Diagnosis(
            verdict=Verdict.SCHEMA_SKEW, cause=self.verdict, findings=(finding,), n=self.rows
        )


@dataclass(frozen=True)
class Pairs:
    """Rows that were sent and the same rows computed again, oldest first.

    Attributes
    ----------
    names
        Of the columns.
    found, expected : (n, f) float64
        What was sent, and what training computes; finite.
    bar : (n,) int64
        Which bar each is about, counted in bars.
    symbol, client : (n,) str
        Whose, and from whom.
    scale
        Of the columns in the reference.
    reach : (f,) int64
        In how many rows a bar shows, its own among them.
    alternatives
        What else the client may have sent.
    """

    names: tuple[str, ...]
    found: FloatArray
    expected: FloatArray
    bar: IntArray
    symbol: np.ndarray
    client: np.ndarray
    scale: Scale
    reach: IntArray
    alternatives: Alternatives = lambda _rows: ()

    def __len__(self) -> int:
        return len(self.found)


@dataclass(frozen=True)
class Comparison:
    """What a comparison has found.

    Attributes
    ----------
    wrong
        Columns that the client is accused of.
    open
        Those that differ without being enough for that.
    symbols, clients
        Whose rows; empty for everybody's.
    rows
        How many rows it is about.
    """

    wrong: tuple[ColumnDifference, ...] = ()
    open: tuple[ColumnDifference, ...] = ()
    symbols: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    rows: int = 0

    def sentence(self, compared: int) -> str:
        """Say it."""
        if compared < FEWEST:
            return (
                f"Unknown: {compared} rows could be computed again, at least {FEWEST} are needed."
            )
        if self.wrong:
            return _accusation(self)
        if self.open:
            return (
                f"{compared} rows are what training computes but for {_listed(self.open)}, which "
                "may be bars that were revised since."
            )
        return f"{compared} rows are what training computes of the same bars."


def compare(pairs: Pairs) -> Comparison:
    """Compare what was sent with what should have been, for everybody, each symbol and client."""
    if len(pairs) < FEWEST:
        return Comparison(rows=len(pairs))
    allowed = tolerance(pairs.expected, pairs.scale.deviation)
    cells: BoolArray = ~(np.abs(pairs.found - pairs.expected) <= allowed)
    everybody = np.arange(len(pairs))
    whole = _judge(pairs, cells, everybody)
    if whole.wrong:
        newest = slice(-whole.rows, None)
        accused = cells[newest][:, [pairs.names.index(each.column) for each in whole.wrong]]
        return replace(
            whole,
            symbols=_guilty(pairs.symbol[newest], accused),
            clients=_guilty(pairs.client[newest], accused),
        )
    for part in ("symbol", "client"):
        found = _each(pairs, cells, getattr(pairs, part), part)
        if found is not None:
            return found
    return whole


def _each(pairs: Pairs, cells: BoolArray, owner: np.ndarray, part: str) -> Comparison | None:
    """Judge each owner's rows apart; those with the fault of the worst are named together."""
    owners, counts = np.unique(owner, return_counts=True)
    if len(owners) < 2:
        return None
    judged: dict[str, Comparison] = {}
    for one in owners[counts >= FEWEST].tolist():
        rows = np.flatnonzero(owner == one)
        if _mostly(cells[rows[-FEWEST:]]).any():
            found = _judge(pairs, cells, rows)
            if found.wrong:
                judged[str(one)] = found
    if not judged:
        return None
    worst = max(judged.values(), key=lambda each: (len(each.wrong), each.rows))
    accused = {each.column for each in worst.wrong}
    guilty = tuple(
        one for one, each in judged.items() if accused & {wrong.column for wrong in each.wrong}
    )
    rows_in_all = sum(judged[one].rows for one in guilty)
    if part == "symbol":
        return replace(worst, rows=rows_in_all, symbols=guilty)
    return replace(worst, rows=rows_in_all, clients=guilty)


def _judge(pairs: Pairs, cells: BoolArray, rows: IntArray) -> Comparison:
    """Judge some rows: all of them, or else the newest, where a client broke lately."""
    now = _mostly(cells[rows[-FEWEST:]])
    doubtful: tuple[ColumnDifference, ...] = ()
    for span in _SPANS:
        if not now.any() or len(rows) < (span or FEWEST):
            continue
        some = rows if span is None else rows[-span:]
        columns = now & _mostly(cells[some])
        if not columns.any():
            continue
        differences = list(_differences(pairs, cells, some, columns))
        wrong = tuple(each for each, accused in differences if accused)
        if wrong:
            return Comparison(wrong, rows=len(some))
        doubtful = doubtful or tuple(each for each, _ in differences)
    return Comparison(open=doubtful, rows=len(rows))


def _differences(
    pairs: Pairs, cells: BoolArray, rows: IntArray, columns: BoolArray
) -> Iterator[tuple[ColumnDifference, bool]]:
    """Yield what is known of each column, and whether it is enough to accuse the client."""
    found, expected = pairs.found[rows], pairs.expected[rows]
    named = _name(pairs, rows, columns)
    moving = np.ptp(expected, axis=0) > 0
    everywhere = 2 * sum(kind in _TRACES for kind, _ in named.values()) > moving.sum()
    own = _beyond_one_bar(pairs, rows) & ~_after_revised_bars(pairs, cells[rows])
    for j, (kind, text) in named.items():
        off = np.median(np.abs(found[:, j] - expected[:, j])) / pairs.scale.deviation[j]
        difference = ColumnDifference(
            column=pairs.names[j],
            kind=kind,
            relation=text,
            share=float(cells[rows, j].mean()),
            deviations=float(off),
        )
        if kind in _UNNAMED:
            yield difference, bool(own[j]) and difference.deviations >= MATERIAL
        else:
            yield difference, kind not in _TRACES or bool(own[j]) or everywhere


def _name(pairs: Pairs, rows: IntArray, columns: BoolArray) -> dict[int, tuple[str, str]]:
    """Return the kind of each wrong column's difference, and how the column arrives.

    Whole rows of another bar are looked for first, then columns: one of the clock is another one
    some hours ago.
    """
    wrong = np.flatnonzero(columns).tolist()
    explained = _explained(pairs, rows, columns)
    symbols = np.unique(pairs.symbol[rows], return_inverse=True)[1]
    difference = name_columns(
        pairs.found[rows], pairs.expected[rows], pairs.names, pairs.scale, symbols
    )
    named: dict[int, tuple[str, str]] = {}
    for j in wrong:
        relation: Relation = difference.relations[j]
        others = [each for each in explained if j in each.columns]
        whole = bool(others) and others[0].whole and relation.kind is not RelationKind.BLANK
        if others and (whole or relation.kind in _UNNAMED):
            named[j] = ANOTHER, others[0].text
        else:
            named[j] = relation.kind.value, difference.phrase(relation)
    return named


@dataclass(frozen=True)
class _Explained:
    """Which wrong columns an alternative makes right, and whether it is what was sent."""

    text: str
    columns: frozenset[int]
    whole: bool


def _explained(pairs: Pairs, rows: IntArray, wrong: BoolArray) -> list[_Explained]:
    """Return what each alternative makes right; whole rows first, and what explains the most.

    It is whole rows if it explains half of the wrong columns, and more than it would break.
    """
    sent, found = pairs.found[rows], []
    for text, other in pairs.alternatives(rows):
        right = np.abs(sent - other) <= tolerance(other, pairs.scale.deviation)
        same = right.mean(axis=0) >= MOST
        mended, broken = same & wrong, ~same & ~wrong
        if mended.any():
            whole = 2 * mended.sum() >= wrong.sum() and mended.sum() > broken.sum()
            columns = frozenset(np.flatnonzero(mended).tolist())
            found.append(_Explained(text, columns, bool(whole)))
    return sorted(found, key=lambda each: (not each.whole, -len(each.columns)))


def _beyond_one_bar(pairs: Pairs, rows: IntArray) -> BoolArray:
    """Whether the rows reach further than one bar does, column by column: ``(f,)``.

    To be wrong in most rows of a longer stretch, or in those of two symbols, it takes another bar.
    """
    stretches = np.zeros(len(pairs.names))
    for symbol in np.unique(pairs.symbol[rows]):
        own = pairs.bar[rows[pairs.symbol[rows] == symbol]]
        stretches += 1 + (own.max() - own.min()) // np.maximum(pairs.reach / MOST, 1)
    beyond: BoolArray = stretches >= 2
    return beyond


def _after_revised_bars(pairs: Pairs, cells: BoolArray) -> BoolArray:
    """Whether columns of shorter memory are wrong here and there: ``(f,)``.

    That is what bars do that were revised within these rows, and what remembers them for longer is
    wrong for longer. The newest row is left out: its bar may not have been complete in the file.
    """
    share = cells[:-1].mean(axis=0)
    spotted = pairs.reach[(share > 0) & (share < MOST)]
    shortest = spotted.min() if len(spotted) else np.inf
    after: BoolArray = pairs.reach > shortest
    return after


def _mostly(cells: BoolArray) -> BoolArray:
    share: BoolArray = cells.mean(axis=0) >= MOST
    return share


def _guilty(owner: np.ndarray, cells: BoolArray) -> tuple[str, ...]:
    """Return whose rows are wrong; nobody in particular if everybody's are."""
    owners = np.unique(owner)
    wrong = [str(one) for one in owners if _mostly(cells[owner == one]).any()]
    return () if len(wrong) == len(owners) else tuple(wrong)


def _accusation(found: Comparison) -> str:
    """Say which columns arrive how, those of one relation together."""
    moved = [each for each in found.wrong if each.kind == RelationKind.PERMUTED]
    parts = []
    if len(moved) > 2:
        first = f"{moved[0].column} {moved[0].relation}"
        parts = [f"{len(moved)} columns arrive in another order ({first}, and so on)"]
    together: dict[str, list[str]] = {}
    for each in found.wrong:
        if each not in moved or not parts:
            together.setdefault(each.relation, []).append(each.column)
    by_size = sorted(together.items(), key=lambda item: -len(item[1]))
    parts += [
        f"{_names(columns)} {'arrives' if len(columns) == 1 else 'arrive'} {relation}"
        for relation, columns in by_size[:_MOST_PARTS]
    ]
    if rest := sum(len(columns) for _, columns in by_size[_MOST_PARTS:]):
        parts.append(f"and {rest} more are wrong")
    of = f" of {_names(list(found.symbols))}" if found.symbols else ""
    of += f" from {_names(list(found.clients))}" if found.clients else ""
    return (
        f"The inputs{of} are not what training computes of the same bars, in {found.rows} rows: "
        f"{'; '.join(parts)}."
    )


def _listed(differences: tuple[ColumnDifference, ...]) -> str:
    return _names([each.column for each in differences])


def _names(names: list[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
