"""Bars or labels that were spoilt before a training: whatever it learns of them is not promoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.validation import ValidationReport
from plumbline.training.config import read_experiment
from tests.support.cheats import Ready, experiment_on, fitted, judged, restless

Poison = Callable[[Ready], ValidationReport]


def flipped(ready: Ready) -> ValidationReport:
    """What was SELL is taught as BUY, and judged as it was."""
    width = ready.material.experiment.outputs[0].width
    taught = ready.labelled(width - 1 - ready.truth)
    return judged(ready, fitted(taught))


def rotated(ready: Ready) -> ValidationReport:
    """Each class is taught as the next one: a table of names was read in another order."""
    width = ready.material.experiment.outputs[0].width
    return judged(ready, fitted(ready.labelled((ready.truth + 1) % width)))


def shuffled(ready: Ready) -> ValidationReport:
    """Labels of other rows."""
    return judged(ready, fitted(ready.labelled(ready.rng.permutation(ready.truth))))


def constant(ready: Ready) -> ValidationReport:
    """Every column stands still, as from a feed that stopped or an imputation that filled all."""
    still = ready.moved(np.ones_like(ready.features))
    return judged(still, fitted(still))


def frozen(ready: Ready) -> ValidationReport:
    """The bars of the newer half are one bar, again and again."""
    features = ready.features.copy()
    features[len(features) // 2 :] = features[len(features) // 2]
    stopped = ready.moved(features)
    return judged(stopped, fitted(stopped))


def label_among_the_columns(ready: Ready) -> ValidationReport:
    """The answer itself is a feature."""
    known = np.nan_to_num(ready.truth[:, :1])
    leaking = ready.moved(np.column_stack([ready.features, known]))
    return judged(leaking, fitted(leaking))


POISONS: tuple[Poison, ...] = (
    flipped,
    rotated,
    shuffled,
    constant,
    frozen,
    label_among_the_columns,
)


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ready]:
    """A generated market and the real bars that come with the demonstration."""
    folder = tmp_path_factory.mktemp("bars")
    return {
        "restless": Ready.of(experiment_on(folder / "restless.csv", restless())),
        "eurusd-1h": Ready.of(read_experiment("eurusd-1h", ["data.mirror=false"])),
    }


@pytest.mark.parametrize("market", ["restless", "eurusd-1h"])
@pytest.mark.parametrize("poison", POISONS, ids=lambda each: each.__name__)
def test_what_learnt_poison_is_refused(
    markets: dict[str, Ready], market: str, poison: Poison
) -> None:
    """With a reason, on real bars as on made ones; unpoisoned, most of these pass."""
    report = poison(replace(markets[market], seed=7))

    assert not report.passed
    assert report.reasons
