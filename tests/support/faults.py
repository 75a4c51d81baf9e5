"""What can go wrong, as functions on logits ``(n, k)`` and on input windows ``(n, t, f)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from plumbline.bundle.finding import Verdict

OutputFault: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the sound logits, and the reference's, to what the broken model says."""

InputFault: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the sound windows, and the reference's features, to what the broken client sends."""

I1_MEAN, I1_SD = np.array([-5.64, 5.04, -1.51]), np.array([0.66, 1.01, 1.56])
I4_MEAN, I4_SD = np.array([4.7, 0.3, -3.65]), np.array([0.4, 0.45, 0.65])
PADDED = 11


def like(mean: np.ndarray, sd: np.ndarray) -> OutputFault:
    """Return the fault of a model whose logits vary as much as it says, and no more."""

    def fault(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return mean + sd * (logits - reference.mean(axis=0)) / reference.std(axis=0)

    return fault


def noise(mean: np.ndarray, sd: np.ndarray, seed: int = 0) -> OutputFault:
    """Return the same, varying with nothing at all."""

    def fault(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return mean + sd * np.random.default_rng(seed).normal(size=logits.shape)

    return fault


def shrunk(factor: float) -> OutputFault:
    """Return the fault of a model that answers ``factor`` times less."""

    def fault(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
        centre = reference.mean(axis=0)
        return centre + (logits - centre) / factor

    return fault


def biased(kind: int, nats: float) -> OutputFault:
    """Return the fault of a constant on one class."""

    def fault(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return logits + nats * np.eye(logits.shape[1])[kind]

    return fault


def scaled(factor: float) -> OutputFault:
    """Return the fault of a lost temperature."""

    def fault(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return factor * logits

    return fault


OUTPUT_FAULTS: dict[str, tuple[OutputFault, frozenset[Verdict]]] = {
    "I1 logits": (like(I1_MEAN, I1_SD), frozenset({Verdict.DOMINANT_ACTION})),
    "I1 logits, noise": (noise(I1_MEAN, I1_SD), frozenset({Verdict.DOMINANT_ACTION})),
    "I4 logits": (like(I4_MEAN, I4_SD), frozenset({Verdict.DOMINANT_ACTION})),
    "constant": (shrunk(1e12), frozenset({Verdict.FLAT})),
    "shrunk 1000x": (shrunk(1_000), frozenset({Verdict.FLAT})),
    "shrunk 100x": (shrunk(100), frozenset({Verdict.FLAT})),
    "shrunk 10x": (shrunk(10), frozenset({Verdict.FLAT})),
    "SELL +1.2": (biased(0, 1.2), frozenset({Verdict.BIAS_SHIFT})),
    "HOLD +1.2": (biased(1, 1.2), frozenset({Verdict.BIAS_SHIFT})),
    "BUY +1.2": (biased(2, 1.2), frozenset({Verdict.BIAS_SHIFT})),
    "HOLD -1.2": (biased(1, -1.2), frozenset({Verdict.BIAS_SHIFT})),
    "logits x 6": (
        scaled(6),
        frozenset(
            {Verdict.OVER_DISPERSED, Verdict.BIAS_SHIFT, Verdict.SATURATED, Verdict.DOMINANT_ACTION}
        ),
    ),
}
"""By name: the fault, and the verdicts that are right."""

CALIBRATED = frozenset({"SELL +1.2", "HOLD +1.2", "BUY +1.2", "HOLD -1.2"})
"""Faults that are stated in log-probabilities: on logits before a temperature, times that."""


def padded(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Zero the last columns."""
    windows = windows.copy()
    windows[:, :, -PADDED:] = 0.0
    return windows


def frozen(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Repeat the first window."""
    return np.repeat(windows[:1], len(windows), axis=0)


def trembling(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Repeat the first window, with numeric jitter."""
    jitter = np.random.default_rng(0).normal(size=windows.shape) * reference.std(axis=0)
    return (windows[:1] + 1e-6 * jitter).astype(np.float32)


def stale(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Hold the first columns where they are."""
    windows = windows.copy()
    windows[:, :, :PADDED] = windows[0, -1, :PADDED]
    return windows


def imputed(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Fill the first columns with their means."""
    windows = windows.copy()
    windows[:, :, :PADDED] = reference[:, :PADDED].mean(axis=0)
    return windows


def rescaled(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Send three columns in another unit."""
    windows = windows.copy()
    windows[:, :, [0, 3, 7]] *= 3.0
    return windows


def permuted(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Send eight columns in another order."""
    order = np.arange(windows.shape[2])
    order[:8] = np.roll(order[:8], 1)
    return windows[:, :, order]


def shifted(windows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Add four standard deviations to one column."""
    windows = windows.copy()
    windows[:, :, 3] += 4.0 * reference[:, 3].std()
    return windows


INPUT_FAULTS: dict[str, tuple[InputFault, frozenset[Verdict]]] = {
    "zero-padded, 11 columns": (padded, frozenset({Verdict.SCHEMA_SKEW})),
    "frozen": (frozen, frozenset({Verdict.FROZEN_FEED})),
    "frozen, jitter": (trembling, frozenset({Verdict.FROZEN_FEED})),
    "stale, 11 columns": (stale, frozenset({Verdict.STALE_FEATURES})),
    "mean-imputed, 11 columns": (imputed, frozenset({Verdict.STALE_FEATURES})),
    "x 3, 3 columns": (rescaled, frozenset({Verdict.SCHEMA_SKEW})),
    "permuted, 8 columns": (permuted, frozenset({Verdict.SCHEMA_SKEW})),
    "shifted 4 sd, 1 column": (shifted, frozenset({Verdict.SCHEMA_SKEW})),
}
"""By name: the fault, and the verdicts that are right."""
