"""The exact checks of one version's stream, put together: what they say, and at which row.

Arithmetic goes first. Windows are made again from the log (`history.py`), what should have been
answered to them is computed (`replay.py`), and the graph is held against its own reference
(`intact.py`, `gate_check.py`). What differs is somebody's fault whatever it looks like. What does
not differ clears the model.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Mapping

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Finding, Level
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.exact.facts import Exact
from plumbline.diagnosis.sample import Context
from plumbline.monitoring.watching.audit.account import Others
from plumbline.monitoring.watching.audit.answer_fault import Checked
from plumbline.monitoring.watching.audit.client_fault import ClientFault
from plumbline.monitoring.watching.audit.gate_check import missed_by_the_gate
from plumbline.monitoring.watching.audit.history import History
from plumbline.monitoring.watching.audit.notice import Notice
from plumbline.monitoring.watching.audit.probe import MOST_ROWS, Probed
from plumbline.monitoring.watching.audit.rebuilt import Rebuilt
from plumbline.monitoring.watching.audit.replay import Replay
from plumbline.monitoring.watching.audit.scope import Covers, everybody, make_room
from plumbline.monitoring.watching.audit.tally import Tally
from plumbline.store.prediction import PredictionBatch

ENOUGH = 8
"""Right replays before answers are said to be the version's."""

NEWEST = 100
"""Rows of a symbol that those may be among."""

GATE_REPLAYS = 5
"""Right replays before the artefact itself is blamed for what it answers."""

GATE_ROWS = 60
"""Rows after which it is in cross-sections, replayed or not: they are replayed whole or not at all,
which may take a window of every symbol, and its own reference needs no live row."""

_SYMBOLS = 20


class Auditor:
    """Checks what arithmetic can check of a version's rows.

    Parameters
    ----------
    bundle, context
        The version, and what its rows are held against.
    others
        Opens the versions whose answers a faulty server may give, if they are wanted.
    """

    def __init__(self, bundle: Bundle, context: Context, *, others: Others | None = None) -> None:
        self._bundle = bundle
        self._context = context
        self._history = History(bundle.manifest, bundle.reference)
        self._replay = Replay(bundle, others=others)
        self._artefact = self._innate = False
        self._gate_checked = False
        self._faults: dict[tuple[str, str, str], ClientFault] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._windows: deque[Mapping[str, FloatArray]] = deque()
        self._rows = self._right = 0
        self.tally = Tally.empty()

    def take(self, batch: PredictionBatch) -> list[Notice]:
        """Check rows, oldest in the log first, retries and stragglers too; cross-sections whole."""
        rebuilt = self._history.take(batch)
        checked = self._replay.check(batch, rebuilt)
        faults = self._history.findings()
        notices = [
            *self._of_answers(len(batch)),
            *self._of_inputs(faults),
            *self._of_gate(checked, len(batch)),
        ]
        self._note(batch)
        self._keep(rebuilt)
        self.tally.add("answers", len(checked.rows), int(checked.differs.sum()))
        self.tally.add("readings", len(batch), len(checked.misread))
        self.tally.add("windows", len(rebuilt), len(faults))
        return sorted(notices, key=lambda notice: notice.place)

    def exact(self, symbols: Collection[str] = ()) -> Exact:
        """Say what is known of the newest rows of some symbols, or of all."""
        asked = (list(symbols) or list(self._seen)[::-1])[:_SYMBOLS]
        found = [self._replay.cleared(symbol, NEWEST) for symbol in asked]
        replayed = sum(each.replayed for each in found)
        wrong = sum(each.wrong for each in found)
        answers = False if wrong else True if replayed >= ENOUGH else None
        history = not self._faults if replayed >= ENOUGH else None
        return Exact(answers=answers, history=history, intact=self._replay.intact)

    def findings(self) -> tuple[Finding, ...]:
        """Say how many answers were computed again, and whether the graph is intact."""
        wrong, n = self.tally.mismatches["answers"], self.tally.rows["answers"]
        if not n:
            return ()
        replayed = Finding(
            name="replayed_answers",
            level=Level.PASS if wrong == 0 else Level.WARN,
            value=float(wrong),
            threshold=0.0,
            n=n,
            message=f"{n} answers were computed again from their inputs, {wrong} were others. "
            + self._replay.examined.said,
        )
        return (replayed,)

    def probe(self) -> dict[str, Probed] | None:
        """Measure by output how the model responds around the newest windows known to the bit."""
        if not self._windows:
            return None
        newest = {
            name: np.concatenate([each[name] for each in self._windows])
            for name in self._windows[0]
        }
        return self._replay.probe(newest)

    def accept(self, covers: Covers = everybody) -> Notice | None:
        """Take the inputs of some as they are now for right; return what else is wrong."""
        self._history.accept(covers)
        for key in [key for key in self._faults if covers(key[:2])]:
            del self._faults[key]
        return next(map(_notice, self._faults.values()), None)

    def _note(self, batch: PredictionBatch) -> None:
        self._rows += len(batch)
        for symbol in dict.fromkeys(batch.symbol[-_SYMBOLS:].tolist()):
            self._seen[symbol] = None
            self._seen.move_to_end(symbol)
        while len(self._seen) > _SYMBOLS:
            self._seen.popitem(last=False)

    def _keep(self, rebuilt: Rebuilt) -> None:
        """Keep the newest windows known to the bit, for the probe."""
        if self._bundle.manifest.unit == "cross_section" or not rebuilt.exact.any():
            return
        known = np.flatnonzero(rebuilt.exact)[-MOST_ROWS:]
        self._windows.append({name: each[known] for name, each in rebuilt.windows.items()})
        rows = sum(len(next(iter(each.values()))) for each in self._windows)
        while rows - (first := len(next(iter(self._windows[0].values())))) >= MOST_ROWS:
            self._windows.popleft()
            rows -= first

    def _of_answers(self, rows: int) -> list[Notice]:
        notices = [
            Notice(
                max(each.row, 0),
                Verdict.ARTEFACT_FAULT,
                cause=each.cause,
                finding=each.finding,
                since=each.since_rows,
            )
            for each in self._replay.faults()
        ]
        standing = self._replay.at_fault
        if self._artefact and not notices and not standing and not self._innate:
            notices.append(Notice(rows - 1, Verdict.ARTEFACT_FAULT, ended=True))
        self._artefact = standing
        return notices

    def _of_inputs(self, found: list[ClientFault]) -> list[Notice]:
        over = self._history.recovered()
        last = max((each.row for each in found), default=-1)
        events = [*((each, False) for each in found), *((each, True) for each in over)]
        for fault, ended in sorted(events, key=lambda event: (event[0].row, event[1])):
            if ended:
                self._faults.pop(_key(fault), None)
                continue
            if _key(fault) not in self._faults:
                make_room(self._faults)
            self._faults[_key(fault)] = fault
        notices = [_notice(fault) for fault in found]
        if over and not self._faults:
            end = max(over, key=lambda fault: fault.row)
            notices.append(Notice(max(end.row, last, 0), end.verdict, ended=True))
        return notices

    def _of_gate(self, checked: Checked, rows: int) -> list[Notice]:
        """Blame the version, once, if its answers are its own and not what was validated."""
        if self._gate_checked:
            return []
        if self._replay.at_fault or checked.differs.any():
            self._right = 0
            return []
        places = [rows]
        if self._bundle.manifest.unit == "cross_section":
            places.append(max(GATE_ROWS - 1 - self._rows, 0))
        missing = GATE_REPLAYS - self._right
        self._right += len(checked.rows)
        if self._right >= GATE_REPLAYS:
            places.append(int(checked.rows[missing - 1]))
        place = min(places)
        if place == rows:
            return []
        self._gate_checked = True
        since = self._rows + place + 1
        notices = missed_by_the_gate(
            self._bundle, self._context, self._replay, place=place, since=since
        )
        self._innate = any(each.verdict is Verdict.ARTEFACT_FAULT for each in notices)
        return notices


def _key(fault: ClientFault) -> tuple[str, str, str]:
    return fault.client, fault.symbol, fault.kind


def _notice(fault: ClientFault) -> Notice:
    return Notice(
        max(fault.row, 0),
        fault.verdict,
        cause=fault.cause,
        finding=fault.finding,
        since=fault.since_rows,
    )
