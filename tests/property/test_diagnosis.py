"""What always holds of the judgement's arithmetic."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from plumbline.bundle.calibration import softmax
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.e_process import ALTERNATIVES, EProcess
from plumbline.diagnosis.entropy import entropy, mutual_information
from plumbline.diagnosis.null import LEVELS, bound
from plumbline.diagnosis.offset import restoring_offset
from plumbline.diagnosis.psi import psi
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.wilson import wilson
from tests.support.streams import choosing

LOGITS = arrays(np.float64, st.tuples(st.integers(0, 80), st.just(3)), elements=st.floats(-60, 60))
ALONE = Context(choosing((0.2, 0.6, 0.2)), ())


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_holds_the_share_and_stays_a_share(n: int, share: float, level: float) -> None:
    """Between zero and one, around the point estimate, narrower with more rows."""
    count = round(share * n)
    narrow, wide = wilson(10 * count, 10 * n, level=level), wilson(count, n, level=level)

    assert narrow is not None
    assert wide is not None
    assert 0 <= wide.low <= count / n <= wide.high <= 1
    assert narrow.high - narrow.low <= wide.high - wide.low + 1e-12


@given(LOGITS)
def test_entropy_and_information_are_bounded(logits: np.ndarray) -> None:
    """Nothing is known beyond log k, and never less than nothing."""
    probabilities = softmax(logits) if len(logits) else logits
    found = entropy(probabilities)
    information = mutual_information(probabilities)

    assert ((found >= 0) & (found <= math.log(3) + 1e-9)).all()
    assert information is None or 0 <= information <= math.log(3) + 1e-9


@given(LOGITS, st.permutations(range(80)))
@settings(max_examples=60)
def test_the_order_of_rows_without_features_does_not_matter(
    logits: np.ndarray, order: list[int]
) -> None:
    """A shuffled sample gets the same verdict, and any finite sample gets one."""
    chosen = [i for i in order if i < len(logits)]
    verdicts = []
    for rows in (logits, logits[chosen]):
        p = softmax(rows) if len(rows) else rows
        readings = ALONE.outputs.restore(p, np.zeros((len(p), 1)))
        sample = Sample(readings, action=ALONE.outputs.decide(readings).action)
        verdicts.append(diagnose(sample, ALONE).verdict)

    assert verdicts[0] == verdicts[1]


@given(st.floats(0.001, 0.99))
def test_a_bet_is_fair_at_the_bound_and_loses_below_it(u: float) -> None:
    """The expectation of a stake's multiplier is one where the event is as likely as permitted."""
    for m in ALTERNATIVES:
        on, off = (1 - (1 - u) / m) / u, 1 / m
        for rate in (u, 0.5 * u, 0.0):
            assert rate * on + (1 - rate) * off <= 1 + 1e-9


@given(st.floats(0.01, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_evidence_of_a_null_stream_stays_below_its_bound(u: float, seed: int) -> None:
    """At its bound exactly, the stream reaches A = 10^6 within 300 rows 3 times in 10,000."""
    process = EProcess(np.full((2, 2, LEVELS), u))
    for event in (np.random.default_rng(seed).random((300, 2)) < u).astype(int).tolist():
        process.step("", event)

    assert process.log_e() < math.log(1e6)


@given(st.integers(0, 500), st.integers(1, 500))
def test_bounds_are_above_rates(on: int, more: int) -> None:
    """And shares of one."""
    found = float(bound(np.array(on), np.array(on + more)))

    assert on / (on + more) < found <= 1


@given(
    arrays(np.float64, 6, elements=st.floats(0.01, 1)),
    arrays(np.float64, 6, elements=st.floats(0.01, 1)),
)
def test_psi_is_symmetric_and_never_negative(left: np.ndarray, right: np.ndarray) -> None:
    """Zero only between equal shares."""
    left, right = left / left.sum(), right / right.sum()

    assert psi(left, right) >= -1e-12
    assert math.isclose(psi(left, right), psi(right, left), abs_tol=1e-9)
    assert psi(left, left) == 0


@given(
    arrays(np.float64, (40, 3), elements=st.floats(-3, 3)),
    arrays(np.float64, 3, elements=st.floats(0.1, 1)),
)
@settings(max_examples=40, deadline=None)
def test_the_restoring_offset_restores(logits: np.ndarray, shares: np.ndarray) -> None:
    """After it, the mean probabilities are the shares asked for."""
    target = shares / shares.sum()
    offset = restoring_offset(softmax(logits), target)
    restored = softmax(np.log(softmax(logits)) + offset).mean(axis=0)

    assert np.abs(restored - target).max() < 0.02
