"""All detectors of one reference, fitted together and stepped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from math import log

import numpy as np

from plumbline.bundle.array import BoolArray
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import Sample, of_reference
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.base import Detector

RUN_LENGTH = 1_000_000
"""Healthy rows to a false alarm, on average and at least, of all detectors of one side together."""


@dataclass(frozen=True)
class Measured:
    """Rows with everything the detectors want of them.

    Attributes
    ----------
    measures
        One row per prediction.
    events
        By detector: one list per row, one entry per bet.
    broken : (n,) bool
        An input event occurred: the row says nothing about the model.
    """

    measures: Measures
    events: Mapping[str, list[list[int]]]
    broken: BoolArray


class Panel:
    """The detectors of `DETECTORS`, with the meter that measures rows for them.

    Parameters
    ----------
    baseline
        The measured reference.
    run_length
        Sets the alarm level of theory: each of the ``d`` detectors of a side is held to
        ``log(d · run_length)``, so that the side as a whole keeps the promise.
    """

    def __init__(self, baseline: Baseline, *, run_length: float = RUN_LENGTH) -> None:
        meter = Meter(baseline.step_scale, baseline.surrogate)
        measures = replace(
            meter.measure(of_reference(baseline.reference)), residual=baseline.residuals
        )
        sides = [each.of_input() for each in DETECTORS.values()]
        self.detectors: dict[str, Detector] = {
            name: each(
                measures, each.Params(), log_a=log(run_length * sides.count(each.of_input()))
            )
            for name, each in DETECTORS.items()
        }
        self.inputs = [each for each in self.detectors.values() if each.of_input()]
        self.outputs = [each for each in self.detectors.values() if not each.of_input()]
        self._meter = Meter(baseline.step_scale, baseline.surrogate)

    def copy(self) -> Panel:
        """Return an independent panel in the same state."""
        return deepcopy(self)

    def measure(self, sample: Sample) -> Measured:
        """Measure rows, in order, each once."""
        measures = self._meter.measure(sample)
        events = {name: each.events_of(measures) for name, each in self.detectors.items()}
        broken = np.zeros(len(measures), bool)
        for each in self.inputs:
            broken |= (events[each.name] == 1).any(axis=1)
        return Measured(measures, {k: v.tolist() for k, v in events.items()}, broken)

    def evidence(self, columns: Mapping[str, tuple[str, ...]]) -> tuple[Evidence, ...]:
        """Return the present state of every detector, with the columns found for some."""
        return tuple(each.evidence(columns.get(name, ())) for name, each in self.detectors.items())

    def step_inputs(self, measured: Measured, i: int) -> bool:
        """Show row ``i`` to the input detectors; true when one of them alarms at this very row."""
        symbol = str(measured.measures.symbol[i])
        alarms = [each.step(symbol, measured.events[each.name][i]) for each in self.inputs]
        return any(alarms)

    def step_outputs(self, measured: Measured, i: int) -> None:
        """Show row ``i`` to the output detectors."""
        symbol = str(measured.measures.symbol[i])
        for each in self.outputs:
            each.step(symbol, measured.events[each.name][i])

    @property
    def since_onset(self) -> int:
        """Rows since the onset of the strongest output alarm; 0 without an alarm."""
        alarmed = [each for each in self.outputs if each.alarmed]
        if not alarmed:
            return 0
        return max(alarmed, key=lambda each: each.excess).onset

    @property
    def since_input_onset(self) -> int:
        """The same of the input alarm that began first."""
        return max((each.onset for each in self.inputs if each.alarmed), default=0)

    def culprits(
        self, measured: Measured, i: int, names: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """Name the columns that input detectors object to in row ``i``."""
        row = measured.measures.take(slice(i, i + 1))
        found: dict[str, tuple[str, ...]] = {}
        for each in self.inputs:
            flags = each.columns(row)
            if flags is not None:
                found[each.name] = tuple(names[j] for j in np.flatnonzero(flags[0]).tolist())
        return found

    def reset_inputs(self) -> None:
        """Forget what was held against the input."""
        for each in self.inputs:
            each.reset()

    def reset_outputs(self) -> None:
        """Forget what was held against the model."""
        for each in self.outputs:
            each.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        for each in self.detectors.values():
            each.reset()
