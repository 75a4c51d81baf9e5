"""The watcher on real bars: a plain model of EUR/USD hours, replayed on months it has not seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.calibration import softmax
from plumbline.bundle.finding import Verdict
from plumbline.bundle.manifest import PolicySpec
from plumbline.bundle.outputs import write_calibrations
from plumbline.bundle.reference import ReferenceProfile
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.prediction import PredictionBatch
from plumbline.training.data import read_bars, resolve
from plumbline.training.feature_sets.intraday_31 import NAMES
from plumbline.training.feature_table import build_table, resolve_feature_set
from tests.support.bundles import small_bundle
from tests.support.faults import INPUT_FAULTS, OUTPUT_FAULTS
from tests.support.streams import choosing

TRAINED, REFERENCE = 2_600, 1_400
HORIZON, BAND = 6, 0.00166
FINE = {Verdict.HEALTHY, Verdict.REGIME}


@cache
def material() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times, features and labels of the rows whose features are whole."""
    (bars,) = read_bars(resolve("eurusd-1h", symbol="EURUSD", time_format=None))
    features = build_table(resolve_feature_set("intraday_31", {}, [bars]), bars)
    change = np.full(len(bars), np.nan)
    change[:-HORIZON] = bars.close[HORIZON:] / bars.close[:-HORIZON] - 1
    labels = np.where(change > BAND, 2, np.where(change < -BAND, 0, 1))
    whole = np.isfinite(features).all(axis=1) & np.isfinite(change)
    return bars.time[whole], features[whole], labels[whole]


@cache
def model() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit a softmax regression on the first rows: centre, scale, weights."""
    _, features, labels = material()
    x = features[:TRAINED].astype(np.float64)
    centre, scale = x.mean(axis=0), x.std(axis=0)
    design = np.hstack([np.clip((x - centre) / scale, -4, 4), np.ones((TRAINED, 1))])
    target = np.eye(3)[labels[:TRAINED]]
    weights = np.zeros((design.shape[1], 3))
    for _ in range(300):
        gradient = design.T @ (softmax(design @ weights) - target) / TRAINED
        weights -= 0.3 * (gradient + 0.01 * weights)
    return centre, scale, weights


def answer(features: np.ndarray) -> np.ndarray:
    """Return logits ``(n, 3)``."""
    centre, scale, weights = model()
    z = np.clip((np.asarray(features, np.float64) - centre) / scale, -4, 4)
    return np.hstack([z, np.ones((len(z), 1))]) @ weights


@cache
def bundle() -> Bundle:
    """Return a bundle whose reference is the rows after the trained ones."""
    time, features, labels = material()
    rows = slice(TRAINED + HORIZON, TRAINED + HORIZON + REFERENCE)
    shares = np.bincount(labels[:TRAINED], minlength=3) / TRAINED
    outputs = choosing(tuple(shares.tolist()))
    logits = answer(features[rows])
    probabilities = softmax(logits).astype(np.float32)
    none = np.zeros(REFERENCE, np.float32)
    reference = ReferenceProfile(
        bar_time=time[rows],
        symbol=np.full(REFERENCE, "EURUSD"),
        group=np.arange(REFERENCE),
        features=features[rows],
        raw=logits.astype(np.float32),
        centre=probabilities,
        epistemic=none[:, None],
        action=outputs.policy.choose(probabilities).astype(np.int8),
        position=none,
        size=none,
        truth=labels[rows].astype(np.float64)[:, None],
    )
    manifest, files = small_bundle(features=len(NAMES), window=1)
    files = files | {
        "reference.npz": reference.to_bytes(),
        "calibration.json": write_calibrations(outputs.calibrations),
    }
    (given,) = manifest.inputs
    parameters = outputs.policy.params.model_dump(mode="json")
    update = {
        "policy": PolicySpec(kind="argmax", parameters=parameters),
        "inputs": (given.model_copy(update={"names": NAMES}),),
        "files": {name: digest_of(data) for name, data in files.items()},
    }
    return Bundle(manifest.model_copy(update=update), files)


def served(features: np.ndarray, logits: np.ndarray | None = None) -> PredictionBatch:
    """Return what the log would hold; time goes on whatever the bars do."""
    said = answer(features) if logits is None else logits
    probabilities = softmax(said).astype(np.float32)
    n, outputs = len(features), bundle().outputs
    return PredictionBatch(
        prediction_id=np.arange(n).astype(str),
        seq=np.arange(n),
        time=np.arange(n),
        bar_time=3_600_000_000 * np.arange(n),
        symbol=np.full(n, "EURUSD"),
        group=np.full(n, ""),
        client=np.full(n, ""),
        version=np.full(n, bundle().version),
        action=outputs.policy.choose(probabilities).astype(np.int8),
        position=np.zeros(n),
        size=np.zeros(n),
        raw=said.astype(np.float32),
        centre=probabilities,
        epistemic=np.zeros((n, 1), np.float32),
        features=features.astype(np.float32),
        inputs_hash=np.array([f"{hash(row.tobytes()):x}" for row in features]),
        window=np.full(n, None),
    )


def held_out() -> np.ndarray:
    """Return the features of the months after the reference."""
    return material()[1][TRAINED + REFERENCE + 2 * HORIZON :]


def test_two_thousand_unseen_bars_stay_healthy() -> None:
    """Months after the reference ends, from wherever the replay starts."""
    bars = held_out()

    assert len(bars) >= 2_000
    for start in (0, 137, 700, 1_200):
        found = Watcher(bundle()).feed(served(bars[start:]))

        assert found
        assert {each.verdict for each in found} <= FINE


def test_replays_in_loops_and_jumps_stay_healthy() -> None:
    """As drills send them."""
    bars, rng = held_out(), np.random.default_rng(0)
    for length in (300, 700, 1_500):
        start = int(rng.integers(0, len(bars) - length))
        looped = np.tile(bars[start : start + length], (2_400 // length, 1))

        assert {each.verdict for each in Watcher(bundle()).feed(served(looped))} <= FINE
    for _ in range(3):
        starts = rng.integers(0, len(bars) - 100, 20)
        jumps = np.concatenate([bars[s : s + 100] for s in starts])

        assert {each.verdict for each in Watcher(bundle()).feed(served(jumps))} <= FINE


def test_the_quietest_stretch_is_not_a_collapse() -> None:
    """The 250 unseen bars with the most HOLD labels."""
    labels = material()[2][-len(held_out()) :]
    share = np.convolve(labels == 1, np.ones(250) / 250, "valid")
    start = int(share.argmax())
    found = Watcher(bundle()).feed(served(held_out()[start : start + 250]))

    assert {each.verdict for each in found} <= FINE


@pytest.mark.parametrize("name", OUTPUT_FAULTS)
def test_a_broken_model_is_named_on_real_bars(name: str) -> None:
    """Within two hundred predictions of when it breaks."""
    fault, right = OUTPUT_FAULTS[name]
    bars = held_out()[:700]
    logits = answer(bars)
    logits[300:] = fault(logits[300:], np.asarray(bundle().reference.raw, np.float64))
    found = [each for each in Watcher(bundle()).feed(served(bars, logits)) if each.rows > 300]

    assert found[0].verdict in right
    assert found[0].rows - 300 <= 200


@pytest.mark.parametrize("name", INPUT_FAULTS)
def test_a_broken_client_is_named_on_real_bars(name: str) -> None:
    """Within two hundred predictions, and without a word against the model."""
    fault, right = INPUT_FAULTS[name]
    bars = held_out()[:700].copy()
    bars[300:] = fault(bars[300:, None, :], bundle().reference.features)[:, 0]
    batch = served(bars)
    if name == "frozen":
        batch = replace(batch, bar_time=np.full(len(bars), -1))
    found = [each for each in Watcher(bundle()).feed(batch) if each.rows > 300]

    assert found[0].verdict in right
    assert found[0].rows - 300 <= 200
    assert all(each.diagnosis.remedy != "retrain" for each in found)
