"""Rows of the prediction log, made up but whole."""

from __future__ import annotations

import hashlib

import numpy as np

from plumbline.store.outcome import OutcomeRow
from plumbline.store.prediction import PredictionRow

NOON = 1_500_033_600_000_000
"""2017-07-14 12:00 UTC in microseconds."""


def prediction_row(
    number: int,
    *,
    time: int | None = None,
    features: int = 4,
    window: int | None = None,
    version: str = "0123456789abcdef",
    model: str = "eurusd-1h",
    prediction_id: str | None = None,
) -> PredictionRow:
    """Return a row whose numbers depend on ``number`` alone; one second apart by default."""
    rng = np.random.default_rng(number)
    values = rng.normal(size=(window or 1, features)).astype(np.float32)
    logits = rng.normal(size=3).astype(np.float32)
    weights = np.exp(logits)
    return PredictionRow(
        prediction_id=prediction_id or f"p-{number:06d}",
        time=NOON + number * 1_000_000 if time is None else time,
        bar_time=None if number % 2 else NOON,
        symbol="EURUSD",
        model=model,
        version=version,
        action=int(logits.argmax()),
        logits=logits.tobytes(),
        probabilities=(weights / weights.sum()).astype(np.float32).tobytes(),
        features=values[-1].tobytes(),
        window_hash=hashlib.sha256(values.tobytes()).hexdigest()[:16],
        latency_us=900 + number % 100,
        window=None if window is None else values.tobytes(),
    )


def prediction_rows(numbers: range, **how: int | str) -> list[PredictionRow]:
    """Return one row for each number."""
    return [prediction_row(number, **how) for number in numbers]  # type: ignore[arg-type]


def outcome_row(
    prediction_id: str,
    *,
    time: int = NOON,
    received: int = NOON,
    label: str | None = "BUY",
    forward_return: float | None = 0.002,
    model: str = "eurusd-1h",
) -> OutcomeRow:
    """Return an outcome."""
    return OutcomeRow(prediction_id, time, received, model, label, forward_return)
