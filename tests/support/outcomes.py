"""Outcomes of predictions: drawn as the model says, turned round, or as somebody else knows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.diagnosis.outcomes.settled import Settled
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeBatch, OutcomeRow
from plumbline.store.prediction import PredictionBatch, PredictionRow
from tests.support import streams
from tests.support.monitored import ship


def drawn(probabilities: np.ndarray, seed: int) -> np.ndarray:
    """Return places ``(n,)`` that come as often as these probabilities say."""
    rng = np.random.default_rng(seed)
    cumulative = np.asarray(probabilities, np.float64).cumsum(axis=1)
    places = (rng.random(len(cumulative))[:, None] > cumulative).sum(axis=1)
    return np.minimum(places, probabilities.shape[1] - 1)


def settled(probabilities: np.ndarray, places: np.ndarray, *, first: int = 0) -> Settled:
    """Return rows of one choice, an hour apart, as a statistic takes them."""
    n = len(places)
    p = np.asarray(probabilities, np.float64)
    outputs = streams.OUTPUTS
    decision = outputs.decide(outputs.restore(p, np.zeros((n, 1))))
    assert decision.action is not None
    return Settled(
        moment=streams.START + (first + np.arange(n)) * streams.HOUR,
        centre=p,
        epistemic=np.zeros(n),
        action=decision.action,
        position=decision.position,
        size=decision.size,
        truth=np.asarray(places, np.float64),
    )


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities as a softmax of another temperature would have given them."""
    p = np.asarray(probabilities, np.float64) ** (1.0 / temperature)
    return p / p.sum(axis=1, keepdims=True)


def outcomes(
    rows: PredictionBatch,
    labels: Sequence[str],
    *,
    output: str = "h6",
    received: np.ndarray | None = None,
    known_at: np.ndarray | None = None,
) -> OutcomeBatch:
    """Return what became of rows, told a second after each was answered."""
    n = len(rows)
    arrived = rows.time + 1_000_000 if received is None else received
    return OutcomeBatch(
        prediction_id=rows.prediction_id,
        output=np.full(n, output),
        known_at=arrived if known_at is None else known_at,
        received=arrived,
        label=np.asarray(labels),
        value=np.full(n, np.nan),
    )


def tell(
    objects: Objects,
    bundle: Bundle,
    rows: Sequence[PredictionRow],
    places: Sequence[int],
    *,
    ago_seconds: float = 0.0,
) -> None:
    """Put outcomes of logged rows into the store, as if they had been sent so long ago."""
    spec = bundle.manifest.primary_output
    now = int((time.time() - ago_seconds) * 1e6)
    ship(
        objects,
        [
            OutcomeRow(row.prediction_id, now, now, row.model, spec.name, spec.choices[k], None)
            for row, k in zip(rows, places, strict=True)
        ],
    )
