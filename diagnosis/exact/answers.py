"""How logged answers relate to the right ones, once arithmetic has shown that they differ.

The right answer is what the version's graph says of the logged input. Backends differ in the last
digits, and half precision in the third: neither is a fault. What lies farther apart is, and its
form tells a person where to look: a temperature applied twice, classes exchanged between two files,
one worker that still serves the version before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.array import AnyArray, BoolArray, FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.diagnosis.exact.form import Form, form_of

LENIENCY = 4.0
"""Times the manifest's tolerance: it was measured on few golden rows."""

ROUNDED = 1e-2
"""Of a number's size: more than half precision (5e-4, of bfloat16 4e-3) rounds off."""

OF_SPREAD = 0.05
"""Of a number's spread: rounding that leaves a twentieth of what answers vary hides no fault."""

_MOSTLY = 0.9
_MANY = 0.6
_UNNAMED = frozenset({"otherwise", "noise", "other_rows"})


@dataclass(frozen=True)
class Slack:
    """How far apart two answers may lie and be the same: both ``(R,) float64``.

    Attributes
    ----------
    tight
        What backends and batch sizes do in 32 bits.
    wide
        What rounding may do besides; nobody is accused below it.
    """

    tight: FloatArray
    wide: FloatArray


def slack_of(tolerance: float, units: FloatArray, *streams: FloatArray) -> Slack:
    """Return the slack of each raw number.

    Parameters
    ----------
    tolerance
        Of the manifest.
    units : (R,) floating
        What it counts in: `GoldenRows.units`.
    streams
        Right answers ``(n, R)`` from which a number's size and spread are taken, the smaller of
        each; those with fewer than eight rows are left out.
    """
    tight = LENIENCY * tolerance * np.asarray(units, np.float64)
    wide = tight
    known = [np.asarray(each, np.float64) for each in streams if len(each) >= 8]
    if known:
        size = np.min([np.abs(each).max(axis=0) for each in known], axis=0)
        spread = np.min([each.std(axis=0) for each in known], axis=0)
        wide = np.maximum(tight, np.minimum(ROUNDED * size, OF_SPREAD * spread))
    return Slack(tight, wide)


def apart(logged: FloatArray, right: FloatArray, slack: FloatArray) -> BoolArray:
    """Tell which numbers differ, ``(n, R)``; one that is not finite differs from every other.

    Two that are not finite in the same way are the same.
    """
    with np.errstate(invalid="ignore"):
        near: BoolArray = np.abs(np.subtract(logged, right, dtype=np.float64)) <= slack
    if np.logical_and.reduce(near, axis=None):
        return ~near
    same = (logged == right) | (np.isnan(logged) & np.isnan(right))
    different: BoolArray = ~(near | same)
    return different


def differing(logged: FloatArray, right: FloatArray, slack: FloatArray) -> BoolArray:
    """Tell which rows have a number that differs: ``(n,)``."""
    rows: BoolArray = np.logical_or.reduce(apart(logged, right, slack), axis=1)
    return rows


@dataclass(frozen=True)
class Answers:
    """Logged answers beside the right ones, oldest first.

    Attributes
    ----------
    logged, right : (m, R) floating
        Raw numbers of all outputs beside each other.
    slack
        Of each number.
    symbol : (m,) str
    seq : (m,) int64
        As logged: of two workers the numbers lie far apart.
    others
        What other versions say of the same inputs, by what to call them: ``(m, R)``.
    all_logged : (p, R) floating
        Logged raw numbers of all newest rows, those whose right answer is not known too.
    all_symbol : (p,) str
    all_seq : (p,) int64
    """

    logged: FloatArray
    right: FloatArray
    slack: Slack
    symbol: AnyArray
    seq: AnyArray
    others: Mapping[str, FloatArray] = field(default_factory=dict)
    all_logged: FloatArray | None = None
    all_symbol: AnyArray | None = None
    all_seq: AnyArray | None = None

    @property
    def wrong(self) -> BoolArray:
        """Rows whose answer is not the right one: ``(m,)``."""
        return differing(self.logged, self.right, self.slack.wide)


@dataclass(frozen=True)
class AnswerRelation:
    """What wrong answers are.

    Attributes
    ----------
    kind
        ``version``, or a form's.
    said
        A clause: "they are …".
    outputs
        The outputs concerned; empty where it is all of them.
    version
        Whose answers they are, where they are another version's.
    factor
        Of answers that are scaled.
    """

    kind: str
    said: str
    outputs: tuple[str, ...] = ()
    version: str = ""
    factor: float | None = None


def relate_answers(answers: Answers, specs: Sequence[OutputSpec]) -> AnswerRelation:
    """Name how the wrong rows' answers relate to the right ones.

    All rows are used to find answers that belong to another row; ``specs`` are the outputs in the
    order in which their numbers lie beside each other.
    """
    wrong = answers.wrong
    if not wrong.any():
        return AnswerRelation("same", "they are the right ones")
    for version, said in answers.others.items():
        others = differing(answers.logged[wrong], said[wrong], answers.slack.wide)
        if others.mean() <= 1.0 - _MOSTLY:
            return AnswerRelation("version", f"they are those of {version}", version=version)
    forms, begin = {}, 0
    for spec in specs:
        part = slice(begin, begin + spec.numbers)
        begin += spec.numbers
        off = differing(answers.logged[:, part], answers.right[:, part], answers.slack.wide[part])
        if off.any():
            forms[spec.name] = form_of(
                spec,
                answers.logged[:, part],
                answers.right[:, part],
                off,
                answers.slack.tight[part],
            )
    exchanged = _exchanged_outputs(answers, specs, list(forms))
    if exchanged:
        return AnswerRelation("exchanged", exchanged, tuple(forms))
    if {form.kind for form in forms.values()} <= _UNNAMED and (lag := _lag(answers)):
        rows = "row" if lag == 1 else "rows"
        return AnswerRelation("late", f"they are the right ones of {lag} {rows} before")
    return _joined(forms, several=len(specs) > 1, every=len(forms) == len(specs))


def _lag(answers: Answers) -> int:
    """Return after how many rows of its symbol a right answer is given; 0 if there is no such lag.

    Where the right answer of every fourth row is known, the row that it was given to is most often
    one whose own right answer is not.
    """
    if answers.all_logged is None or answers.all_symbol is None or answers.all_seq is None:
        return 0
    lags, tried = [], 0
    places = {int(seq): place for place, seq in enumerate(answers.all_seq)}
    for row in np.flatnonzero(answers.wrong).tolist():
        place = places.get(int(answers.seq[row]))
        if place is None:
            continue
        later = np.flatnonzero(answers.all_symbol[place + 1 :] == answers.symbol[row])
        given = answers.all_logged[place + 1 + later]
        if not len(given):
            continue
        tried += 1
        same = ~differing(given, answers.right[row][None, :], answers.slack.tight)
        if same.any():
            lags.append(int(same.argmax()) + 1)
    if len(lags) < 3 or len(lags) < _MANY * tried:
        return 0
    values, counts = np.unique(lags, return_counts=True)
    return int(values[counts.argmax()]) if counts.max() >= _MOSTLY * len(lags) else 0


def _joined(forms: Mapping[str, Form], *, several: bool, every: bool) -> AnswerRelation:
    """Put what was found of each output into one clause."""
    first = next(iter(forms.values()))
    names = () if every else tuple(forms)
    alike = {form.said for form in forms.values()}
    if len(alike) == 1:
        of = f"of {_listed(names)}, " if names else "of every output, " if several else ""
        return AnswerRelation(first.kind, of + first.said, names, factor=first.factor)
    kinds = {form.kind for form in forms.values()}
    said = "; ".join(f"of {name}, {form.said}" for name, form in forms.items())
    kind = first.kind if len(kinds) == 1 else "otherwise"
    return AnswerRelation(kind, said, names)


def _exchanged_outputs(answers: Answers, specs: Sequence[OutputSpec], found: Sequence[str]) -> str:
    """Say whether the wrong outputs say each other's numbers; empty where they do not."""
    ends = np.cumsum([spec.numbers for spec in specs]).tolist()
    places = {
        spec.name: slice(end - spec.numbers, end) for spec, end in zip(specs, ends, strict=True)
    }
    rows, wide = answers.wrong, answers.slack.wide
    logged, right = answers.logged[rows], answers.right[rows]
    sources = []
    for one in found:
        for other in found:
            mine, theirs = places[one], places[other]
            alike = mine.stop - mine.start == theirs.stop - theirs.start and one != other
            if alike and _same(logged[:, mine], right[:, theirs], wide[theirs]):
                sources.append(other)
                break
    if len(found) < 2 or sorted(sources) != sorted(found):
        return ""
    if len(found) == 2:
        return f"the outputs {' and '.join(found)} are exchanged"
    return f"the outputs {_listed(found)} are in another order"


def _same(logged: FloatArray, right: FloatArray, slack: FloatArray) -> bool:
    return float(differing(logged, right, slack).mean()) <= 1.0 - _MOSTLY


def who(counts: Mapping[str, tuple[int, int]], sound: Sequence[str] = ()) -> str:
    """Say whose answers are wrong, and how many.

    Parameters
    ----------
    counts
        By accused symbol: how many answers there are and how many are wrong.
    sound
        Symbols whose answers are right.
    """
    total = sum(n for n, _ in counts.values())
    wrong = sum(bad for _, bad in counts.values())
    said = f"{wrong} of {total} answers" if wrong < total else f"all of {total} answers"
    if counts and (sound or len(counts) > 1):
        said += f" for {_listed(sorted(counts))}"
    return f"{said} and none for {_listed(sorted(sound))}" if sound else said


def worker(answers: Answers) -> str:
    """Say whether the wrong rows are those of some workers only; empty where that is not so.

    Each worker counts its rows on from a number of its own.
    """
    wrong = answers.wrong
    return "" if wrong.all() or not wrong.any() else _worker(np.asarray(answers.seq), wrong)


def _worker(seq: AnyArray, wrong: BoolArray, *, apart: int = 1_000) -> str:
    """Say whether the wrong rows are those of one worker: each counts on from where it began."""
    order = np.argsort(seq, kind="stable")
    jumps = np.diff(seq[order]) > apart
    codes = np.empty(len(seq), np.int64)
    codes[order] = np.append(0, np.cumsum(jumps))
    workers = int(codes.max()) + 1
    bad = set(codes[wrong].tolist())
    if len(bad) >= workers or bad & set(codes[~wrong].tolist()):
        return ""
    return f"{len(bad)} of {workers} workers"


def _listed(names: Sequence[str], most: int = 4) -> str:
    """Return a few names and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
