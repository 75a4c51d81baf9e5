"""What the log shows of clients that keep a history: seeded bars, windows, faults and mishaps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from plumbline.bundle.inputs import inputs_hash
from plumbline.store.prediction import PredictionBatch

HOUR = 3_600_000_000
FIRST = 1_499_990_400_000_000
"""2017-07-14 00:00 UTC, a Friday."""

Sent = Callable[[np.ndarray, int], np.ndarray]
"""From a sound window ``(T, F)`` and the number of its bar to what the client sends."""


def columns(bars: int, width: int, seed: int = 0) -> np.ndarray:
    """Return columns ``(bars, width) float32`` that persist, each on a level of its own."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(bars, width))
    for bar in range(1, bars):
        values[bar] = 0.9 * values[bar - 1] + 0.44 * values[bar]
    return (values + np.arange(width) / width).astype(np.float32)


def sound(window: np.ndarray, _: int) -> np.ndarray:
    """Return the window as it is."""
    return window


@dataclass
class Client:
    """One program that asks about one symbol, bar by bar, from a history of its own.

    Attributes
    ----------
    values : (bars, F) float32
        What it computes of each bar.
    times : (bars,) int64
        Open times of the bars.
    sent
        What it makes of a window; by default it is sound.
    """

    values: np.ndarray
    window: int
    times: np.ndarray
    symbol: str = "EURUSD"
    name: str = ""
    sent: Sent = sound

    @classmethod
    def hourly(cls, bars: int, width: int, window: int, *, seed: int = 0, **how: object) -> Client:
        """Return a client of bars without a gap."""
        times = FIRST + HOUR * np.arange(bars)
        return cls(columns(bars, width, seed), window, times, **how)  # type: ignore[arg-type]

    def rows(self, bars: range, *, ratio: float = 0.1, seed: int = 7) -> PredictionBatch:
        """Return the log of these bars; a share of the windows is logged whole."""
        kept = np.random.default_rng(seed).random(len(self.times)) < ratio
        windows = [
            np.ascontiguousarray(
                self.sent(self.values[bar + 1 - self.window : bar + 1].copy(), bar), np.float32
            )
            for bar in bars
        ]
        n = len(bars)
        whole = np.empty(n, object)
        whole[:] = [
            window.tobytes() if kept[bar] else None
            for window, bar in zip(windows, bars, strict=True)
        ]
        return PredictionBatch(
            prediction_id=np.array([f"{self.symbol}-{self.name}-{bar}" for bar in bars]),
            seq=np.arange(n),
            time=self.times[bars] + HOUR + 2_000_000,
            bar_time=self.times[bars],
            symbol=np.full(n, self.symbol),
            group=np.full(n, ""),
            client=np.full(n, self.name),
            version=np.full(n, "v"),
            action=np.zeros(n, np.int8),
            position=np.zeros(n),
            size=np.zeros(n),
            raw=np.zeros((n, 3), np.float32),
            centre=np.zeros((n, 3), np.float32),
            epistemic=np.zeros((n, 1), np.float32),
            features=np.stack([window[-1] for window in windows]),
            inputs_hash=np.array([inputs_hash(window.tobytes()) for window in windows]),
            window=whole,
        )


def in_log_order(batches: list[PredictionBatch]) -> PredictionBatch:
    """Return the rows of several clients as the log has them: by time, ties as given."""
    names = PredictionBatch.__dataclass_fields__
    both = PredictionBatch(
        **{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names}
    )
    return both.take(np.argsort(both.time, kind="stable"))


def later(batch: PredictionBatch, microseconds: int) -> PredictionBatch:
    """Return the rows as if they had been answered later."""
    return replace(batch, time=batch.time + microseconds)
