"""What the answers of the story really were: the numbers that the panels must come to."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray
from tests.support.story.script import TICKS, Model, answers, serves

HOUR, RECENT = 3600, 300


class Window:
    """The answers of one version in a window of the story, all replicas together."""

    def __init__(self, model: Model, version: str, at: int, seconds: int) -> None:
        inside = (at - seconds < TICKS) & (at >= TICKS) & serves(model, version)
        said = [answers(model, instance) for instance in model.instances]
        self._model = model
        self.probabilities = np.concatenate([one.probabilities[inside] for one in said], axis=1)
        self.coordinates = np.concatenate([one.coordinates[inside] for one in said], axis=1)

    def share(self, action: str) -> float:
        """Share of an action."""
        taken = self.probabilities.argmax(axis=2)
        return float(np.mean(taken == self._model.choices.index(action)))

    def probability(self, choice: str) -> float:
        """Mean probability of a choice."""
        return float(self._mean()[self._model.choices.index(choice)])

    def confidence(self) -> float:
        """Mean of the largest probability."""
        return float(self.probabilities.max(axis=2).mean())

    def confident(self, bound: float) -> int:
        """How many answers were at most so confident."""
        return int((self.probabilities.max(axis=2) <= bound).sum())

    def information(self) -> float:
        """Mutual information of input and answer, in nats."""
        return max(_entropy(self._mean()) - float(_entropies(self.probabilities).mean()), 0.0)

    def variety(self) -> float:
        """Entropy of the shares over that of equal shares, corrected as Miller (1955) does."""
        shares = np.array([self.share(action) for action in self._model.choices])
        taken = shares[shares > 0]
        count = self.probabilities.shape[0] * self.probabilities.shape[1]
        corrected = _entropy(taken) + (len(taken) - 1) / (2 * count)
        return float(corrected / np.log(len(shares)))

    def shift(self, coordinate: str) -> float:
        """Mean of a coordinate, in reference standard deviations."""
        return float(self._column(coordinate).mean())

    def spread(self, coordinate: str) -> float:
        """Standard deviation of a coordinate, over that of the reference."""
        return float(self._column(coordinate).std())

    def _column(self, coordinate: str) -> FloatArray:
        place = self._model.coordinates.index(coordinate)
        column: FloatArray = self.coordinates[:, :, place]
        return column

    def _mean(self) -> FloatArray:
        mean: FloatArray = self.probabilities.mean(axis=(0, 1))
        return mean


def _entropies(probabilities: FloatArray) -> FloatArray:
    found: FloatArray = -(probabilities * np.log(probabilities)).sum(axis=-1)
    return found


def _entropy(probabilities: FloatArray) -> float:
    return float(_entropies(probabilities[probabilities > 0]))
