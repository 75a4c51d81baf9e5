"""The skill of one output, moment by moment: what it was worth, and the verdict outcomes reach."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import IntArray
from plumbline.bundle.finding import Interval
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.outcomes.bet import Inquiry, Null
from plumbline.diagnosis.outcomes.bound import Bounds
from plumbline.diagnosis.outcomes.choice_score import ChoiceScorer
from plumbline.diagnosis.outcomes.promise import Promise, promise_of
from plumbline.diagnosis.outcomes.rank_score import RankScorer
from plumbline.diagnosis.outcomes.residue import Residues
from plumbline.diagnosis.outcomes.score import Scorer
from plumbline.diagnosis.outcomes.settled import Settled, joined, means_of, of_reference
from plumbline.diagnosis.outcomes.value_score import ValueScorer

RUN_LENGTH = 1e6
"""Moments, on average, to a false alarm of any inquiry about any output, at the earliest."""

SLACK = 0.003
"""By which the direction score may lie below zero: a correlation of -0.02 is no reversal."""

NAMING = log(100.0)
"""Evidence with which a inquiry explains the alarm of another, in nats."""

HINT, PATIENCE = log(3.0), 0.5
"""Evidence worth waiting for, and how long, as a share of the time that an alarm took."""

_ASKED = (Verdict.ANTI_SIGNAL, Verdict.MISCALIBRATED, Verdict.NO_SIGNAL)


class OutputSkill:
    """Watches one output of a bundle by its outcomes.

    Parameters
    ----------
    bundle
        Its reference teaches what to expect.
    output
        A choice, a value or a score.

    Raises
    ------
    ValueError
        If there are no scores for its kind: see `watched`.
    """

    def __init__(self, bundle: Bundle, output: str) -> None:
        manifest, outputs = bundle.manifest, bundle.outputs
        spec = manifest.output(output)
        self.horizon = ceil(spec.horizon_seconds / manifest.bar_interval_seconds)
        self.residues = Residues.of(self.horizon)
        reference = of_reference(
            bundle.reference,
            spec,
            outputs.names.index(output),
            outputs.centre_slices[output],
            decides=output == outputs.primary,
        )
        self.scorer = _scorer(bundle, output, reference, self.horizon)
        self.promise = promise_of(self.scorer, reference, horizon=self.horizon)
        self.moments = 0
        self.rows = 0
        classes, names = self.residues.classes, self.scorer.names
        level = RUN_LENGTH * len(_ASKED) * len(outputs.specs)
        self.inquiries: dict[Verdict, Inquiry] = {
            verdict: Inquiry(nulls, names, classes=classes, level=level)
            for verdict in _ASKED
            if (nulls := _nulls(verdict, self.scorer, self.promise))
        }
        self._blurred = _blurred(self.scorer, self.promise, classes, level)
        self._bounds = Bounds(len(names), classes=classes)
        self._memory = np.tile(self.scorer.beginning(reference), (classes, 1))
        self._rest: list[Settled] = []
        self._blocks = 0
        self._until: int | None = None
        self.verdict: Verdict | None = None

    def take(self, rows: Settled) -> None:
        """Take the rows of one or more moments, later than all before; full blocks are bet on.

        The outcome does not depend on how moments are cut into calls.
        """
        if not len(rows):
            return
        begins = np.append(True, np.diff(rows.moment) != 0)
        ordinal = self.moments + np.cumsum(begins) - 1
        self.rows += len(rows)
        self.moments = int(ordinal[-1]) + 1
        block = ordinal // self.residues.block
        full = self.moments // self.residues.block
        classes = self.residues.classes
        while self._blocks < full:
            turn = min(full, (self._blocks // classes + 1) * classes)
            first, last = np.searchsorted(block, [self._blocks, turn])
            if self._rest:
                rest, self._rest = joined(self._rest), []
                head = np.full(len(rest), self._blocks)
                some = joined([rest, rows.take(slice(first, last))])
                self._bet(some, np.concatenate([head, block[first:last]]))
            else:
                self._bet(rows.take(slice(first, last)), block[first:last])
            self._blocks = turn
            if turn % classes == 0:
                self._decide()
        left = rows.take(slice(int(np.searchsorted(block, full)), None))
        if len(left):
            self._rest.append(left)

    def _bet(self, rows: Settled, block: IntArray) -> None:
        """Bet on blocks, one of each of some classes."""
        numbers, code = np.unique(block, return_inverse=True)
        classes = numbers % self.residues.classes
        scores = self.scorer.of_moments(rows, self._memory[classes[code]])
        if len(scores) > len(numbers):
            begins = np.append(True, np.diff(rows.moment) != 0)
            scores = means_of(scores, code[begins], len(numbers))
        for inquiry in self.inquiries.values():
            inquiry.take(scores, classes)
        if self._blurred is not None:
            self._blurred.take(scores, classes)
        self._bounds.take(scores, classes)
        np.add.at(self._memory, classes[code], self.scorer.recall(rows))

    def _decide(self) -> None:
        """Say what outcomes say is the matter, once an inquiry has alarmed.

        Which verdict it is, the evidence of the others helps to say: whoever points the wrong way
        is also surprised more than he claims, and gains nothing. A verdict stands, unless it comes
        out later that the direction is wrong.
        """
        alarmed = {verdict for verdict, inquiry in self.inquiries.items() if inquiry.alarmed}
        reversed_ = Verdict.ANTI_SIGNAL in alarmed
        if reversed_ or (alarmed and not self.verdict and self._suggests(Verdict.ANTI_SIGNAL)):
            self.verdict = Verdict.ANTI_SIGNAL
        if self.verdict is not None or not alarmed or self._unsure(alarmed):
            return
        blurred = self._blurred is not None and self._blurred.strength >= NAMING
        gone = Verdict.NO_SIGNAL in alarmed and not self._shown
        if gone and (blurred or not self._suggests(Verdict.MISCALIBRATED)):
            self.verdict = Verdict.NO_SIGNAL
        elif Verdict.MISCALIBRATED in alarmed:
            self.verdict = Verdict.MISCALIBRATED

    def _unsure(self, alarmed: set[Verdict]) -> bool:
        """Whether to wait, half as long again, for what may turn out to explain an alarm."""
        if self._until is None:
            onset = max(self.inquiries[each].onset for each in alarmed) * self.residues.block
            self._until = self.moments + int(PATIENCE * onset)
        first = min(_ASKED.index(verdict) for verdict in alarmed)
        hinted = any(self._suggests(verdict, HINT) for verdict in _ASKED[:first])
        return hinted and self.moments < self._until

    def _suggests(self, verdict: Verdict, level: float = NAMING) -> bool:
        inquiry = self.inquiries.get(verdict)
        return inquiry is not None and inquiry.strength >= level

    @property
    def _shown(self) -> bool:
        """Whether outcomes have shown every skill that was promised to be above zero."""
        lows = [self.interval(name) for name in self.promised("skill")]
        return all(each is not None and each.low > 0 for each in lows)

    def promised(self, use: str) -> Mapping[str, float]:
        """Return the least promised of the scores of a use, between -1 and 1."""
        names = {score.name for score in self.scorer.scores if score.use == use}
        return {name: low for name, low in self.promise.gains.items() if name in names}

    def interval(self, name: str) -> Interval | None:
        """Return the interval of a score in its own unit, at all times at once; None before any."""
        place = self.scorer.names.index(name)
        score = self.scorer.scores[place]
        return self._bounds.interval(place, scale=score.scale, shift=score.shift)

    def counted(self, name: str) -> int:
        """Return how many bets a score has seen."""
        return int(self._bounds.counts()[self.scorer.names.index(name)])

    def figures(self, rows: Settled) -> dict[str, float | None]:
        """Return every score of rows in hindsight, in its own unit; None where there is none."""
        if not len(rows):
            return dict.fromkeys(self.scorer.names)
        moments = self.scorer.in_hindsight(rows)
        means = means_of(moments, np.zeros(len(moments), np.int64), 1)[0]
        return {
            score.name: score.shift + score.scale * float(mean) if np.isfinite(mean) else None
            for score, mean in zip(self.scorer.scores, means, strict=True)
        }


def watched(bundle: Bundle) -> tuple[str, ...]:
    """Return the outputs of a bundle that outcomes can be held against, in order."""
    return tuple(spec.name for spec in bundle.manifest.outputs if spec.kind in _KINDS)


_KINDS = frozenset({"choice", "value", "score"})


def _scorer(bundle: Bundle, output: str, reference: Settled, horizon: int) -> Scorer:
    spec, policy = bundle.manifest.output(output), bundle.outputs.policy
    size_cap = float(getattr(policy.params, "size_cap", 1.0))
    cost = float(getattr(policy.params, "cost", 0.0))
    if spec.kind == "choice":
        return ChoiceScorer(spec, reference, overlap=horizon, size_cap=size_cap, cost=cost)
    if spec.kind == "value":
        head, calibration = bundle.outputs.heads[output], bundle.outputs.calibrations[output]
        return ValueScorer(
            head, calibration, reference, overlap=horizon, size_cap=size_cap, cost=cost
        )
    if spec.kind == "score":
        return RankScorer(reference, gross=float(getattr(policy.params, "gross", 1.0)))
    raise ValueError(f"output {output}: there are no scores for a {spec.kind}")


def _nulls(verdict: Verdict, scorer: Scorer, promise: Promise) -> list[Null]:
    """Return what is held until outcomes speak against it."""
    found: list[Null] = []
    for score in scorer.scores:
        if verdict is Verdict.ANTI_SIGNAL and score.use == "direction":
            found.append(Null(score.name, -SLACK))
        elif verdict is Verdict.NO_SIGNAL and score.use == "skill" and score.name in promise.gains:
            found.append(Null(score.name, promise.gains[score.name]))
        elif verdict is Verdict.MISCALIBRATED and score.use == "calibration":
            usual = promise.usual[score.name]
            found.append(Null(score.name, usual.low))
            found.append(Null(score.name, usual.high, least=False))
    return found


def _blurred(scorer: Scorer, promise: Promise, classes: int, level: float) -> Inquiry | None:
    """Ask whether what is left of the signal, however scaled, is what was promised."""
    nulls = [
        Null(score.name, promise.gains[score.name])
        for score in scorer.scores
        if score.use == "resolution" and score.name in promise.gains
    ]
    return Inquiry(nulls, scorer.names, classes=classes, level=level) if nulls else None
