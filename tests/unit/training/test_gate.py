"""The gate lets a model through that knows something, and names what is wrong with the others."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.calibration import Calibration, softmax
from plumbline.bundle.finding import Verdict
from plumbline.bundle.policy import DecisionPolicy
from plumbline.store.prediction import PredictionBatch
from plumbline.training.dataset import Dataset
from plumbline.training.gate import Head, input_clean, judge
from plumbline.training.live import LiveRows
from plumbline.training.seal import build_reference
from tests.support.markets import HOUR, START

LENGTH, FEATURES, ROWS = 4, 31, 1500
WEIGHTS = np.random.default_rng(7).normal(0, 0.35, (FEATURES, 3))
BASE = np.log([0.18, 0.64, 0.18])


def sound(windows):
    """Answer with the very probabilities the labels were drawn from."""
    return (windows[:, -1] @ WEIGHTS + BASE).astype(np.float32)


def dataset(seed=0) -> Dataset:
    """Persistent features, and labels that follow from the newest of them, by chance."""
    rng = np.random.default_rng(seed)
    features = np.zeros((ROWS, FEATURES))
    for row in range(1, ROWS):
        features[row] = 0.8 * features[row - 1] + rng.normal(0, 0.6, FEATURES)
    p = softmax(features @ WEIGHTS + BASE)
    labels = (rng.random((ROWS, 1)) > p.cumsum(axis=1)).sum(axis=1).astype(np.int8)
    complete = np.arange(ROWS) >= LENGTH - 1
    return Dataset(
        time=START + HOUR * np.arange(ROWS, dtype=np.int64),
        symbol=np.full(ROWS, "WALK"),
        close=np.ones(ROWS),
        features=features.astype(np.float32),
        names=tuple(f"column_{i}" for i in range(FEATURES)),
        labels=labels,
        forward_return=np.zeros(ROWS),
        complete=complete,
        window_length=LENGTH,
    )


DATA = dataset()
REFERENCE_ROWS, VALIDATION = np.arange(LENGTH, 700), np.arange(700, ROWS)
HEAD = Head(Calibration.identity(3), DecisionPolicy(prior=(0.18, 0.64, 0.18)))


def judged(answer, *, live=None):
    reference = build_reference(DATA, REFERENCE_ROWS, answer, HEAD)
    return judge(DATA, VALIDATION, answer, HEAD, reference=reference, live=live)


def constant(windows):
    return np.tile(BASE, (len(windows), 1)).astype(np.float32)


def always_hold(windows):
    return (0.3 * (sound(windows) - BASE) + [-5.6, 5.0, -1.5]).astype(np.float32)


def noise(windows):
    mixed = np.random.default_rng(3).permutation(FEATURES)
    return (windows[:, -1, mixed] @ WEIGHTS + BASE).astype(np.float32)


LABEL_OF = {DATA.features[row].tobytes(): DATA.labels[row] for row in range(ROWS)}


def prophetic(windows):
    """Know the label by heart, nearly always."""
    known = np.array([LABEL_OF[window[-1].tobytes()] for window in windows])
    return (sound(windows) + 9 * np.eye(3)[known]).astype(np.float32)


def served(windows, *, hashes=None) -> LiveRows:
    n = len(windows)
    text = np.array([f"{row:016x}" for row in range(n)]) if hashes is None else hashes
    rows = PredictionBatch(
        prediction_id=text,
        time=np.arange(n),
        bar_time=START + HOUR * np.arange(n, dtype=np.int64),
        symbol=np.full(n, "WALK"),
        version=np.full(n, "v"),
        action=np.zeros(n, np.int8),
        logits=np.zeros((n, 3), np.float32),
        probabilities=np.full((n, 3), 1 / 3, np.float32),
        features=windows[:, -1],
        window_hash=text,
    )
    return LiveRows(rows, windows)


def test_a_model_that_knows_something_passes():
    """With its scores written down."""
    report = judged(sound)

    assert report.passed
    assert report.verdict is Verdict.HEALTHY
    assert report.metrics["log_loss"] < report.metrics["log_loss_constant"]
    assert report.reasons == ()


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (constant, Verdict.FLAT),
        (always_hold, Verdict.DOMINANT_ACTION),
        (noise, Verdict.NO_SIGNAL),
        (prophetic, Verdict.LEAK),
    ],
)
def test_a_model_with_a_fault_is_refused_by_name(answer, verdict):
    """The verdict and a reason a person can read."""
    report = judged(answer)

    assert not report.passed
    assert report.verdict is verdict
    assert report.reasons[0].startswith(f"{verdict.value} on 800 validation rows: ")


def test_too_few_validation_rows_do_not_pass():
    """What cannot be judged is not promoted."""
    reference = build_reference(DATA, REFERENCE_ROWS, sound, HEAD)
    report = judge(DATA, VALIDATION[:40], sound, HEAD, reference=reference)

    assert not report.passed
    assert report.verdict is Verdict.INSUFFICIENT_DATA


def test_a_model_that_collapses_on_what_is_served_is_refused():
    """Sound on validation, and the same answer to every window it has not been asked before."""
    windows = dataset(seed=1).windows(VALIDATION[:300])

    def half_blind(windows):
        known = np.array([window[-1].tobytes() in LABEL_OF for window in windows])
        return np.where(known[:, None], sound(windows), constant(windows))

    report = judged(half_blind, live=served(windows))

    assert not report.passed
    assert report.validation.verdict is Verdict.HEALTHY
    assert report.verdict is Verdict.FLAT
    assert report.reasons[0].startswith("flat on 300 served windows: ")


def test_a_sound_model_passes_on_what_is_served():
    """The same windows, and it follows them."""
    report = judged(sound, live=served(DATA.windows(VALIDATION[:300])))

    assert report.passed
    assert report.live is not None
    assert report.live.sized
    assert report.live.n == 300


def test_broken_inputs_accuse_nobody():
    """Repeated and zero-padded windows are left out before the model is judged on the rest."""
    windows = DATA.windows(VALIDATION[:300]).copy()
    windows[:100, :, :11] = 0
    windows[100:120] = windows[100]
    windows[120:150, 1:] = windows[120:150, :1]
    text = np.array([f"{row:016x}" for row in range(300)])
    text[100:120] = text[100]
    live = served(windows, hashes=text)
    clean = input_clean(live, build_reference(DATA, REFERENCE_ROWS, sound, HEAD))

    assert clean[:100].sum() == 0
    assert clean[100:120].sum() == 1
    assert clean[120:150].sum() == 0
    assert clean[150:].all()
    assert judged(sound, live=live).passed


def test_nothing_served_is_no_evidence():
    """No windows at all, or none with sound inputs: the validation rows decide alone."""
    windows = np.zeros((80, LENGTH, FEATURES), np.float32)
    report = judged(sound, live=served(windows))

    assert report.passed
    assert report.live is not None
    assert report.live.verdict is Verdict.INSUFFICIENT_DATA
    assert judged(sound, live=served(windows[:0])).passed
