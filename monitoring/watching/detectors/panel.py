"""All detectors of one reference, fitted together and stepped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from math import log
from typing import Literal

import numpy as np

from plumbline.bundle.array import BoolArray, IntArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import Context, Sample, of_reference
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.base import Detector
from plumbline.monitoring.watching.detectors.team import Team

RUN_LENGTH = 1_000_000
"""Healthy rows to a false alarm, on average and at least, of all detectors of one side together."""


@dataclass(frozen=True)
class Measured:
    """Rows with everything the detectors want of them.

    Attributes
    ----------
    inputs
        One row per prediction; its output columns are those of the first output.
    input_events, output_events : (n, j) int8
        Of all detectors of a side beside each other: 1 on, 0 off, -1 undefined.
    broken : (n,) bool
        An event occurred that names a fault of the input: the row says nothing about the model.
    """

    inputs: Measures
    input_events: IntArray
    output_events: IntArray
    broken: BoolArray

    def __len__(self) -> int:
        return len(self.broken)


class Panel:
    """The detectors of `DETECTORS`, those of outputs once for each, with the meter they need.

    Parameters
    ----------
    baseline
        The measured reference.
    context
        Whose outputs are watched.
    run_length
        Sets the alarm level of theory: each of the ``d`` detectors of a side is held to
        ``log(d · run_length)``, so that the side as a whole keeps the promise.
    """

    def __init__(
        self, baseline: Baseline, context: Context, *, run_length: float = RUN_LENGTH
    ) -> None:
        names = context.outputs.names
        reference = _meter(baseline, context).measure(
            of_reference(_profile(context), context.outputs)
        )
        far, unusual = baseline.relations.count(baseline.apart[baseline.place])
        measured = {
            name: replace(
                each,
                residual=baseline.outputs[name].residuals[baseline.place],
                far=far,
                unusual=unusual,
            )
            for name, each in reference.items()
        }
        kinds = [
            (kind, name)
            for kind in DETECTORS.values()
            for name in (("",) if kind.of_input() else names)
            if kind.watches(measured[name or names[0]])
        ]
        inputs = sum(kind.of_input() for kind, _ in kinds)
        sides = {True: inputs, False: len(kinds) - inputs}
        self.detectors: dict[str, Detector] = {
            f"{kind.name} {name}".strip(): kind(
                measured[name or names[0]],
                kind.Params(),
                log_a=log(run_length * sides[kind.of_input()]),
                output=name,
            )
            for kind, name in kinds
        }
        self.inputs = {k: v for k, v in self.detectors.items() if v.of_input()}
        self.outputs = {k: v for k, v in self.detectors.items() if not v.of_input()}
        self.alarm: Literal["input", "output"] | None = None
        self._input_team, self._output_team = Team(self.inputs), Team(self.outputs)
        self._meter = _meter(baseline, context)
        self._first = names[0]
        bets = [np.full(len(each.bounds), each.breaks()) for each in self.inputs.values()]
        self._breaking: BoolArray = np.concatenate([np.zeros(0, bool), *bets])

    def copy(self) -> Panel:
        """Return an independent panel in the same state."""
        return deepcopy(self)

    def measure(self, sample: Sample) -> Measured:
        """Measure rows, in order, each once."""
        measures = self._meter.measure(sample)
        events = self._input_team.events(measures, self._first)
        return Measured(
            measures[self._first],
            events,
            self._output_team.events(measures, self._first),
            (events[:, self._breaking] == 1).any(axis=1),
        )

    def advance(self, measured: Measured, start: int, stop: int, *, outputs: bool) -> int:
        """Take rows in order, up to and including the first at which a detector newly alarms.

        The outcome does not depend on how rows are cut into calls.

        Parameters
        ----------
        measured
            A batch.
        start, stop
            Which of its rows.
        outputs
            Whether rows are held against the model. Those that an input detector objects to never
            are.

        Returns
        -------
        The place after the last row taken; `alarm` says what it was that stopped there.
        """
        self.alarm = None
        every = np.ones(len(measured), bool)
        sound = ~measured.broken
        if not outputs:
            self._output_team.drop()
        while start < stop and self.alarm is None:
            end, input_alarm = self._input_team.look(
                measured.inputs, measured.input_events, every, start, stop
            )
            output_alarm = False
            if outputs:
                last, output_alarm = self._output_team.look(
                    measured.inputs, measured.output_events, sound, start, end
                )
                input_alarm = input_alarm and last == end
                end = last
                self._output_team.take(end, alarm=output_alarm)
            self._input_team.take(end, alarm=input_alarm)
            if input_alarm or output_alarm:
                self.alarm = "input" if input_alarm else "output"
            start = end
        return start

    def forget(self, symbol: str) -> None:
        """Forget all about a symbol: its last row, its recent past, and its evidence."""
        place = self._meter.roster.forget(symbol)
        if place is not None:
            self._meter.forget(place)
            self._input_team.forget(place)
            self._output_team.forget(place)

    def evidence(self, columns: Mapping[str, tuple[str, ...]]) -> tuple[Evidence, ...]:
        """Return the present state of every detector, with the columns found for some."""
        self._settle()
        return tuple(each.evidence(columns.get(key, ())) for key, each in self.detectors.items())

    def step_inputs(self, measured: Measured, i: int) -> bool:
        """Show row ``i`` to the input detectors; true when one of them alarms at this very row."""
        _, alarm = self._input_team.look(
            measured.inputs, measured.input_events, np.ones(len(measured), bool), i, i + 1
        )
        self._input_team.take(i + 1, alarm=alarm)
        return alarm

    def step_outputs(self, measured: Measured, i: int) -> None:
        """Show row ``i`` to the output detectors."""
        _, alarm = self._output_team.look(
            measured.inputs, measured.output_events, ~measured.broken, i, i + 1
        )
        self._output_team.take(i + 1, alarm=alarm)

    @property
    def since_onset(self) -> int:
        """Rows since the onset of the strongest output alarm; 0 without an alarm.

        Of the rows of the symbols that it accuses.
        """
        alarmed = [each for each in self.outputs.values() if each.alarmed]
        if not alarmed:
            return 0
        self._settle()
        return max(alarmed, key=lambda each: each.excess).onset

    @property
    def since_input_onset(self) -> int:
        """The same of the input alarm that began first."""
        self._settle()
        return max((each.onset for each in self.inputs.values() if each.alarmed), default=0)

    def culprits(
        self, measured: Measured, i: int, names: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """Name the columns that input detectors object to in row ``i``."""
        row = measured.inputs.take(slice(i, i + 1))
        found: dict[str, tuple[str, ...]] = {}
        for key, each in self.inputs.items():
            flags = each.columns(row)
            if flags is not None:
                found[key] = tuple(names[j] for j in np.flatnonzero(flags[0]).tolist())
        return found

    def reset_inputs(self) -> None:
        """Forget what was held against the input."""
        self._input_team.reset()

    def reset_outputs(self) -> None:
        """Forget what was held against the model."""
        self._output_team.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        self.reset_inputs()
        self.reset_outputs()

    def _settle(self) -> None:
        self._input_team.settle()
        self._output_team.settle()


def _profile(context: Context) -> ReferenceProfile:
    """Return the reference symbol by symbol: what is likely next, a symbol's own past tells."""
    if context.reference is None:
        raise ValueError("detectors learn from a reference, this context has none")
    return context.reference


def _meter(baseline: Baseline, context: Context) -> Meter:
    surrogates = {name: each.surrogate for name, each in baseline.outputs.items()}
    outputs = context.outputs
    acting = outputs.primary if outputs.policy.actions else None
    seen = np.asarray(baseline.reference.features, np.float64)
    return Meter(
        baseline.step_scale,
        surrogates,
        outputs.heads,
        acting,
        relations=baseline.relations,
        stress=baseline.stress,
        lowest=seen.min(axis=0),
        highest=seen.max(axis=0),
    )
