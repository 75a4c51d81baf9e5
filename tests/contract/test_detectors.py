"""What every detector promises: quiet on healthy rows, loud on its collapse, repeatable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import of_reference
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.gain import Gain
from plumbline.testing import ContractError, check_detector
from tests.support.streams import LONG, OUTPUT, OUTPUTS, SHORT, Stream, context, healthy

REFERENCE = {"action_share": LONG}
"""An action that stays is rare evidence: a short reference cannot tell how rare."""


def measured(stream: Stream) -> Measures:
    """Measure a stream as the panel does."""
    baseline = context().baseline
    assert baseline is not None
    rows = meter_of(baseline).measure(stream.sample())[OUTPUT]
    return replace(rows, epistemic=disagreement(stream.features))


def disagreement(features: np.ndarray) -> np.ndarray:
    """Return how far the members of an ensemble might be apart for these inputs."""
    return np.asarray(0.02 * np.exp(0.4 * features[:, 2]), np.float64)


def meter_of(baseline: Baseline) -> Meter:
    """Return the meter of a measured reference."""
    surrogates = {name: each.surrogate for name, each in baseline.outputs.items()}
    return Meter(
        baseline.step_scale, surrogates, OUTPUTS.heads, OUTPUT, relations=baseline.relations
    )


def reference(name: str) -> Measures:
    """Measure a reference, its residuals of rows the surrogate was not fitted on."""
    baseline = context(REFERENCE.get(name, SHORT)).baseline
    assert baseline is not None
    rows = meter_of(baseline).measure(of_reference(baseline.reference, OUTPUTS))[OUTPUT]
    far, unusual = baseline.relations.count(baseline.apart)
    return replace(
        rows,
        residual=baseline.outputs[OUTPUT].residuals,
        epistemic=disagreement(baseline.reference.features),
        far=far,
        unusual=unusual,
    )


def collapse(name: str) -> Stream:
    """Return what each detector is for."""
    stream = healthy(1_500, 31)
    one = stream.logits[:1]
    zeroed, held = stream.features.copy(), stream.features.copy()
    zeroed[:, :4] = 0.0
    width = stream.features.shape[1]
    held[:, :4] = held[0, :4]
    return {
        "frozen": stream.shown(np.repeat(stream.features[:1], 1_500, axis=0)),
        "zero_padded": stream.shown(zeroed),
        "stale": stream.shown(held),
        "relation": stream.shown(stream.features * np.array([3.0] * 2 + [1.0] * (width - 2))),
        "gain": stream.saying(one + 1e-3 * stream.logits),
        "spread": stream.saying(one + 1e-3 * stream.logits),
        "action_share": stream.saying(stream.logits + np.array([0, 0, 9])),
        "repeats": stream.saying(np.repeat(one, 1_500, axis=0)),
        "surrogate": stream.saying(stream.logits + np.array([1.5, 0, 0])),
        "confidence": stream.saying(8 * stream.logits),
        "epistemic": stream,
    }[name]


def alike(rows: Measures, name: str) -> Measures:
    """Let the members become one, where that is the collapse."""
    return replace(rows, epistemic=0.01 * rows.epistemic) if name == "epistemic" else rows


def test_members_that_agree_on_nothing_are_told_as_well() -> None:
    """And an output of one member is not watched for it."""
    known = reference("epistemic")
    detector = DETECTORS["epistemic"](known, DETECTORS["epistemic"].Params(), log_a=13.8)
    rows = measured(healthy(300, 41))
    apart = detector.update(replace(rows, epistemic=30 * rows.epistemic))

    assert apart.alarmed
    assert DETECTORS["epistemic"].watches(known)
    assert not DETECTORS["epistemic"].watches(
        replace(known, epistemic=np.full_like(known.gain, np.nan))
    )


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_it_keeps_its_promises(name: str) -> None:
    """Quiet on four thousand healthy rows, loud on its collapse, repeatable, cheap."""
    for seed in (41, 42):
        check_detector(
            DETECTORS[name],
            reference=reference(name),
            healthy=measured(healthy(2_000, seed)),
            collapsed=alike(measured(collapse(name)), name),
        )


def test_a_broken_detector_is_told_which_promise_it_breaks() -> None:
    """It is deaf to its collapse, or alarmed by anything."""

    class Deaf(Gain):
        @override
        def events(self, measures: Measures, edges: FloatArray) -> IntArray:
            return np.zeros_like(super().events(measures, edges))

    class Nervous(Gain):
        @override
        def update(self, measures: Measures) -> Evidence:
            return replace(super().update(measures), alarmed=True)

    rows = {"reference": reference("gain"), "healthy": measured(healthy(2_000, 41))}
    with pytest.raises(ContractError, match="Deaf: it is silent"):
        check_detector(Deaf, collapsed=measured(collapse("gain")), **rows)
    with pytest.raises(ContractError, match="Nervous: it alarms on healthy rows"):
        check_detector(Nervous, collapsed=measured(collapse("gain")), **rows)
