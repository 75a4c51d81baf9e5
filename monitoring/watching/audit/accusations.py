"""From suspicions to accusations: of a symbol, or of all that a client sends; each made once.

Each stands until it is over (`accusation.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.exact.comparison import FEWEST, MOST, Scale, compare
from plumbline.diagnosis.exact.relation import Difference, Relation, RelationKind
from plumbline.monitoring.watching.audit.accusation import Accusation, Heard
from plumbline.monitoring.watching.audit.certainty import another_time, no_revision
from plumbline.monitoring.watching.audit.client_fault import (
    ClientFault,
    ClientFaultKind,
    Faults,
    finding,
)
from plumbline.monitoring.watching.audit.look import TRACE, Look
from plumbline.monitoring.watching.audit.scope import (
    Covers,
    Scope,
    everybody,
    make_room,
    scope_of,
    who,
    without,
)
from plumbline.monitoring.watching.audit.suspicion import Suspicion, kind_of
from plumbline.monitoring.watching.audit.way_back import leads_back

_RECENT = 20
_CLIENTS = 64
_FEW = 0.25
_HEARD = 0.8
_WITHIN = 4.0


@dataclass
class _Client:
    """What is known of all symbols of one client together.

    Attributes
    ----------
    wrong
        Whole windows that are wrong and have not led to an accusation, the newest.
    right, missed
        By symbol, the newest bar whose window was what it should be, or was not.
    """

    wrong: deque[Look] = field(default_factory=lambda: deque(maxlen=_RECENT))
    right: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)

    def all_wrong(self) -> bool:
        """Whether several symbols are wrong, and nearly all of those heard of since."""
        symbols = {each.symbol for each in self.wrong}
        if len(symbols) < 2:
            return False
        border = min(each.newest_off for each in self.wrong)
        oldest = min(int(each.bars[0]) for each in self.wrong)
        symbols.update(name for name, bar in self.missed.items() if bar > border)
        right = sum(bar > border and name not in symbols for name, bar in self.right.items())
        active = sum(bar >= oldest for bar in self.right.values())
        return right <= _FEW * len(symbols) and len(symbols) + right >= _HEARD * active

    def drop(self, symbol: str) -> None:
        """Forget the wrong windows of a symbol that has been accused alone."""
        kept = [each for each in self.wrong if each.symbol != symbol]
        self.wrong.clear()
        self.wrong.extend(kept)


class Accusations(Faults):
    """What the clients of one version are accused of.

    Parameters
    ----------
    names, scale
        Of the columns.
    steps
        Of a window.
    timed
        Places of the columns that the time decides.
    """

    def __init__(
        self, names: tuple[str, ...], scale: Scale, steps: int, timed: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self._names = names
        self._scale = scale
        self._steps = steps
        self._timed = timed
        self._clients: dict[str, _Client] = {}
        self._made: dict[Scope, Accusation] = {}
        self._known: dict[tuple[tuple[str, int], ...], bool] = {}
        self._borders: dict[Scope, int] = {}

    def forget(self, covers: Covers = everybody) -> None:
        """Withdraw what is held against some: somebody has accepted their inputs as they are."""
        self._made = without(self._made, covers)
        for client, known in list(self._clients.items()):
            if covers((client, "")):
                del self._clients[client]
                continue
            for symbol in {each.symbol for each in known.wrong}:
                if covers(scope_of(symbol)):
                    known.drop(symbol)

    @property
    def open(self) -> bool:
        """Whether anything stands."""
        return bool(self._made)

    def settled(self, symbol: str, bar: int) -> bool:
        """Whether what is wrong with steps as old as this bar has been told already."""
        return bool(self._borders) and any(
            bar <= self._borders.get(scope, -1) for scope in _scopes(symbol)
        )

    def agree(self, symbol: str, bar: int, row: int, number: int, *, window: bool) -> None:
        """Take note that a symbol's row of this number has the history it should have."""
        right = self._client(symbol).right
        if symbol not in right:
            make_room(right)
        right[symbol] = bar
        for scope, made in self._made_of(symbol):
            made.agree(number, apart=scope[1] != "", window=window)
            if made.over:
                self._end(scope, row)

    def disagree(self, symbol: str, bar: int) -> None:
        """Take note that it is not."""
        missed = self._client(symbol).missed
        if symbol not in missed:
            make_room(missed)
        missed[symbol] = bar
        for _, made in self._made_of(symbol):
            made.disagree()

    def go_back(self, seen: Look, row: int) -> bool:
        """Take note of a window; tell if it says of the bars before a change what was said then.

        One whose steps since, put through the change, are what was sent ends it by itself.
        """
        found = False
        for scope, made in self._made_of(seen.symbol):
            back = made.go_back(seen)
            found |= back
            if (back and made.over) or self._shows_the_end(made, seen):
                self._end(scope, row, until=seen.bar if back else seen.newest_off)
        return found

    def _shows_the_end(self, made: Accusation, seen: Look) -> bool:
        """Whether one window, with steps enough, is the way back from a change."""
        first = made.fault.difference
        if made.fault.kind != "change" or first is None or seen.off.sum() < FEWEST:
            return False
        return leads_back(first, [seen], self._scale)

    def follow(self, symbol: str, bar: int, row: int) -> None:
        """Take note of a row that goes on from its symbol's last whole window."""
        for scope, made in self._made_of(symbol):
            made.follow()
            if made.over:
                self._end(scope, row, until=bar)

    @property
    def listening(self) -> bool:
        """Whether `hear` can end anything."""
        return bool(self._made) and any(made.constants for made in self._made.values())

    def hear(self, rows: Heard) -> None:
        """Take note of last steps, in which columns that stood still may move again."""
        scopes = [_scopes(name) for name in rows.names]
        for scope, made in list(self._made.items()):
            end = made.hear(rows, [scope in each for each in scopes], self._scale)
            if end is not None:
                self._end(scope, end, until=made.still_bar)

    def _made_of(self, symbol: str) -> list[tuple[Scope, Accusation]]:
        """Return what stands against a symbol, and against all of its client."""
        if not self._made:
            return []
        return [(each, self._made[each]) for each in _scopes(symbol) if each in self._made]

    def _client(self, symbol: str) -> _Client:
        name = scope_of(symbol)[0]
        known = self._clients.get(name)
        if known is None:
            make_room(self._clients, _CLIENTS)
            known = self._clients[name] = _Client()
        return known

    def see(self, seen: Look) -> None:
        """Remember a whole window that is wrong among those of its client."""
        self._client(seen.symbol).wrong.append(seen)

    def judge(self, suspicion: Suspicion, row: int, number: int, *, window: bool) -> bool:
        """Accuse a symbol, or its client, if what is known is enough; returns whether it was.

        Others of the client are looked at only where there is a new whole window.
        """
        client, symbol = scope_of(suspicion.symbol)
        known = self._client(suspicion.symbol)
        wrong: Sequence[Look] = list(known.wrong) if window and known.all_wrong() else []
        kind = kind_of(wrong, self._certain, apart=self._steps // 2)
        if kind is not None:
            symbol = ""
        else:
            wrong = suspicion.wrong
            kind = suspicion.kind(self._certain)
        if kind is None:
            return False
        if all(self.settled(each.symbol, each.newest_off) for each in wrong):
            return True
        onset = suspicion.since
        if kind == "change" and symbol:
            onset = wrong[0].number - int((wrong[0].bars > wrong[0].newest_off).sum())
        self._accuse((client, symbol), kind, wrong, row, number - onset + 1)
        return True

    def _certain(self, wrong: Sequence[Look]) -> bool:
        """Whether a change is none that a revised bar makes."""
        key = tuple((each.symbol, each.number) for each in wrong)
        if key not in self._known:
            rows = _rows("change", wrong)
            found = self._compare(rows, fewest=TRACE)
            make_room(self._known)
            said, expected = rows.said, rows.expected
            certain = no_revision(found, said, expected, self._scale) or another_time(
                said[rows.sure], expected[rows.sure], self._scale, self._timed
            )
            self._known[key] = certain or self._leads_back(found, wrong)
        return self._known[key]

    def _leads_back(self, difference: Difference, wrong: Sequence[Look]) -> bool:
        """Whether it undoes a change that stands, as no revised bar does."""
        made = [each.fault.difference for _, each in self._made_of(wrong[0].symbol)]
        known = [each for each in made if each is not None]
        return any(self._undone(first, difference, wrong) for first in known)

    def _accuse(
        self,
        scope: Scope,
        kind: ClientFaultKind,
        wrong: Sequence[Look],
        row: int,
        since: int,
    ) -> None:
        rows = _rows(kind, wrong)
        difference = self._compare(rows, fewest=min(FEWEST, len(rows.said)))
        make_room(self._borders)
        self._borders[scope] = max(each.newest_off for each in wrong)
        for before in (scope, (scope[0], "")):
            made = self._made.get(before)
            if made is None or made.fault.difference is None:
                continue
            first = made.fault.difference
            if kind == "change" and self._undone(first, difference, wrong):
                self._end(before, row)
                self._borders[before] = self._borders[scope]
                return
            same_kind = made.fault.kind == kind
            if same_kind and (kind == "history" or difference.equals(first)):
                return
        fault = self._fault(scope, kind, difference, row=row, since=since)
        other = self._made.pop(scope, None)
        if other is not None and other.fault.kind != kind:
            self._over.append(replace(other.fault, row=row))
        make_room(self._made)
        self._made[scope] = Accusation(fault, self._borders[scope])
        if scope[1]:
            self._client(wrong[0].symbol).drop(wrong[0].symbol)
        else:
            self._clients.pop(scope[0], None)
            for client, symbol in list(self._made):
                if client == scope[0] and symbol:
                    self._over.append(replace(self._made.pop((client, symbol)).fault, row=row))
        self._found.append(fault)

    def _end(self, scope: Scope, row: int, *, until: int = -1) -> None:
        """Close an accusation; one of a client closes those of its symbols.

        What was wrong with steps up to the bar ``until`` has then been told.
        """
        self._borders[scope] = max(self._borders[scope], until)
        for client, symbol in list(self._made):
            if client == scope[0] and scope[1] in ("", symbol):
                made = self._made.pop((client, symbol))
                self._over.append(replace(made.fault, row=row))
        self._clients.pop(scope[0], None)

    def _undone(self, first: Difference, second: Difference, wrong: Sequence[Look]) -> bool:
        """Whether a second change leads back; from a constant, to numbers as in the reference."""
        told = leads_back(first, wrong, self._scale) or second.undoes(first)
        if told is not None:
            return told
        blank = RelationKind.BLANK
        constant = [
            j
            for j in first.places
            if first.relations[j].kind is blank and second.relations[j].kind is not blank
        ]
        if list(first.places) != constant:
            return False
        said = np.concatenate([each.said for each in wrong])[:, constant]
        far = np.abs(said - self._scale.mean[constant]) / self._scale.deviation[constant]
        return bool((np.nanmedian(far, axis=0) < _WITHIN).all())

    def _compare(self, rows: _Rows, *, fewest: int) -> Difference:
        """Name how the steps differ from what had been sent."""
        if rows.tiled:
            relations = tuple(Relation(RelationKind.TILED) for _ in self._names)
            return Difference(self._names, relations, len(rows.said))
        return compare(
            rows.said, rows.expected, self._names, self._scale, rows.stretch, fewest=fewest
        )

    def _fault(
        self,
        scope: Scope,
        kind: ClientFaultKind,
        difference: Difference,
        *,
        row: int,
        since: int,
    ) -> ClientFault:
        client, symbol = scope
        whose = who(client, symbol)
        if kind == "change":
            cause = (
                f"For {since} rows the inputs{whose} have been others: held against what was sent "
                f"of the same bars before, {difference.sentence}."
            )
        else:
            cause = (
                f"The history in the windows{whose} is not what was sent when its bars were the "
                f"newest: {difference.sentence}."
            )
        columns = () if len(difference.places) == len(self._names) else difference.columns
        return ClientFault(
            symbol=symbol,
            client=client,
            row=row,
            since_rows=since,
            kind=kind,
            cause=cause,
            columns=columns,
            finding=finding(f"window_{kind}", float(since), difference.n, cause, columns),
            difference=difference,
            verdict=_verdict(kind, difference),
        )


def _verdict(kind: ClientFaultKind, difference: Difference) -> Verdict:
    """Return the verdict: columns that now stand still are stale, all else is skewed."""
    still = [
        each.kind is RelationKind.BLANK and each.offset != 0
        for each in (difference.relations[j] for j in difference.places)
    ]
    stale = kind == "change" and bool(still) and all(still)
    return Verdict.STALE_FEATURES if stale else Verdict.SCHEMA_SKEW


@dataclass(frozen=True)
class _Rows:
    """Steps of wrong windows that tell what is wrong with them; ``stretch`` is the window.

    ``sure`` are those whose place is certain.
    """

    said: np.ndarray
    expected: np.ndarray
    stretch: np.ndarray
    sure: np.ndarray
    tiled: bool


def _rows(kind: ClientFaultKind, wrong: Sequence[Look]) -> _Rows:
    """Collect steps: of a change all before its border, else all, or those that are off."""
    said, expected, stretch, sure = [], [], [], []
    for place, each in enumerate(wrong):
        use = each.sure if each.sure.sum() >= FEWEST else np.ones(len(each.sure), bool)
        if kind == "change":
            use = use & (each.bars <= each.newest_off)
        elif each.share < MOST:
            use = use & each.off
        said.append(each.said[use])
        expected.append(each.expected[use])
        stretch.append(np.full(int(use.sum()), place))
        sure.append(each.sure[use])
    return _Rows(
        np.concatenate(said),
        np.concatenate(expected),
        np.concatenate(stretch),
        np.concatenate(sure),
        tiled=kind == "history" and all(_tile(part) for part in said),
    )


def _tile(part: np.ndarray) -> bool:
    """Whether one step is repeated, and not a blank one."""
    return len(part) > 1 and bool((np.ptp(part, axis=0) == 0).all() and part.any())


def _scopes(symbol: str) -> tuple[Scope, Scope]:
    client, own = scope_of(symbol)
    return (client, own), (client, "")
