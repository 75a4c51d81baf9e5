"""The fit: it learns what is there, stops when it should, and leaves no trace outside."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from plumbline.training.dataset import Dataset
from plumbline.training.errors import TrainingError
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.fit import FitParams, fit_network, logits_of, seeded, start_at_prior
from plumbline.training.losses import LOSSES
from plumbline.training.network import CLIP, Network, fit_scaler
from tests.support.markets import HOUR, START

LENGTH, ROWS, COLUMNS = 4, 1200, 31
TRAIN, HELD_OUT = np.arange(LENGTH, 900), np.arange(900, ROWS)
PARAMS = FitParams(epochs=6, patience=2, batch_size=64, learning_rate=3e-3)


def lesson() -> Dataset:
    """Labels that follow from the sign of two features, with exceptions."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    labels = np.sign(features[:, 0]) * (features[:, 1] > 0) + 1
    labels = np.where(rng.random(ROWS) < 0.1, rng.integers(0, 3, ROWS), labels).astype(np.int8)
    return Dataset(
        time=START + HOUR * np.arange(ROWS, dtype=np.int64),
        symbol=np.full(ROWS, "WALK"),
        close=np.ones(ROWS),
        features=features,
        names=tuple(f"column_{i}" for i in range(COLUMNS)),
        labels=labels,
        forward_return=np.zeros(ROWS),
        complete=np.arange(ROWS) >= LENGTH - 1,
        window_length=LENGTH,
    )


DATA = lesson()


def fit(params=PARAMS, *, seed=0, on_epoch=lambda _: None):
    kind = FAMILIES["tfa"]
    family = kind(kind.Params(width=16, heads=2, layers=1, hidden=16, dropout=0.0))
    loss_kind = LOSSES["cross_entropy"]
    loss = loss_kind(loss_kind.Params(), (0.25, 0.5, 0.25))
    with seeded(seed, threads=1):
        core = family.build(Shape(LENGTH, COLUMNS, 3))
        start_at_prior(core, loss)
        network = Network(core, fit_scaler(DATA.features[TRAIN]))
        return fit_network(network, loss, DATA, TRAIN, HELD_OUT, params=params, on_epoch=on_epoch)


def held_out_loss(network) -> float:
    logits = torch.from_numpy(logits_of(network, DATA, HELD_OUT))
    labels = torch.from_numpy(DATA.labels[HELD_OUT].astype(np.int64))
    return float(torch.nn.functional.cross_entropy(logits, labels))


def test_it_learns_what_can_be_learnt():
    """The held-out loss falls far below that of the label shares."""
    assert fit().best.calibration_loss < 0.75


def test_it_returns_the_epoch_that_did_best():
    """Not the last one; and the loss told is the loss of the network returned."""
    fitted = fit(FitParams(**{**PARAMS.model_dump(), "epochs": 40, "learning_rate": 1e-2}))

    assert fitted.best.calibration_loss == min(e.calibration_loss for e in fitted.epochs)
    assert fitted.best.number < fitted.epochs[-1].number
    assert held_out_loss(fitted.network) == pytest.approx(fitted.best.calibration_loss, rel=1e-5)


def test_it_stops_when_nothing_is_gained_any_more():
    """As many epochs after the best one as it has patience for."""
    fitted = fit(FitParams(**{**PARAMS.model_dump(), "epochs": 60, "learning_rate": 1e-2}))

    assert len(fitted.epochs) == fitted.best.number + PARAMS.patience
    assert len(fitted.epochs) < 60


def test_the_same_seed_gives_the_same_weights():
    """And another seed gives others."""
    one, same, other = (fit(seed=seed).network.state_dict() for seed in (0, 0, 1))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_every_epoch_is_told():
    """In order, with both losses."""
    seen = []
    fitted = fit(on_epoch=seen.append)

    assert tuple(seen) == fitted.epochs
    assert [epoch.number for epoch in seen] == list(range(1, len(seen) + 1))


def test_a_fit_that_diverges_says_what_to_change():
    """Rather than exporting what is left of it."""
    with pytest.raises(TrainingError, match=r"not finite in epoch 1: lower fit\.learning_rate"):
        fit(FitParams(**{**PARAMS.model_dump(), "learning_rate": 1e30}))


def test_torch_is_left_as_it_was_found():
    """Neither its generator nor its number of threads is changed for others."""
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with seeded(5, threads=threads + 1):
        torch.randn(3)

    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_scaler_standardises_and_clips():
    """Mean zero and deviation one on the training rows; a constant feature stays finite."""
    table = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    scaler = fit_scaler(table)

    assert (scaler.mean, scaler.scale) == ((2.0, 5.0), (1.0, 1.0))
    network = Network(torch.nn.Identity(), scaler)
    said = network(torch.tensor([[[3.0, 5.0], [1e9, math.pi]]]))
    assert said[0, 0].tolist() == [1.0, 0.0]
    assert said[0, 1, 0] == CLIP
