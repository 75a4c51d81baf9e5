"""What every detector promises: quiet on healthy rows, loud on its collapse, repeatable."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import replace
from functools import cache
from math import log

import numpy as np
import pytest

from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.measure import Measures, Meter
from plumbline.diagnosis.sample import of_reference
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.base import Detector
from tests.support.streams import LONG, OUTPUT, OUTPUTS, SHORT, Stream, context, healthy

LOG_A = log(1e6)
REFERENCE = {"action_share": LONG}
"""An action that stays is rare evidence: a short reference cannot tell how rare."""


def measured(stream: Stream) -> Measures:
    """Measure a stream as the panel does."""
    baseline = context().baseline
    assert baseline is not None
    return meter_of(baseline).measure(stream.sample())[OUTPUT]


def meter_of(baseline: Baseline) -> Meter:
    """Return the meter of a measured reference."""
    surrogates = {name: each.surrogate for name, each in baseline.outputs.items()}
    return Meter(baseline.step_scale, surrogates, OUTPUTS.heads, OUTPUT)


@cache
def fitted(name: str) -> Detector:
    """Fit a detector to the reference, its residuals of rows the surrogate was not fitted on."""
    baseline = context(REFERENCE.get(name, SHORT)).baseline
    assert baseline is not None
    rows = meter_of(baseline).measure(of_reference(baseline.reference, OUTPUTS))[OUTPUT]
    kind = DETECTORS[name]
    held = replace(rows, residual=baseline.outputs[OUTPUT].residuals)
    return kind(held, kind.Params(), log_a=LOG_A)


@pytest.fixture(params=sorted(DETECTORS))
def detector(request: pytest.FixtureRequest) -> Detector:
    """Each registered detector with its default parameters."""
    return deepcopy(fitted(request.param))


def collapse(name: str) -> Stream:
    """Return what each detector is for."""
    stream = healthy(1_500, 31)
    one = stream.logits[:1]
    zeroed, held = stream.features.copy(), stream.features.copy()
    zeroed[:, :4] = 0.0
    held[:, :4] = held[0, :4]
    return {
        "frozen": stream.shown(np.repeat(stream.features[:1], 1_500, axis=0)),
        "zero_padded": stream.shown(zeroed),
        "stale": stream.shown(held),
        "gain": stream.saying(one + 1e-3 * stream.logits),
        "spread": stream.saying(one + 1e-3 * stream.logits),
        "action_share": stream.saying(stream.logits + np.array([0, 0, 9])),
        "repeats": stream.saying(np.repeat(one, 1_500, axis=0)),
        "surrogate": stream.saying(stream.logits + np.array([1.5, 0, 0])),
        "confidence": stream.saying(8 * stream.logits),
    }[name]


def test_quiet_on_healthy_rows(detector: Detector) -> None:
    """Four thousand of them, of another stretch than the reference's."""
    for seed in (41, 42):
        detector.reset()

        assert not detector.update(measured(healthy(2_000, seed))).alarmed


def test_alarms_on_its_collapse(detector: Detector) -> None:
    """Within the rows at hand, and the onset is about where the collapse began."""
    found = detector.update(measured(collapse(detector.name)))

    assert found.alarmed
    assert found.log_e >= found.threshold
    assert found.detector == detector.name


def test_one_row_at_a_time_is_the_same(detector: Detector) -> None:
    """The evidence does not depend on the batches."""
    rows = measured(collapse(detector.name)).take(slice(0, 60))
    at_once = detector.update(rows)
    fresh = deepcopy(fitted(detector.name))
    for i in range(60):
        one_by_one = fresh.update(rows.take(slice(i, i + 1)))

    assert one_by_one == at_once


def test_reset_forgets_everything_held_against_the_model(detector: Detector) -> None:
    """Evidence, alarm and count."""
    detector.update(measured(collapse(detector.name)))
    detector.reset()
    found = detector.evidence()

    assert not found.alarmed
    assert found.n == 0
    assert found.log_e < 0


def test_the_alarm_level_is_at_least_that_of_theory(detector: Detector) -> None:
    """And above anything the reference itself shows."""
    assert detector.threshold >= LOG_A
    assert detector.threshold >= detector.highest


def test_a_row_costs_little(detector: Detector) -> None:
    """Nine detectors together have to keep up with thousands of rows a second."""
    rows = measured(healthy(2_000, 41))
    start = time.process_time()
    found = detector.update(rows)

    assert isinstance(found, Evidence)
    assert (time.process_time() - start) / len(rows) < 200e-6
