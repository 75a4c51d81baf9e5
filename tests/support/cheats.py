"""Models that seem good and know nothing: made quickly, by regression, to be shown to the gate.

Each cheat is made of the material of a training as a careless or dishonest person would make it,
and judged as a training judges its network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.sample import Context
from plumbline.training.bars import Bars
from plumbline.training.calibrate import fit_calibrations
from plumbline.training.config import Experiment
from plumbline.training.gate import Ground, judge
from plumbline.training.gate.rival import Scale, clock_columns, fit_logistic, logistic
from plumbline.training.material import Material, prepare
from plumbline.training.seal import build_sample
from tests.support.markets import HOUR, START, write_csv


@dataclass(frozen=True)
class Ready:
    """Material with a last row for every bar, and which rows belong to which part."""

    material: Material
    features: FloatArray
    truth: FloatArray
    seed: int = 0

    @classmethod
    def of(cls, experiment: Experiment, seed: int = 0) -> Ready:
        """Prepare an experiment."""
        material = prepare(experiment)
        dataset = material.dataset
        return cls(material, np.nan_to_num(dataset.features), dataset.truth, seed)

    @property
    def rng(self) -> np.random.Generator:
        """The same draws for the same seed."""
        return np.random.default_rng(self.seed)

    def rows(self, part: str) -> IntArray:
        """Rows of a part that may teach or judge."""
        return self.material.dataset.rows(self.material.split, part)

    @property
    def returns(self) -> FloatArray:
        """What the price does over the horizon, in standard deviations; 0 where unknown."""
        came = self.material.dataset.forward_return
        known = np.isfinite(came)
        return np.where(known, (came - came[known].mean()) / came[known].std(), 0.0)

    def moved(self, features: FloatArray) -> Ready:
        """Return the same with other features."""
        return replace(self, features=features)

    def labelled(self, truth: FloatArray) -> Ready:
        """Return the same with other truths."""
        return replace(self, truth=truth)


def fitted(
    ready: Ready,
    columns: FloatArray | None = None,
    *,
    rows: IntArray | None = None,
    seed: int | None = None,
) -> FloatArray:
    """Return logits of a logistic regression of the truth on columns, for every bar.

    It sees each column and its size, so that it can know how far the market goes; with a seed it
    learns from a random nine tenths of the rows, as one network of several does.
    """
    columns = ready.features if columns is None else columns
    rows = ready.rows("train") if rows is None else rows
    rows = rows[np.isfinite(ready.truth[rows, 0])]
    if seed is not None:
        rows = np.sort(np.random.default_rng(seed).choice(rows, int(0.9 * len(rows)), False))
    scale = Scale(columns[rows])

    def seen(some: FloatArray) -> FloatArray:
        return np.concatenate([scale(some), np.abs(scale(some))], axis=1)

    width = ready.material.experiment.outputs[0].width
    places = ready.truth[rows, 0].astype(np.int64)
    weights = fit_logistic(seen(columns[rows]), places, width, penalty=30.0)
    return np.log(np.maximum(logistic(seen(columns), weights), 1e-9)).astype(np.float32)


def judged(ready: Ready, logits: FloatArray, *, taught: IntArray | None = None) -> ValidationReport:
    """Calibrate logits of every bar, and let the gate judge them."""
    material, split = ready.material, ready.material.split
    dataset = replace(
        material.dataset, features=ready.features.astype(np.float32), truth=ready.truth
    )
    specs = material.experiment.outputs
    rows = ready.rows("calibration")
    rows = rows[np.isfinite(ready.truth[rows, 0])]
    calibrations = fit_calibrations(specs, logits[rows], ready.truth[rows], dataset.group[rows])
    counts = np.bincount(ready.truth[rows, 0].astype(int), minlength=specs[0].width)
    prior = tuple((counts / counts.sum()).tolist())
    outputs = Outputs(specs, calibrations, material.experiment.build_policy(prior))
    validation = dataset.clear(split, "validation")
    taught = ready.rows("train") if taught is None else taught
    before = split.part("validation").start - specs[0].horizon_seconds * 1_000_000
    old = np.union1d(np.flatnonzero(dataset.complete & (dataset.time < before)), taught)
    is_taught = np.isin(old, taught)
    asked = np.sort(
        np.concatenate([np.flatnonzero(is_taught == which)[-3000:] for which in (True, False)])
    )
    ground = Ground(
        features=dataset.features[old],
        truth=dataset.truth[old],
        bar_time=dataset.time[old],
        symbol=dataset.symbol[old],
        group=dataset.group[old],
        taught=is_taught,
        asked=asked,
        readings=outputs.read(logits[old[asked]]),
    )
    names = tuple(f"column_{k}" for k in range(ready.features.shape[1]))
    return judge(
        build_sample(dataset, validation, logits[validation], outputs),
        Context(outputs, names),
        answer=lambda _inputs: logits[:0],
        ground=ground,
    )


def sound(ready: Ready, seed: int | None = None) -> ValidationReport:
    """Judge a model of the features as they are."""
    return judged(ready, fitted(ready, seed=seed))


def _correlated(share: float) -> Callable[[Ready], ValidationReport]:
    def cheat(ready: Ready) -> ValidationReport:
        noise = ready.rng.normal(size=len(ready.truth))
        column = share * ready.returns + np.sqrt(1 - share**2) * noise
        other = ready.moved(np.column_stack([ready.features, column]))
        return judged(other, fitted(other))

    return cheat


def _early(bars: int) -> Callable[[Ready], ValidationReport]:
    def cheat(ready: Ready) -> ValidationReport:
        other = ready.moved(np.roll(ready.features, -bars, axis=0))
        return judged(other, fitted(other))

    return cheat


def _centred(bars: int) -> Callable[[Ready], ValidationReport]:
    def cheat(ready: Ready) -> ValidationReport:
        weights = np.full(2 * bars + 1, 1 / (2 * bars + 1))
        columns = [np.convolve(column, weights, "same") for column in ready.features.T]
        other = ready.moved(np.column_stack(columns))
        return judged(other, fitted(other))

    return cheat


def _from_a_centred_average(bars: int) -> Callable[[Ready], ValidationReport]:
    def cheat(ready: Ready) -> ValidationReport:
        price = np.log(ready.material.dataset.close)
        weights = np.full(2 * bars + 1, 1 / (2 * bars + 1))
        away = price - np.convolve(price, weights, "same")
        away[:bars] = away[len(away) - bars :] = 0
        other = ready.moved(np.column_stack([ready.features, away]))
        return judged(other, fitted(other))

    return cheat


def _late(bars: int) -> Callable[[Ready], ValidationReport]:
    def cheat(ready: Ready) -> ValidationReport:
        truth = np.roll(ready.truth, bars, axis=0)
        truth[: max(bars, 0)] = np.nan
        truth[len(truth) + min(bars, 0) :] = np.nan
        other = ready.labelled(truth)
        return judged(other, fitted(other))

    return cheat


def _by_heart(ready: Ready) -> ValidationReport:
    """Learn the rows one is judged by: what the nearest of them was, is what this one is."""
    rows = np.concatenate([ready.rows("train"), ready.rows("validation")])
    logits = fitted(ready)
    hits = np.eye(logits.shape[1])[ready.truth[rows, 0].astype(int)]
    logits[rows] += (4 * hits * ready.rng.random((len(rows), 1))).astype(np.float32)
    return judged(ready, logits)


def _taught_by_its_judges(ready: Ready) -> ValidationReport:
    rows = np.concatenate([ready.rows("train"), ready.rows("validation")])
    return judged(ready, fitted(ready, rows=rows), taught=rows)


def _swapped(ready: Ready) -> ValidationReport:
    return judged(ready, fitted(ready)[:, ::-1].copy())


def _clock(ready: Ready) -> ValidationReport:
    return judged(ready, fitted(ready, clock_columns(ready.material.dataset.time)))


def _rows_twice(ready: Ready) -> ValidationReport:
    """The older half of the bars stands in the file again as the newer half."""
    features, truth = ready.features.copy(), ready.truth.copy()
    validation = ready.rows("validation")
    features[validation] = features[validation - validation[0] + ready.rows("train")[0]]
    truth[validation] = truth[validation - validation[0] + ready.rows("train")[0]]
    other = ready.moved(features).labelled(truth)
    return judged(other, fitted(other))


CHEATS: dict[str, Callable[[Ready], ValidationReport]] = {
    "feature-correlated-.5": _correlated(0.5),
    "feature-correlated-.9": _correlated(0.9),
    "feature-correlated-.99": _correlated(0.99),
    "features-1-bar-early": _early(1),
    "features-3-bars-early": _early(3),
    "centred-averages-1": _centred(1),
    "centred-averages-3": _centred(3),
    "centred-averages-6": _centred(6),
    "away-from-centred-average-1": _from_a_centred_average(1),
    "away-from-centred-average-6": _from_a_centred_average(6),
    "label-1-row-late": _late(1),
    "label-24-rows-late": _late(24),
    "label-24-rows-ahead": _late(-24),
    "validation-rows-by-heart": _by_heart,
    "taught-by-its-judges": _taught_by_its_judges,
    "rows-twice": _rows_twice,
    "sell-and-buy-swapped": _swapped,
    "clock-only": _clock,
}
"""What the gate must refuse when it sees rows alone."""


def restless(rows: int = 6_000, *, seed: int = 0, symbol: str = "default") -> Bars:
    """Return hourly bars whose volatility comes in spells and by the hour; no way is knowable."""
    rng = np.random.default_rng(seed)
    hour = np.arange(rows) % 24
    spell = np.zeros(rows)
    for row in range(1, rows):
        spell[row] = 0.97 * spell[row - 1] + rng.normal(0, 0.2)
    size = 0.001 * np.exp(spell - 0.3) * (1 + 0.5 * np.sin(2 * np.pi * hour / 24))
    close = 1.1 * np.exp(np.cumsum(size * rng.normal(size=rows)))
    open_ = np.concatenate([[1.1], close[:-1]])
    body = np.stack([open_, close])
    return Bars(
        symbol=symbol,
        time=START + HOUR * np.arange(rows, dtype=np.int64),
        open=open_,
        high=body.max(axis=0) * np.exp(rng.exponential(0.3, rows) * size),
        low=body.min(axis=0) * np.exp(-rng.exponential(0.3, rows) * size),
        close=close,
        volume=rng.lognormal(10, 1, rows) * np.exp(spell / 2),
    )


def experiment_on(path: Path, bars: Bars, *, horizon: int = 3_600) -> Experiment:
    """Write bars, and return an experiment on them: a band that holds about two thirds."""
    write_csv(path, bars)
    steps = max(1, round(horizon * 1_000_000 / bars.interval))
    moves = np.abs(bars.close[steps:] / bars.close[:-steps] - 1)
    return Experiment.model_validate(
        {
            "window_length": 8,
            "data": {"source": str(path)},
            "label": {
                "kind": "forward_return",
                "parameters": {
                    "horizon_seconds": horizon,
                    "threshold": float(np.quantile(moves, 0.65)),
                },
            },
            "split": {
                "train": 0.45,
                "calibration": 0.15,
                "validation": 0.35,
                "test": 0.05,
                "embargo_seconds": 0,
            },
            "family": {"kind": "tfa", "parameters": {"width": 8, "heads": 2, "hidden": 8}},
        }
    )
