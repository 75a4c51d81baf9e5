"""All detectors of one reference, fitted together and stepped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from math import log

import numpy as np

from plumbline.bundle.array import BoolArray
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import Context, Sample, of_reference
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.base import Detector

RUN_LENGTH = 1_000_000
"""Healthy rows to a false alarm, on average and at least, of all detectors of one side together."""


@dataclass(frozen=True)
class Measured:
    """Rows with everything the detectors want of them.

    Attributes
    ----------
    inputs
        One row per prediction; its output columns are those of the first output.
    events
        By detector, as the panel keeps them: one list per row, one entry per bet.
    broken : (n,) bool
        An input event occurred: the row says nothing about the model.
    """

    inputs: Measures
    events: Mapping[str, list[list[int]]]
    broken: BoolArray


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
        measured = {
            name: replace(each, residual=baseline.outputs[name].residuals[baseline.place])
            for name, each in reference.items()
        }
        kinds = list(DETECTORS.values())
        per_side = {
            "input": sum(each.of_input() for each in kinds),
            "output": len(names) * sum(not each.of_input() for each in kinds),
        }
        self.detectors: dict[str, Detector] = {}
        for kind in kinds:
            for name in ("",) if kind.of_input() else names:
                self.detectors[f"{kind.name} {name}".strip()] = kind(
                    measured[name or names[0]],
                    kind.Params(),
                    log_a=log(run_length * per_side["input" if kind.of_input() else "output"]),
                    output=name,
                )
        self.inputs = {k: v for k, v in self.detectors.items() if v.of_input()}
        self.outputs = {k: v for k, v in self.detectors.items() if not v.of_input()}
        self._meter = _meter(baseline, context)
        self._first = names[0]

    def copy(self) -> Panel:
        """Return an independent panel in the same state."""
        return deepcopy(self)

    def measure(self, sample: Sample) -> Measured:
        """Measure rows, in order, each once."""
        measures = self._meter.measure(sample)
        events = {
            key: each.events_of(measures[each.output or self._first])
            for key, each in self.detectors.items()
        }
        broken = np.zeros(len(sample), bool)
        for key in self.inputs:
            broken |= (events[key] == 1).any(axis=1)
        lists = {key: each.tolist() for key, each in events.items()}
        return Measured(measures[self._first], lists, broken)

    def evidence(self, columns: Mapping[str, tuple[str, ...]]) -> tuple[Evidence, ...]:
        """Return the present state of every detector, with the columns found for some."""
        return tuple(each.evidence(columns.get(key, ())) for key, each in self.detectors.items())

    def step_inputs(self, measured: Measured, i: int) -> bool:
        """Show row ``i`` to the input detectors; true when one of them alarms at this very row."""
        symbol = str(measured.inputs.symbol[i])
        alarms = [each.step(symbol, measured.events[k][i]) for k, each in self.inputs.items()]
        return any(alarms)

    def step_outputs(self, measured: Measured, i: int) -> None:
        """Show row ``i`` to the output detectors."""
        symbol = str(measured.inputs.symbol[i])
        for key, each in self.outputs.items():
            each.step(symbol, measured.events[key][i])

    @property
    def since_onset(self) -> int:
        """Rows since the onset of the strongest output alarm; 0 without an alarm."""
        alarmed = [each for each in self.outputs.values() if each.alarmed]
        if not alarmed:
            return 0
        return max(alarmed, key=lambda each: each.excess).onset

    @property
    def since_input_onset(self) -> int:
        """The same of the input alarm that began first."""
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
        for each in self.inputs.values():
            each.reset()

    def reset_outputs(self) -> None:
        """Forget what was held against the model."""
        for each in self.outputs.values():
            each.reset()

    def reset(self) -> None:
        """Forget all evidence."""
        for each in self.detectors.values():
            each.reset()


def _profile(context: Context) -> ReferenceProfile:
    """Return the reference symbol by symbol: what is likely next, a symbol's own past tells."""
    if context.reference is None:
        raise ValueError("detectors learn from a reference, this context has none")
    return context.reference


def _meter(baseline: Baseline, context: Context) -> Meter:
    surrogates = {name: each.surrogate for name, each in baseline.outputs.items()}
    outputs = context.outputs
    acting = outputs.primary if outputs.policy.actions else None
    return Meter(baseline.step_scale, surrogates, outputs.heads, acting)
