"""How what a client said differs from what it should have said, in words that name the mistake.

Most mistakes of a client are simple arithmetic: a factor, an offset, a sign, another unit, columns
in another order, everything a bar late. Each is a `Relation` between a column as it came and the
columns as they should be; a `Difference` is what holds of all columns together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_SHOWN = 6
_PARTS = 3
_CLOSE = 0.02


class RelationKind(StrEnum):
    """What a column is of what it should be; of two that fit, the first is the likelier mistake."""

    SAME = "same"
    SCALED = "scaled"
    UNIT = "unit"
    SIGN = "sign"
    SHIFTED = "shifted"
    STANDARDISED = "standardised"
    AFFINE = "affine"
    LATE = "late"
    REVERSED = "reversed"
    TILED = "tiled"
    BLANK = "blank"
    PERMUTED = "permuted"
    CLIPPED = "clipped"
    MIXED = "mixed"
    NOISE = "noise"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Relation:
    """What one column is of what it should be.

    Attributes
    ----------
    kind
        See `RelationKind`; ``unknown`` where there were too few rows.
    factor, offset
        ``said = factor * expected + offset``, for a scaled, shifted, affine or standardised one;
        of a blank one the offset is the constant that it is.
    column
        Place of the column that it is really, for a permuted one.
    rows
        By how many it is late; negative if it is early.
    low, high
        Between which it was clipped.
    weights
        Of a mixed one: of its own row and of the rows before, the newest first.
    mixes_itself
        Whether those rows are of what came, as in an exponential average, and not of what should.
    """

    kind: RelationKind
    factor: float = 1.0
    offset: float = 0.0
    column: int = -1
    rows: int = 0
    low: float = -math.inf
    high: float = math.inf
    weights: tuple[float, ...] = ()
    mixes_itself: bool = False

    def equals(self, other: Relation) -> bool:
        """Whether this is the same mistake, up to the accuracy of its numbers."""
        mine = (self.kind, self.column, self.rows)
        size = max(abs(self.offset), abs(other.offset), 1e-12)
        return (
            mine == (other.kind, other.column, other.rows)
            and abs(self.factor - other.factor) <= _CLOSE * abs(other.factor)
            and abs(self.offset - other.offset) <= _CLOSE * size
        )

    def undoes(self, other: Relation) -> bool | None:
        """Whether this, after the other, is nothing at all; None where that cannot be told."""
        if self.kind in _LINEAR and other.kind in _LINEAR:
            factor = self.factor * other.factor
            offset = self.factor * other.offset + self.offset
            size = max(abs(self.offset), abs(self.factor * other.offset), 1e-12)
            return abs(factor - 1) <= _CLOSE and abs(offset) <= _CLOSE * size
        if self.kind is other.kind is RelationKind.LATE:
            return self.rows == -other.rows
        if RelationKind.SAME in (self.kind, other.kind):
            return self.kind is other.kind
        return None


LINES = frozenset(
    {
        RelationKind.SCALED,
        RelationKind.UNIT,
        RelationKind.SIGN,
        RelationKind.SHIFTED,
        RelationKind.AFFINE,
        RelationKind.STANDARDISED,
    }
)
"""Kinds that are a factor and an offset."""

_LINEAR = LINES | {RelationKind.SAME}


@dataclass(frozen=True)
class Difference:
    """What the columns of some rows are of what they should be.

    Attributes
    ----------
    names
        Of all columns.
    relations
        Of each.
    n
        Rows compared.
    """

    names: tuple[str, ...]
    relations: tuple[Relation, ...]
    n: int

    @property
    def places(self) -> tuple[int, ...]:
        """Of the columns that are not as they should be."""
        fine = (RelationKind.SAME, RelationKind.UNKNOWN)
        return tuple(i for i, each in enumerate(self.relations) if each.kind not in fine)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are not as they should be."""
        return tuple(self.names[i] for i in self.places)

    @property
    def kind(self) -> RelationKind:
        """The kind that most of the wrong columns have; ``same`` where none is wrong."""
        kinds = [self.relations[i].kind for i in self.places]
        return max(kinds, key=kinds.count) if kinds else RelationKind.SAME

    @property
    def named(self) -> bool:
        """Whether some of it is a mistake with a name, and not just different."""
        unnamed = (RelationKind.NOISE, RelationKind.OTHER)
        return any(self.relations[i].kind not in unnamed for i in self.places)

    def equals(self, other: Difference) -> bool:
        """Whether the same columns are wrong in the same way."""
        pairs = zip(self.relations, other.relations, strict=True)
        return all(mine.equals(its) for mine, its in pairs)

    def undoes(self, other: Difference) -> bool | None:
        """Whether this, after the other, leaves everything as it was; None where unknown."""
        if self.places != other.places:
            return False
        if self._exchanges and other._exchanges:
            mine = {i: self.relations[i].column for i in self.places}
            return all(other.relations[mine[i]].column == i for i in self.places)
        told = [self.relations[i].undoes(other.relations[i]) for i in self.places]
        return False if False in told else None if None in told else True

    @property
    def _exchanges(self) -> bool:
        return bool(self.places) and all(
            self.relations[i].kind is RelationKind.PERMUTED for i in self.places
        )

    @property
    def sentence(self) -> str:
        """One sentence for people: which columns arrive how."""
        groups: dict[str, list[str]] = {}
        for i in self.places:
            groups.setdefault(self.phrase(self.relations[i]), []).append(self.names[i])
        if not groups:
            return "all columns are as they should be"
        if len(groups) > _PARTS and self._exchanges:
            return f"columns {_listed(self.columns)} arrive in another order{self._rest()}"
        largest = sorted(groups.items(), key=lambda item: -len(item[1]))
        parts = [f"{self._who(members)} {phrase}" for phrase, members in largest[:_PARTS]]
        more = sum(len(members) for _, members in largest[_PARTS:])
        said = ", ".join(parts) + (f", and {more} more are wrong" if more else "")
        return said + self._rest()

    def _who(self, members: Sequence[str]) -> str:
        if len(members) == 1:
            return f"column {members[0]} arrives"
        whole = len(members) == len(self.names)
        return "all columns arrive" if whole else f"columns {_listed(members)} arrive"

    def _rest(self) -> str:
        wrong, all_of_them = len(self.places), len(self.names)
        return "" if wrong == all_of_them else "; the others are right"

    def phrase(self, of: Relation) -> str:
        """Say how a column of that relation arrives."""
        ends = " and ".join(f"{end:.4g}" for end in (of.low, of.high) if math.isfinite(end))
        constant = "blank" if of.offset == 0 else f"constant at {of.offset:.4g}"
        count = abs(of.rows)
        return _PHRASES[of.kind].format(
            factor=of.factor,
            offset=of.offset,
            name=self.names[of.column] if of.column >= 0 else "",
            rows=f"{count} {'row' if count == 1 else 'rows'} {'late' if of.rows > 0 else 'early'}",
            ends=ends,
            constant=constant,
        )


_PHRASES = {
    RelationKind.SCALED: "x {factor:.4g}",
    RelationKind.UNIT: "in another unit, x {factor:.4g}",
    RelationKind.SIGN: "with the sign turned",
    RelationKind.SHIFTED: "shifted by {offset:+.4g}",
    RelationKind.STANDARDISED: "standardised, which the model does itself",
    RelationKind.AFFINE: "x {factor:.4g} and shifted by {offset:+.4g}",
    RelationKind.LATE: "{rows}",
    RelationKind.REVERSED: "in reversed time order",
    RelationKind.TILED: "as one step repeated",
    RelationKind.BLANK: "{constant}",
    RelationKind.PERMUTED: "with the values of {name}",
    RelationKind.CLIPPED: "clipped at {ends}",
    RelationKind.MIXED: "averaged with the rows before",
    RelationKind.NOISE: "with noise",
    RelationKind.OTHER: "as something else altogether",
}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
