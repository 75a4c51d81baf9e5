"""What every model family promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plumbline.training.errors import TrainingError
from plumbline.training.export import (
    OPSET,
    OnnxModel,
    check_parity,
    export_network,
    read_torchscript_weights,
    write_torchscript,
)
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.fit import seeded, start_at_prior
from plumbline.training.losses import LOSSES
from plumbline.training.network import Network, fit_scaler

SHAPE = Shape(window_length=12, features=7, classes=3)
PRIOR = (0.2, 0.6, 0.2)


@pytest.fixture(params=FAMILIES)
def family(request):
    """Each registered family with its default parameters."""
    kind = FAMILIES[request.param]
    return kind(kind.Params())


@pytest.fixture
def windows():
    """Raw windows with a scale and level of their own in each column."""
    rng = np.random.default_rng(0)
    scale, level = 10.0 ** rng.integers(-3, 3, 7), rng.normal(0, 10, 7)
    return (rng.normal(size=(70, 12, 7)) * scale + level).astype(np.float32)


def build(family, seed=0):
    with seeded(seed, threads=1):
        return family.build(SHAPE)


def stirred(core):
    """Move every weight, so that no adapter is zero and no norm is the identity."""
    with seeded(5, threads=1), torch.no_grad():
        for weight in core.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return core.eval()


def standard(rows=5):
    return torch.randn(rows, 12, 7, generator=torch.Generator().manual_seed(1))


def test_it_gives_one_logit_per_class_for_any_batch(family):
    """From (b, t, f) to (b, k), finite."""
    core = build(family)
    for rows in (1, 2, 9):
        logits = core(standard(rows))

        assert logits.shape == (rows, 3)
        assert torch.isfinite(logits).all()


def test_rows_of_a_batch_do_not_see_each_other(family):
    """A row's logits are the same alone and in company."""
    core = build(family).eval()
    together = core(standard(5))

    assert torch.allclose(core(standard(5)[3:4]), together[3:4], atol=1e-6)


def test_the_same_seed_gives_the_same_weights(family):
    """And another seed gives others."""
    one, same, other = (build(family, seed).state_dict() for seed in (3, 3, 4))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_every_trained_weight_gets_a_gradient(family):
    """No part of the network is cut off from the loss."""
    core = stirred(build(family)).train()
    core(standard()).square().sum().backward()
    trained = {name: w for name, w in core.named_parameters() if w.requires_grad}

    assert trained
    assert [name for name, w in trained.items() if w.grad is None or not w.grad.any()] == []


def test_order_matters(family):
    """Shuffling the bars of a window changes the answer: there are positions."""
    core = stirred(build(family))
    mixed = standard()[:, torch.randperm(12, generator=torch.Generator().manual_seed(2))]

    assert not torch.allclose(core(standard()), core(mixed), atol=1e-4)


def test_computing_the_last_step_alone_changes_nothing(family):
    """The full last layer gives the same logits, at a third more work."""
    core = stirred(build(family))
    short = core(standard(20))
    core.last_only = False

    assert torch.allclose(core(standard(20)), short, atol=1e-5)


def test_a_fresh_network_starts_at_the_prior(family):
    """Its mean probabilities are near the class shares before the first step."""
    core = build(family).eval()
    loss = LOSSES["cross_entropy"]
    start_at_prior(core, loss(loss.Params(), PRIOR))
    mean = core(standard(500)).softmax(dim=1).mean(dim=0)

    assert torch.allclose(mean, torch.tensor(PRIOR), atol=0.05)


def test_both_exports_agree_with_the_network(family, windows):
    """ONNX and TorchScript give its logits at every batch size, raw features in, scaler inside."""
    scaler = fit_scaler(windows.reshape(-1, 7))
    trained = Network(stirred(build(family)), scaler).eval()
    served = Network(family.for_export(trained.core), scaler).eval()
    exported = export_network(served, windows)

    assert check_parity(trained, exported, windows) <= 1e-4
    assert exported.opset == OPSET
    answer = OnnxModel(exported.onnx)
    one_by_one = np.concatenate([answer(windows[i : i + 1]) for i in range(17)])
    assert np.abs(one_by_one - answer(windows[:17])).max() <= 1e-4


def test_a_network_can_start_from_an_exported_one(family, windows):
    """A fresh network given the exported weights says the same; one of another size refuses."""
    scaler = fit_scaler(windows.reshape(-1, 7))
    core = stirred(build(family))
    served = Network(family.for_export(core), scaler).eval()
    weights = read_torchscript_weights(write_torchscript(served, windows[:2]))
    fresh = build(family, seed=9).eval()
    family.warm_start(fresh, weights)

    assert torch.allclose(fresh(standard()), core(standard()), atol=1e-4)
    other = family.build(Shape(window_length=13, features=7, classes=3))
    with pytest.raises(TrainingError, match=r"cannot start from the parent.*positions"):
        family.warm_start(other, weights)


def test_a_width_that_heads_cannot_share_is_refused(family):
    """The message names both numbers."""
    with pytest.raises(ValueError, match="width 10 is not divisible by 4 heads"):
        type(family).Params(width=10, heads=4)
