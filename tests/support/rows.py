"""Rows of the prediction log, made up but whole."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np

from plumbline.store.outcome import OutcomeRow
from plumbline.store.prediction import PredictionRow, ShadowRow

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
    raw = rng.normal(size=3).astype(np.float32)
    weights = np.exp(raw)
    return PredictionRow(
        prediction_id=prediction_id or f"p-{number:06d}",
        seq=number,
        time=NOON + number * 1_000_000 if time is None else time,
        bar_time=None if number % 2 else NOON,
        symbol="EURUSD",
        group="" if number % 3 else f"g-{number // 10}",
        client="",
        model=model,
        version=version,
        latency_us=900 + number % 100,
        raw=raw.tobytes(),
        centre=(weights / weights.sum()).astype(np.float32).tobytes(),
        epistemic=np.zeros(1, np.float32).tobytes(),
        action=None if number % 5 == 4 else int(raw.argmax()),
        position=float(number % 3 - 1),
        size=number % 7 / 70,
        features=values[-1].tobytes(),
        inputs_hash=hashlib.sha256(values.tobytes()).hexdigest()[:16],
        window=None if window is None else values.tobytes(),
    )


def prediction_rows(numbers: range, **how: int | str) -> list[PredictionRow]:
    """Return one row for each number."""
    return [prediction_row(number, **how) for number in numbers]  # type: ignore[arg-type]


def shadow_row(number: int, **how: int | str) -> ShadowRow:
    """Return what a challenger would have answered to the same."""
    row = prediction_row(number, **how)  # type: ignore[arg-type]
    return ShadowRow(**{field.name: getattr(row, field.name) for field in fields(row)})


def outcome_row(
    prediction_id: str,
    *,
    known_at: int = NOON,
    received: int = NOON,
    output: str = "h6",
    label: str | None = "BUY",
    value: float | None = 0.002,
    model: str = "eurusd-1h",
) -> OutcomeRow:
    """Return an outcome."""
    return OutcomeRow(prediction_id, known_at, received, model, output, label, value)
