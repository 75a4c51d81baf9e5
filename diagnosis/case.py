"""A sample before the judge: every statistic a verdict may ask for, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.finding import Interval, Verdict
from plumbline.bundle.heads import Head
from plumbline.bundle.reading import Reading
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.baseline import Baseline, InputEnvelope
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.exact.facts import Exact
from plumbline.diagnosis.movement import Movement, movement, previous_rows, step_scale
from plumbline.diagnosis.offset import log_odds_range
from plumbline.diagnosis.output_baseline import (
    OutputBaseline,
    OutputEnvelope,
    alignment,
    offset_size,
)
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.share import top_action
from plumbline.diagnosis.skill import Hits, count_hits
from plumbline.diagnosis.thresholds import Thresholds

FEW_WINDOWS = 20.0
"""Separate windows of the reference, with more of which their widest needs less slack."""

_NOTHING = Exact()

KNOWN = 0.5
"""Share of rows that must resemble the reference's, for the others to be left out."""


@dataclass(frozen=True)
class Case:
    """One output of a sample, what it is held against, and what the sequential detectors say.

    Without evidence (a validation set, sampled windows) the sample speaks for itself. With evidence
    (the live stream) the model is accused by a detector, and the sample says of what.
    """

    sample: Sample
    context: Context
    thresholds: Thresholds
    output: str
    evidence: Sequence[Evidence] = ()
    exact: Exact = _NOTHING

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.sample)

    @property
    def head(self) -> Head[Any]:
        """What reads the output."""
        return self.context.outputs.heads[self.output]

    @property
    def reading(self) -> Reading:
        """What was read."""
        return self.sample.readings[self.output]

    @property
    def coordinates(self) -> FloatArray:
        """Of the reading, ``(n, c)``."""
        return self.reading.coordinates

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Of the coordinates: the choices, or the output itself."""
        return self.head.spec.choices or (self.output,)

    @property
    def named(self) -> str:
        """Name of the output where there is more than one, else nothing."""
        return self.output if len(self.context.outputs.specs) > 1 else ""

    @property
    def of_output(self) -> str:
        """The same as the end of a phrase."""
        return f" of {self.named}" if self.named else ""

    @property
    def decides(self) -> bool:
        """Whether the policy's actions are this output's choices."""
        outputs = self.context.outputs
        return self.output == outputs.primary and bool(outputs.policy.actions)

    @property
    def actions(self) -> IntArray | None:
        """Actions taken by this output; None where there are none."""
        return self.sample.action if self.decides else None

    @property
    def accused(self) -> bool:
        """Whether a detector of this output has alarmed."""
        return any(
            each.alarmed
            for each in self.evidence
            if each.subject == "output" and each.output in {"", self.output}
        )

    @property
    def suspect(self) -> bool:
        """Whether the model may be named.

        A detector accuses it, or none was asked; and arithmetic has not cleared it.
        """
        return (self.accused or not self.evidence) and not self.exact.cleared

    @property
    def alone(self) -> bool:
        """Whether no detector was asked: the sample speaks for itself."""
        return not self.evidence

    @property
    def doubted(self) -> bool:
        """Whether the relation of the columns may be named: an alarm doubts it, or none was asked.

        Whoever accuses the model gives reason enough to look at what it was fed.
        """
        return self.alone or any(
            each.alarmed and each.accuses in (Side.CLIENT, Side.MODEL) for each in self.evidence
        )

    def alarms(self, verdict: Verdict) -> tuple[Evidence, ...]:
        """Return the evidence of the detectors that have alarmed and accuse of just this."""
        return tuple(each for each in self.evidence if each.alarmed and each.accuses is verdict)

    def accused_columns(self, verdict: Verdict) -> tuple[str, ...]:
        """Return the columns that those detectors name, each once."""
        return tuple(dict.fromkeys(name for each in self.alarms(verdict) for name in each.columns))

    @cached_property
    def baseline(self) -> Baseline | None:
        """The measured reference; for rows of one symbol, by symbol."""
        measured, symbol = self.context.baseline, self.sample.symbol
        if measured is None or symbol is None or len(np.unique(symbol)) > 1:
            return measured
        return measured.by_symbol

    def bars(self, rows: slice) -> int:
        """How many bars of each symbol some of the rows are."""
        n, symbol = len(range(*rows.indices(self.n))), self.sample.symbol
        return n if symbol is None else -(-n // len(np.unique(np.asarray(symbol)[rows])))

    @cached_property
    def envelope(self) -> InputEnvelope | None:
        """The columns in the reference's widest windows of this length."""
        return None if self.baseline is None else self.baseline.envelope(self.n)

    @cached_property
    def output_baseline(self) -> OutputBaseline | None:
        """The output in the measured reference."""
        return None if self.baseline is None else self.baseline.outputs[self.output]

    @cached_property
    def output_envelope(self) -> OutputEnvelope | None:
        """The output in the reference's widest windows of this length."""
        if self.baseline is None or self.output_baseline is None:
            return None
        return self.output_baseline.envelope(self.baseline.length_for(self.n))

    @cached_property
    def previous(self) -> IntArray:
        """Previous row of the same symbol."""
        return previous_rows(self.sample.symbol, self.n)

    @cached_property
    def movement(self) -> Movement | None:
        """Steps of inputs and outputs; None without features."""
        features = self.sample.features
        if features is None or self.n == 0:
            return None
        scale = (
            step_scale(features, self.previous)
            if self.baseline is None
            else self.baseline.step_scale
        )
        return movement(features, self.coordinates, self.previous, scale)

    @cached_property
    def repeated(self) -> tuple[int, int] | None:
        """Steps whose input is identical to the one before, and steps in all; None if unknown."""
        hashes = self.sample.inputs_hash
        has = self.previous >= 0
        if hashes is not None and (np.asarray(hashes) != "").all():
            same = np.asarray(hashes)[has] == np.asarray(hashes)[self.previous[has]]
            return int(same.sum()), int(has.sum())
        if self.movement is None:
            return None
        return int(self.movement.still.sum()), int(has.sum())

    @cached_property
    def excused(self) -> BoolArray:
        """Which columns of which rows are pinned as a market under stress pins them, ``(n, f)``."""
        features, baseline = self.sample.features, self.baseline
        if features is None or baseline is None:
            return np.zeros((self.n, len(self.context.features)), bool)
        return baseline.stress.pinned(np.asarray(features, np.float64))

    @cached_property
    def spread(self) -> float | None:
        """How much the output varies: 1 is plenty, 1e-4 is flat."""
        return self.head.spread(self.reading)

    @cached_property
    def confidence(self) -> FloatArray | None:
        """How sure each row is; None for a kind of output that is not."""
        return self.head.confidence(self.reading)

    @cached_property
    def top(self) -> tuple[int, float, Interval] | None:
        """Most frequent action, share, interval; None where there are no actions."""
        if self.actions is None:
            return None
        return top_action(self.actions, len(self.head.spec.choices))

    @property
    def top_name(self) -> str:
        """Its name."""
        return "none" if self.top is None else self.head.spec.choices[self.top[0]]

    @property
    def top_low(self) -> float:
        """Wilson lower bound of its share."""
        return 0.0 if self.top is None else self.top[2].low

    @cached_property
    def truth(self) -> FloatArray | None:
        """What came true, ``(n,)``, NaN where that is not known; None if nothing is."""
        if self.sample.truth is None:
            return None
        return self.sample.truth[:, self.context.outputs.names.index(self.output)]

    @cached_property
    def hits(self) -> Hits | None:
        """Actions against true choices; None without either."""
        if self.truth is None or self.actions is None:
            return None
        return count_hits(self.actions, self.truth, len(self.head.spec.choices))

    @cached_property
    def gains(self) -> FloatArray | None:
        """What each row with a known truth is worth beyond the best constant; None without any."""
        gain = self._gain
        if gain is None:
            return None
        known = gain[np.isfinite(gain)]
        return known if len(known) else None

    @cached_property
    def gains_by_moment(self) -> FloatArray | None:
        """The same summed over the rows of each moment, oldest first, with the mean of the rows.

        Symbols share a market: what is gained on twenty of them at once is no twenty trials.
        """
        return None if self._gain is None else self._by_moment(self._gain)

    @cached_property
    def along_by_moment(self) -> FloatArray | None:
        """Direction times truth, both about their means, likewise: above zero if it points right.

        A forecast may gain by its deviation alone, and have no direction.
        """
        if self.truth is None or not np.isfinite(self.truth).any():
            return None
        direction = self.head.direction(self.reading)
        known = np.isfinite(self.truth)
        about = self.truth - self.truth[known].mean()
        return self._by_moment((direction - direction[known].mean()) * about)

    def _by_moment(self, values: FloatArray) -> FloatArray | None:
        known = np.isfinite(values)
        if not known.any():
            return None
        moment = self.sample.bar_time if self.sample.bar_time is not None else self.sample.group
        if moment is None:
            return values[known]
        _, code = np.unique(np.asarray(moment)[known], return_inverse=True)
        sums = np.asarray(np.bincount(code, values[known]), np.float64)
        return sums * (len(sums) / int(known.sum()))

    @cached_property
    def _gain(self) -> FloatArray | None:
        """What each row is worth, ``(n,)``, NaN where its truth is not known."""
        if self.truth is None:
            return None
        calibration = self.context.outputs.calibrations[self.output]
        return self.head.gain(self.reading, self.truth, calibration, self.sample.group)

    @cached_property
    def median_gain(self) -> float | None:
        """Median movement of coordinates per unit of input movement."""
        if self.movement is None:
            return None
        gain = self.movement.gain[np.isfinite(self.movement.gain)]
        return float(np.median(gain)) if len(gain) else None

    @cached_property
    def gain_ratio(self) -> float | None:
        """Median gain relative to the nearest the reference's windows come to it; 1 inside them."""
        if self.median_gain is None or self.output_envelope is None:
            return None
        low, high = self.output_envelope.gain_low, self.output_envelope.gain_high
        if self.median_gain < low:
            return self.median_gain / low
        if self.median_gain > high:
            return self.median_gain / high if high > 0 else inf
        return 1.0

    @cached_property
    def steepness(self) -> float | None:
        """Median gain relative to that of the whole reference."""
        if self.median_gain is None or self.output_baseline is None:
            return None
        usual = self.output_baseline.median_gain
        return None if usual is None else self.median_gain / usual

    @cached_property
    def known(self) -> BoolArray:
        """Rows whose input is like those of the reference; all of them, if half are not."""
        if self.output_baseline is None or self.sample.features is None:
            return np.zeros(self.n, bool)
        known = self.output_baseline.surrogate.knows(self.sample.features)
        return known if known.sum() >= KNOWN * self.n else np.ones(self.n, bool)

    @cached_property
    def residuals(self) -> FloatArray | None:
        """Coordinates minus what the reference model's surrogate says, for `known` rows."""
        if self.output_baseline is None or self.sample.features is None or not self.known.any():
            return None
        features = np.asarray(self.sample.features)[self.known]
        return self.coordinates[self.known] - self.output_baseline.surrogate.predict(features)

    @cached_property
    def offset(self) -> FloatArray | None:
        """Mean residual of each coordinate ``(c,)``."""
        return None if self.residuals is None else self.residuals.mean(axis=0)

    @property
    def offset_size(self) -> float | None:
        """How large that is: for a choice the largest difference between two, in nats."""
        return None if self.offset is None else offset_size(self.offset)

    @property
    def offset_bound(self) -> float | None:
        """Largest offset that the reference shows in such windows, and slack if those are few."""
        if self.envelope is None or self.output_envelope is None:
            return None
        few = min(1.0, FEW_WINDOWS / self.envelope.windows)
        slack = 1.0 + few * (self.thresholds.envelope_slack - 1.0)
        return max(slack * self.output_envelope.offset, self.thresholds.offset_floor)

    @property
    def beyond_imbalance(self) -> bool:
        """Whether the offset is larger than class weights, sampling or a market can make it."""
        limit = self.thresholds.offset_ratio * self.imbalance
        return self.offset_size is not None and self.offset_size > limit

    @cached_property
    def residual_ratio(self) -> float | None:
        """Scatter of the residuals around the offset, relative to the reference's widest window."""
        envelope = self.output_envelope
        if self.residuals is None or envelope is None or envelope.residual <= 0:
            return None
        inner = self.residuals - self.residuals.mean(axis=0)
        return float(np.sqrt((inner**2).sum(axis=1).mean())) / envelope.residual

    @cached_property
    def aligned(self) -> bool:
        """Whether outputs follow the surrogate as well as in the reference's worst window."""
        if self.residuals is None or self.output_envelope is None:
            return False
        said = self.coordinates[self.known]
        found = alignment(said, said - self.residuals)
        return found >= min(self.output_envelope.alignment, 0.9) - 0.15

    @cached_property
    def agreed(self) -> bool | None:
        """Whether the reference model says the same for these inputs; None if that is unknown."""
        if self.offset_size is None or self.offset_bound is None or self.gain_ratio is None:
            return None
        limits = self.thresholds
        responsive = limits.lost_gain <= self.gain_ratio <= limits.raised_gain
        return responsive and self.offset_size <= self.offset_bound

    @property
    def explained(self) -> bool:
        """Whether it is the inputs that the outputs come from, whatever they look like."""
        return self.exact.cleared or self.agreed is True

    @cached_property
    def imbalance(self) -> float:
        """How far class weights, sampling or a market can move the output by themselves.

        Of a choice: log-odds between its most and least frequent class, by the policy's prior or
        else by the reference's mean. Of other kinds: one standard deviation of the reference.
        """
        if not self.head.spec.choices:
            return 1.0
        prior = self.context.outputs.policy.prior if self.decides else None
        if prior is None and self.output_baseline is not None:
            return log_odds_range(self.output_baseline.centre)
        return log_odds_range(np.asarray(prior or (1.0,) * len(self.head.spec.choices)))
