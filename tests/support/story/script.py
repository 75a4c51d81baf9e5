"""What happens in the story, when, and what the models answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from plumbline.bundle.array import FloatArray

START = 1_772_438_400
"""2026-03-02 08:00 UTC, a Monday; everything below is in seconds since then."""
TICK = 60
END = 206 * 60
MINUTE = 60

HEALTHY = 85 * MINUTE
"""A moment before anything happens; windows of an hour are full."""
COLLAPSE = 90 * MINUTE
ALARM = 93 * MINUTE
RETRAIN = 94 * MINUTE
SECOND = 100 * MINUTE
SHADOW = 106 * MINUTE
PROMOTION = 112 * MINUTE
RECOVERY = 118 * MINUTE
COLLAPSED = 104 * MINUTE
"""A moment in the middle of the collapse: the second retrain runs."""
FREEZE = 160 * MINUTE
FROZEN_ALARM = 163 * MINUTE
RECOVERED = 150 * MINUTE
"""A moment after: the new version is well; the window of an hour still has a little of the old."""
TROUBLE = 20 * MINUTE
"""When a few small things go wrong: see `telling`."""
FROZEN = 185 * MINUTE
"""A moment when the feed of the other model stands still."""

ACTIONS = ("SELL", "HOLD", "BUY")
OLD, NEW = "3f2a91c07be4d158", "9c41d7e02ab6f835"
ATTEMPT_LIMIT = 2


@dataclass(frozen=True)
class Model:
    """A model of the story.

    Attributes
    ----------
    interval
        Of its bars, in seconds.
    instances
        The replicas that serve it.
    per_tick
        Answers of each replica in a tick.
    """

    name: str
    interval: int
    instances: tuple[str, ...]
    per_tick: int
    output: str = "action"
    choices: tuple[str, ...] = ACTIONS
    versions: tuple[str, ...] = (OLD,)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """What its output is made of."""
        return self.choices or ("value",)


EURUSD = Model("eurusd-1m", 60, ("10.1.0.11:3002", "10.1.0.12:3002"), 60, versions=(OLD, NEW))
BTCUSD = Model("btcusd-5m", 300, ("10.1.0.21:3002",), 30)
GOLD = Model("gold-1h", 3600, ("10.1.0.31:3002",), 4, output="forecast", choices=())
MODELS = (EURUSD, BTCUSD, GOLD)
MONITORS = {EURUSD: "10.1.0.13:3001", BTCUSD: "10.1.0.23:3001", GOLD: "10.1.0.33:3001"}

TICKS = np.arange(0, END, TICK)
"""When Prometheus scraped."""


@dataclass(frozen=True)
class Answers:
    """What a replica answered in each tick.

    Attributes
    ----------
    probabilities
        (ticks, n, 3) of a choice.
    coordinates
        (ticks, n, k) in reference standard deviations from the reference mean.
    """

    probabilities: FloatArray
    coordinates: FloatArray

    @property
    def actions(self) -> np.ndarray:
        """(ticks, n) the most probable choice."""
        return self.probabilities.argmax(axis=2)

    @property
    def entropy(self) -> FloatArray:
        """(ticks, n) in nats."""
        return -(self.probabilities * np.log(self.probabilities)).sum(axis=2)


CENTRE = np.log([0.3, 0.4, 0.3])
_SCALE = 0.55


@cache
def answers(model: Model, instance: str) -> Answers:
    """Return what a replica said, all versions in turn; the same each time."""
    rng = np.random.default_rng([MODELS.index(model), model.instances.index(instance)])
    shape = (len(TICKS), model.per_tick, len(model.coordinates))
    noise = rng.normal(size=shape)
    if not model.choices:
        return Answers(np.ones(shape), noise)
    noise -= noise.mean(axis=2, keepdims=True)
    scale = np.full(len(TICKS), 1.0)
    offset = np.zeros((len(TICKS), 3))
    if model is EURUSD:
        flat = (TICKS > COLLAPSE) & (TICKS <= PROMOTION)
        scale[flat] = 2e-6
        offset[TICKS > PROMOTION] = [0.05, -0.1, 0.05]
    if model is BTCUSD:
        noise[TICKS > FREEZE] = noise[TICKS.searchsorted(FREEZE), 0]
    logits = CENTRE + offset[:, None, :] + _SCALE * scale[:, None, None] * noise
    weights = np.exp(logits)
    probabilities = weights / weights.sum(axis=2, keepdims=True)
    ratios = np.log(probabilities)
    ratios -= ratios.mean(axis=2, keepdims=True)
    return Answers(probabilities, (ratios - (CENTRE - CENTRE.mean())) / reference_std())


def reference_std() -> float:
    """The spread of each coordinate in the reference: that of centred noise of three."""
    return float(_SCALE * np.sqrt(2 / 3))


def serves(model: Model, version: str) -> np.ndarray:
    """(ticks,) whether this version answered in the tick that ended then."""
    if model is not EURUSD:
        return np.full(len(TICKS), True)
    old = TICKS <= PROMOTION
    return old if version == OLD else ~old


def verdicts(model: Model, version: str) -> list[str | None]:
    """Return the monitor's word on a version at each scrape; None while it does not judge it."""
    if model is BTCUSD:
        return ["frozen_feed" if at >= FROZEN_ALARM else "healthy" for at in TICKS]
    if model is GOLD:
        return ["healthy"] * len(TICKS)
    if version == OLD:
        return [None if at > PROMOTION else "flat" if at >= ALARM else "healthy" for at in TICKS]
    settled = PROMOTION + 3 * MINUTE
    return [
        None if at <= PROMOTION else "insufficient_data" if at < settled else "healthy"
        for at in TICKS
    ]


def incident_status(at: float) -> str | None:
    """Return where the incident of `eurusd-1m` stood; None while none was open."""
    if at < ALARM or at >= RECOVERY:
        return None
    steps = {RETRAIN: "open", SHADOW: "retraining", PROMOTION: "shadowing"}
    return next((status for until, status in steps.items() if at < until), "watching")
