"""Seeded streams of a small market and a model that follows it, for judging the judges.

Hidden regimes drift and calm the market; factors persist; the features are mixtures of them in
which a few columns are sums of others, one has a daily season and one is often exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.calibration import ChoiceCalibration, softmax
from plumbline.bundle.manifest import PolicySpec
from plumbline.bundle.outputs import Outputs, write_calibrations
from plumbline.bundle.policies.argmax import ArgmaxParams, ArgmaxPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.sample import Context, Sample
from plumbline.store.prediction import PredictionBatch
from tests.support.bundles import choice_output, small_bundle

HOUR = 3_600_000_000
START = 1_500_000_000_000_000
COLUMNS = 14
CLASSES = 3
PRIOR = (0.17, 0.65, 0.18)
LONG = 13_000
SHORT = 1_500


def market(rows: int, seed: int) -> np.ndarray:
    """Return features ``(rows, COLUMNS) float32`` of one stretch of market."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows + 200, 5))
    volatility = np.zeros(rows + 200)
    factors = np.zeros((rows + 200, 5))
    calm = 0.0
    for step in range(1, rows + 200):
        if rng.random() < 1 / 150:
            calm = float(rng.choice([-0.4, 0.0, 0.3]))
        volatility[step] = 0.97 * volatility[step - 1] + 0.03 * calm + 0.06 * rng.normal()
        factors[step] = 0.9 * factors[step - 1] + noise[step] * np.exp(volatility[step]) * 0.4
    x, size = factors[200:], np.exp(volatility[200:])
    mixed = x @ np.random.default_rng(0).normal(size=(5, 6))
    hour = np.arange(rows) + seed
    columns = [
        *x.T,
        *(mixed + 0.1 * rng.normal(size=mixed.shape)).T,
        size + 0.05 * rng.normal(size=rows),
        np.sin(2 * np.pi * hour / 24),
        np.maximum(x[:, 0] - 0.5, 0.0),
    ]
    return np.column_stack(columns).astype(np.float32)


def head(features: np.ndarray) -> np.ndarray:
    """Return the logits ``(n, 3) float64`` that a sound model gives for these features."""
    weights = np.random.default_rng(1).normal(0, 0.25, (5, CLASSES))
    x = np.asarray(features[:, :5], np.float64)
    return x @ weights + 0.1 * np.tanh(x[:, :1]) * (1, 0, -1) + np.log(PRIOR)


@dataclass(frozen=True)
class Stream:
    """Rows in time order with what the model says of them."""

    features: np.ndarray
    logits: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """Calibrated."""
        return softmax(self.logits).astype(np.float32)

    @property
    def actions(self) -> np.ndarray:
        """Of the policy."""
        return OUTPUTS.policy.choose(self.probabilities)

    def __len__(self) -> int:
        return len(self.features)

    def __add__(self, other: Stream) -> Stream:
        return Stream(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.logits, other.logits]),
        )

    def rows(self, start: int, stop: int) -> Stream:
        """Return some of the rows."""
        return Stream(self.features[start:stop], self.logits[start:stop])

    def saying(self, logits: np.ndarray) -> Stream:
        """Return the same inputs with other outputs."""
        return Stream(self.features, np.asarray(logits, np.float64))

    def shown(self, features: np.ndarray) -> Stream:
        """Return what the same model says of other inputs."""
        return Stream(features.astype(np.float32), head(features))

    def sample(self, labels: np.ndarray | None = None) -> Sample:
        """Return the rows as a sample; -1 stands for an unknown label."""
        truth = None if labels is None else np.where(labels >= 0, labels, np.nan)[:, None]
        return Sample(
            readings=OUTPUTS.restore(self.probabilities, np.zeros((len(self), 1))),
            action=self.actions,
            features=self.features,
            truth=truth,
        )

    def batch(self, version: str, *, symbol: str = "WALK", first: int = 0) -> PredictionBatch:
        """Return the rows as the log gives them out; ids are the row numbers from ``first`` on."""
        n = len(self)
        number = np.arange(first, first + n)
        decision = OUTPUTS.decide(OUTPUTS.restore(self.probabilities, np.zeros((n, 1))))
        return PredictionBatch(
            prediction_id=number.astype(str),
            seq=number,
            time=START + number * 1_000,
            bar_time=START + number * HOUR,
            symbol=np.full(n, symbol),
            group=np.full(n, ""),
            client=np.full(n, ""),
            version=np.full(n, version),
            action=self.actions.astype(np.int8),
            position=decision.position,
            size=decision.size,
            raw=self.logits.astype(np.float32),
            centre=self.probabilities,
            epistemic=np.zeros((n, 1), np.float32),
            features=self.features,
            inputs_hash=np.array([f"{hash(row.tobytes()):x}" for row in self.features]),
            window=np.full(n, None),
        )


def choosing(prior: tuple[float, ...]) -> Outputs:
    """Return one choice as it comes, decided under this prior."""
    spec = choice_output(len(prior))
    identity = ChoiceCalibration.identity(len(prior))
    return Outputs((spec,), {spec.name: identity}, ArgmaxPolicy(ArgmaxParams(prior=prior), spec))


POLICY = PolicySpec(kind="argmax", parameters={"prior": list(PRIOR)})
OUTPUTS = choosing(PRIOR)
OUTPUT = OUTPUTS.primary


@cache
def healthy(rows: int, seed: int) -> Stream:
    """Return a stretch in which the model is sound."""
    features = market(rows, seed)
    return Stream(features, head(features))


def profile(stream: Stream, *, seed: int = 0) -> ReferenceProfile:
    """Return a stream as a reference, with labels drawn from its probabilities."""
    rng = np.random.default_rng(seed)
    cumulative = stream.probabilities.astype(np.float64).cumsum(axis=1)
    labels = (rng.random(len(stream))[:, None] > cumulative).sum(axis=1).clip(0, CLASSES - 1)
    return ReferenceProfile(
        bar_time=START - HOUR * np.arange(len(stream), 0, -1),
        symbol=np.full(len(stream), "WALK"),
        group=np.arange(len(stream)),
        features=stream.features,
        raw=stream.logits.astype(np.float32),
        centre=stream.probabilities,
        epistemic=np.zeros((len(stream), 1), np.float32),
        action=stream.actions.astype(np.int8),
        position=np.zeros(len(stream), np.float32),
        size=np.zeros(len(stream), np.float32),
        truth=labels.astype(np.float64)[:, None],
    )


@cache
def context(rows: int = SHORT) -> Context:
    """Return what streams are held against: a reference of this length."""
    names = tuple(f"feature_{i}" for i in range(COLUMNS))
    return Context(OUTPUTS, names, profile(healthy(rows, 1_000)))


@cache
def bundle(rows: int = SHORT, *, version_seed: int = 0) -> Bundle:
    """Return a bundle with that reference; another seed gives another version."""
    manifest, files = small_bundle(features=COLUMNS, window=1, seed=version_seed)
    files = files | {
        "reference.npz": profile(healthy(rows, 1_000)).to_bytes(),
        "calibration.json": write_calibrations(OUTPUTS.calibrations),
    }
    digests = {name: digest_of(data) for name, data in files.items()}
    return Bundle(manifest.model_copy(update={"policy": POLICY, "files": digests}), files)


def joined(*batches: PredictionBatch) -> PredictionBatch:
    """Return batches one after the other."""
    names = [each.name for each in fields(PredictionBatch)]
    return PredictionBatch(
        **{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names}
    )


def interleaved(left: PredictionBatch, right: PredictionBatch) -> PredictionBatch:
    """Return the rows of two batches of one length in turn, numbered anew."""
    order = np.arange(2 * len(left)).reshape(2, -1).T.ravel()
    both = joined(left, right).take(order)
    return replace(both, prediction_id=np.arange(len(order)).astype(str))
