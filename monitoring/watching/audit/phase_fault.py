"""Putting columns that are not of the time of their bar into a sentence and a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.diagnosis.exact.comparison import Scale, compare
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind
from plumbline.monitoring.watching.audit.client_fault import ClientFault, finding
from plumbline.monitoring.watching.audit.scope import Scope, who
from plumbline.monitoring.watching.audit.time_table import DAY, WEEK


@dataclass(frozen=True)
class Instead:
    """What the columns of the time are instead.

    Attributes
    ----------
    said
        As it goes on after "are those of".
    bars
        How many bars that is late; zero for no time.
    relations
        Of each of the columns.
    """

    said: str
    bars: float
    relations: Sequence[Relation]


def another_time(shift: int, interval: int, columns: int) -> Instead:
    """Call a number of columns those of another time, so many microseconds earlier."""
    bars = shift / interval
    ago = f"{_span(abs(shift))} {'earlier' if shift > 0 else 'later'}"
    whole = abs(bars - round(bars)) < 1e-6
    late = "late" if shift > 0 else "early"
    count = f"{abs(bars):.0f} bar{'' if abs(round(bars)) == 1 else 's'} {late}"
    feed = f"the feed is {count}, or its clock is" if whole else "its clock is"
    said = f"{ago} than the bar that each row says it is about: {feed} in another time zone"
    return Instead(said, bars, [Relation(RelationKind.LATE, rows=round(bars))] * columns)


def no_time(
    rows: Sequence[tuple[FloatArray, FloatArray]], names: Sequence[str], scale: Scale, period: int
) -> Instead:
    """Call columns those of no time, and say what they are of what they should be.

    Parameters
    ----------
    rows
        As they came, and as they should be: ``(k,)`` each.
    names, scale
        Of these columns.
    period
        In which there is no such time.
    """
    came, right = (np.array(each) for each in zip(*rows, strict=True))
    found = compare(came, right, names, scale)
    of = "week" if period == WEEK else "day"
    return Instead(f"no time of the {of}: {found.sentence}", 0.0, found.relations)


def phase_fault(
    scope: Scope,
    called: Instead,
    names: Sequence[str],
    places: IntArray,
    *,
    row: int,
    rows: int,
) -> ClientFault:
    """Return the fault.

    Parameters
    ----------
    scope
        Whose it is.
    called
        What the columns are instead.
    names, places
        Of all columns, and which of them are meant.
    row, rows
        Place of the row at which it was confirmed, and how many there were.
    """
    client, symbol = scope
    relations = [Relation(RelationKind.SAME)] * len(names)
    for j, relation in zip(places.tolist(), called.relations, strict=True):
        relations[j] = relation
    columns = tuple(names[j] for j in places.tolist())
    cause = f"Columns {', '.join(columns)}{who(client, symbol)} are those of {called.said}."
    return ClientFault(
        symbol=symbol,
        client=client,
        row=row,
        since_rows=rows,
        kind="phase",
        cause=cause,
        columns=columns,
        finding=finding("bar_phase", called.bars, rows, cause, columns),
        difference=Difference(tuple(names), tuple(relations), rows),
    )


def _span(microseconds: int) -> str:
    """Return a span of time in its largest whole unit."""
    for unit, size in (("day", DAY), ("hour", 3_600_000_000), ("minute", 60_000_000)):
        if microseconds % size == 0:
            count = microseconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{microseconds / 1e6:g} seconds"
