"""What every loss promises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from plumbline.bundle.heads import HEADS
from plumbline.training.losses import LOSSES, Loss
from plumbline.training.objective import Objective
from plumbline.training.target import Target
from tests.support.bundles import choice_output, score_output, value_output

PRIOR = (0.16, 0.65, 0.19)
MEAN, SCALE = 0.001, 0.004
SPECS = {"choice": choice_output(), "value": value_output(), "score": score_output()}


def target_of(kind: type[Loss[Any]], *, members: int = 1) -> Target:
    """Return a target of the kind of output that a loss teaches, as wide as it asks for."""
    spec = SPECS[kind.teaches]
    spec = spec.model_copy(update={"width": kind.width(spec), "members": members})
    if kind.teaches == "choice":
        return Target(spec, PRIOR)
    return Target(spec, None, MEAN, SCALE) if kind.teaches == "value" else Target(spec)


@pytest.fixture(params=LOSSES)
def loss(request):
    """Each registered loss with its default parameters."""
    kind = LOSSES[request.param]
    return kind(kind.Params(), target_of(kind))


@pytest.fixture(params=[name for name in LOSSES if LOSSES[name].teaches == "choice"])
def choice_loss(request):
    """Each loss that teaches a choice."""
    kind = LOSSES[request.param]
    return kind(kind.Params(), target_of(kind))


def batch(loss, rows=24):
    """Return raw numbers in float64, truths and groups of about six rows, as a fit shows them."""
    rng = np.random.default_rng(0)
    width, kind = loss.target.spec.width, loss.teaches
    raw, group = rng.normal(size=(rows, width)), rng.integers(0, 4, rows)
    if kind == "choice":
        truth = rng.integers(0, width, rows).astype(np.float64)
    else:
        truth = MEAN + SCALE * rng.normal(size=rows)
    if kind == "value":
        raw[:, 0] = MEAN + SCALE * raw[:, 0]
        raw[:, 1:] = SCALE * np.exp(raw[:, 1:])
    return torch.from_numpy(raw), torch.from_numpy(truth), torch.from_numpy(group)


def right(loss):
    """Return a batch of which everything is known, and the raw numbers that say so."""
    _, truth, group = batch(loss)
    if loss.teaches == "choice":
        return 50 * torch.eye(3, dtype=torch.float64)[truth.long()], truth, group
    columns = [truth, torch.full_like(truth, 0.1 * SCALE)][: loss.target.spec.width]
    return torch.stack(columns, dim=1), truth, group


def test_it_teaches_a_kind_of_output_that_has_a_head(loss):
    """And gives a network so many numbers to begin with as it asks it for."""
    assert loss.teaches in HEADS
    HEADS[loss.teaches](loss.target.spec)
    assert len(loss.start) == loss.target.spec.width
    assert all(math.isfinite(number) for number in loss.start)


@pytest.mark.parametrize("size", [0.0, 50.0, 1e4, 1e8])
def test_it_is_finite_at_extremes(loss, size):
    """Even when the model is certain and wrong, or says the same of all; in float32 as well."""
    raw, truth, group = batch(loss)
    place = torch.linspace(-size, size, len(raw))[:, None]
    extreme = place * torch.linspace(-1, 1, raw.shape[1]) if raw.shape[1] > 1 else place
    if loss.teaches == "value":
        extreme[:, 1:] = SCALE
    extreme = extreme.float().requires_grad_()
    value = loss(extreme, truth.float(), group)
    value.backward()

    assert torch.isfinite(value)
    assert value.ndim == 0
    assert torch.isfinite(extreme.grad).all()


def test_it_is_best_at_the_right_answer(loss):
    """Right costs less than anything else: nothing, a constant, or the opposite."""
    raw, truth, group = right(loss)
    opposite = raw.clone()
    if loss.teaches == "choice":
        opposite = -raw
    else:
        opposite[:, 0] = 2 * MEAN - raw[:, 0]
    constant = raw.clone()
    constant[:, 0] = constant[:, 0].mean() if loss.teaches != "choice" else 0
    constant = torch.zeros_like(raw) if loss.teaches == "choice" else constant
    best, middle, worst = (loss(each, truth, group).item() for each in (raw, constant, opposite))

    assert best < middle < worst
    rng = torch.Generator().manual_seed(3)
    for _ in range(20):
        noise = torch.randn(raw.shape, generator=rng, dtype=torch.float64)
        noise[:, 1:] *= loss.teaches == "choice"
        scale = 20.0 if loss.teaches == "choice" else SCALE
        assert loss(raw + scale * noise, truth, group).item() >= best


def test_its_gradient_is_right(loss):
    """Against finite differences, in float64."""
    raw, truth, group = batch(loss)
    if loss.teaches == "score":
        raw = 3 * raw  # far from the constant, where a correlation has a kink

    assert torch.autograd.gradcheck(lambda z: loss(z, truth, group), (raw.requires_grad_(),))


def test_the_order_of_a_batch_does_not_matter(loss):
    """The mean over rows is that of any order, their groups with them."""
    raw, truth, group = batch(loss)
    truth[3] = truth[5] = truth[11]
    order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(1))
    mixed = loss(raw[order], truth[order], group[order])

    assert mixed.item() == pytest.approx(loss(raw, truth, group).item(), rel=1e-12)


def test_the_prior_correction_gives_natural_probabilities(choice_loss):
    """Fitted to label shares without inputs, the corrected logits give those shares back."""
    labels = torch.tensor([0] * 16 + [1] * 65 + [2] * 19, dtype=torch.float64)
    logits = torch.zeros(3, requires_grad=True, dtype=torch.float64)
    optimiser = torch.optim.LBFGS([logits], max_iter=100)

    def closure():
        optimiser.zero_grad()
        value = choice_loss(logits.expand(100, 3), labels, torch.arange(100))
        value.backward()
        return value

    optimiser.step(closure)
    correction = torch.tensor(choice_loss.prior_correction or (0.0,) * 3)

    assert np.allclose((logits.detach() + correction).softmax(dim=0), PRIOR, atol=1e-3)


def test_tau_says_how_much_of_the_prior_is_left_out(choice_loss):
    """The correction is tau times the log prior; a fresh network starts where both meet."""
    log_prior = np.log(PRIOR)
    correction = np.array(choice_loss.prior_correction or (0.0,) * 3)

    assert correction == pytest.approx(choice_loss.tau * log_prior)
    assert np.array(choice_loss.start) + correction == pytest.approx(log_prior)


def test_a_normal_likelihood_is_least_at_mean_and_deviation():
    """Fitted to numbers without inputs, it gives back their mean and standard deviation."""
    kind = LOSSES["gaussian"]
    loss = kind(kind.Params(), target_of(kind))
    _, truth, group = batch(loss, rows=200)
    numbers = torch.tensor([0.0, math.log(SCALE)], requires_grad=True, dtype=torch.float64)
    optimiser = torch.optim.LBFGS([numbers], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        raw = torch.stack([numbers[0] * SCALE, numbers[1].exp()]).expand(200, 2)
        value = loss(raw, truth, group)
        value.backward()
        return value

    optimiser.step(closure)

    assert numbers[0].item() * SCALE == pytest.approx(truth.mean().item(), abs=1e-6)
    assert numbers[1].exp().item() == pytest.approx(truth.std(correction=0).item(), rel=1e-4)


def test_squared_error_is_one_for_the_mean():
    """Counted in the truth's own variance, whatever unit it has."""
    kind = LOSSES["squared_error"]
    spec = target_of(kind).spec
    truth = torch.from_numpy(0.3 * np.random.default_rng(0).normal(size=500))
    centre, scale = truth.mean().item(), truth.std(correction=0).item()
    loss = kind(kind.Params(), Target(spec, None, centre, scale))

    raw = torch.full((500, 1), centre, dtype=torch.float64)
    assert loss(raw, truth, torch.arange(500)).item() == pytest.approx(1)


def rank_loss():
    kind = LOSSES["rank_correlation"]
    return kind(kind.Params(), target_of(kind))


def test_only_the_order_within_a_group_is_learnt():
    """Levels and units of each group change nothing, nor does how far the truths lie apart."""
    loss = rank_loss()
    raw, truth, group = batch(loss, rows=60)
    level, unit = torch.tensor([5.0, -3.0, 0.5, 80.0]), torch.tensor([1.0, 20.0, 3.0, 7.0])
    moved = raw * unit[group, None] + level[group, None]
    stretched = torch.exp(truth / SCALE) + 100 * group

    assert loss(moved, stretched, group).item() == pytest.approx(
        loss(raw, truth, group).item(), abs=1e-5
    )


def test_groups_are_not_mixed():
    """The loss is the mean of the groups' own, by size; a lone row says nothing."""
    loss = rank_loss()
    raw, truth, group = batch(loss, rows=60)
    alone = [loss(raw[group == g], truth[group == g], group[group == g]) for g in range(4)]
    sizes = [int((group == g).sum()) for g in range(4)]
    expected = np.average([each.item() for each in alone], weights=sizes)
    one = torch.zeros(1, 1, dtype=torch.float64)

    assert loss(raw, truth, group).item() == pytest.approx(expected)
    assert loss(raw, truth, torch.zeros_like(group)).item() != pytest.approx(expected)
    more = [torch.cat(pair) for pair in ((raw, one), (truth, one[0]), (group, torch.tensor([99])))]
    assert loss(*more).item() == pytest.approx(expected)
    assert loss(one, one[0], torch.tensor([0])).item() == 1


def objective(kind, *, members=1, outputs=2):
    """Return an objective over several outputs of one kind."""
    first = target_of(kind, members=members)
    targets = [
        Target(
            first.spec.model_copy(update={"name": f"o{place}"}),
            first.prior,
            first.centre,
            first.scale,
        )
        for place in range(outputs)
    ]
    return Objective(kind, kind.Params(), targets)


@pytest.mark.parametrize("name", LOSSES)
def test_a_masked_row_teaches_nothing(name):
    """Whatever is said of it: no part in the loss, and no gradient; of other outputs it counts."""
    made = objective(LOSSES[name])
    raw, truth, group = batch(made.losses[0], rows=24)
    numbers = torch.cat([raw, raw.flip(0)], dim=1)[:, None].clone().requires_grad_()
    truths = torch.stack([truth, truth.flip(0)], dim=1)
    truths[:10, 0] = torch.nan
    width = raw.shape[1]
    terms = made.terms(numbers, truths, group)
    known = made.losses[0](raw[10:], truth[10:], group[10:])
    made(numbers, truths, group).backward()

    assert terms["o0"].item() == pytest.approx(known.item())
    assert terms["o1"].item() == pytest.approx(
        made.losses[1](raw.flip(0), truth.flip(0), group).item()
    )
    assert made(numbers, truths, group).item() == pytest.approx(
        (terms["o0"].item() + terms["o1"].item()) / 2
    )
    assert not numbers.grad[:10, 0, :width].any()
    assert numbers.grad[:10, 0, width:].any()
    assert numbers.grad[10:, 0, :width].any()


@pytest.mark.parametrize("name", LOSSES)
def test_an_output_of_which_nothing_is_known_is_left_out(name):
    """And with nothing known at all the loss is zero, with a gradient of zero."""
    made = objective(LOSSES[name])
    raw, truth, group = batch(made.losses[0])
    numbers = torch.cat([raw, raw], dim=1)[:, None].clone().requires_grad_()
    nothing = torch.full_like(truth, torch.nan)

    some = torch.stack([nothing, truth], dim=1)
    assert list(made.terms(numbers, some, group)) == ["o1"]
    zero = made(numbers, torch.stack([nothing, nothing], dim=1), group)
    zero.backward()
    assert zero.item() == 0
    assert not numbers.grad.any()


@pytest.mark.parametrize("name", LOSSES)
def test_every_member_answers_for_itself(name):
    """The loss is the mean of the members' own; none is judged among the rows of another."""
    made = objective(LOSSES[name], members=3, outputs=1)
    parts = []
    for seed in range(3):
        raw, truth, group = batch(made.losses[0])
        order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(seed))
        parts.append(raw[order])
    alone = [made.losses[0](part, truth, group).item() for part in parts]
    together = made(torch.stack(parts, dim=1), truth[:, None], group)

    assert together.item() == pytest.approx(np.mean(alone))
    assert np.ptp(alone) > 0.01


def test_the_start_of_all_outputs_lies_side_by_side():
    """In the order of the numbers the network gives."""
    made = objective(LOSSES["cross_entropy"])

    assert made.start == pytest.approx((*np.log(PRIOR), *np.log(PRIOR)))
    assert made.tau == 0
    assert made.correction("o1") is None
    adjusted = objective(LOSSES["logit_adjusted"])
    assert adjusted.tau == 1
    assert adjusted.correction("o1") == pytest.approx(tuple(np.log(PRIOR)))
