"""What every loss promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from plumbline.training.losses import LOSSES

PRIOR = (0.16, 0.65, 0.19)


@pytest.fixture(params=LOSSES)
def loss(request):
    """Each registered loss with its default parameters."""
    kind = LOSSES[request.param]
    return kind(kind.Params(), PRIOR)


def batch(rows=8):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, 3, (rows,), generator=generator)


@pytest.mark.parametrize("size", [0.0, 50.0, 1e4])
def test_it_is_finite_at_extremes(loss, size):
    """Even when the model is certain and wrong."""
    logits = torch.tensor([[size, 0.0, -size], [-size, 0.0, size]])
    value = loss(logits, torch.tensor([2, 0]))

    assert torch.isfinite(value)
    assert value.ndim == 0


def test_its_minimum_is_at_the_right_answer(loss):
    """Certain and right costs nothing; everything else costs more."""
    labels = torch.tensor([0, 1, 2])
    right = 50 * torch.eye(3)

    assert loss(right, labels) < 1e-6
    assert loss(torch.zeros(3, 3), labels) > loss(right, labels)
    assert loss(-right, labels) > loss(torch.zeros(3, 3), labels)


def test_its_gradient_is_right(loss):
    """Against finite differences."""
    logits, labels = batch()

    assert torch.autograd.gradcheck(lambda z: loss(z, labels), (logits.requires_grad_(),))


def test_the_order_of_a_batch_does_not_matter(loss):
    """The mean over rows is that of any order."""
    logits, labels = batch()
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))

    assert loss(logits[order], labels[order]).item() == pytest.approx(loss(logits, labels).item())


def test_the_prior_correction_gives_natural_probabilities(loss):
    """Fitted to label shares without inputs, the corrected logits give those shares back."""
    labels = torch.tensor([0] * 16 + [1] * 65 + [2] * 19)
    logits = torch.zeros(3, requires_grad=True, dtype=torch.float64)
    optimiser = torch.optim.LBFGS([logits], max_iter=100)

    def closure():
        optimiser.zero_grad()
        value = loss(logits.expand(100, 3), labels)
        value.backward()
        return value

    optimiser.step(closure)
    corrected = logits.detach() + torch.tensor(loss.prior_correction)

    assert np.allclose(corrected.softmax(dim=0), PRIOR, atol=1e-3)


def test_tau_says_how_much_of_the_prior_is_left_out(loss):
    """The correction is tau times the log prior."""
    expected = [loss.tau * math.log(share) for share in PRIOR]

    assert loss.prior_correction == pytest.approx(expected)
