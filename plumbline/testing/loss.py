"""The contract of losses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from plumbline.bundle.heads import HEADS
from plumbline.bundle.spec import OutputSpec
from plumbline.testing.contract import hold, require, require_kind
from plumbline.training.losses import Loss
from plumbline.training.target import Target

PRIOR = (0.16, 0.65, 0.19)
MEAN, SCALE = 0.001, 0.004


def check_loss(kind: type[Loss[Any]], parameters: Mapping[str, Any] | None = None) -> None:
    """Hold a loss to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``; its defaults if left out.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Loss)
    require(kind.teaches in HEADS, f"it teaches {kind.teaches!r}, expected one of {sorted(HEADS)}")
    loss = kind(kind.Params.model_validate(dict(parameters or {})), _target(kind))
    hold(kind.__qualname__, _PROMISES, loss)


def _target(kind: type[Loss[Any]]) -> Target:
    """Return a target of the kind of output the loss teaches, as wide as it asks for."""
    choice = kind.teaches == "choice"
    spec = OutputSpec(
        name="output",
        kind=kind.teaches,
        horizon_seconds=3600,
        width=len(PRIOR) if choice else 1,
        choices=("a", "b", "c") if choice else (),
    )
    spec = spec.model_copy(update={"width": kind.width(spec)})
    if choice:
        return Target(spec, PRIOR)
    return Target(spec, None, MEAN, SCALE) if kind.teaches == "value" else Target(spec)


def _starts_as_wide_as_it_is(loss: Loss[Any]) -> None:
    """A fresh network is told as many numbers to start at as the loss asks it for."""
    spec, start = loss.target.spec, loss.start
    HEADS[loss.teaches](spec)
    require(len(start) == spec.width, f"it starts at {len(start)} numbers, expected {spec.width}")
    require(all(math.isfinite(each) for each in start), f"it starts at {start}")


def _is_finite(loss: Loss[Any]) -> None:
    """A finite scalar with a finite gradient, even when the model is certain and wrong."""
    raw, truth, group = _batch(loss)
    for size in (0.0, 50.0, 1e4):
        place = torch.linspace(-size, size, len(raw))[:, None]
        extreme = place * torch.linspace(-1, 1, raw.shape[1]) if raw.shape[1] > 1 else place
        if loss.teaches == "value":
            extreme[:, 1:] = SCALE
        extreme = extreme.float().requires_grad_()
        value = loss(extreme, truth.float(), group)
        require(value.ndim == 0, f"it returns {value.ndim} dimensions, expected a scalar")
        require(torch.isfinite(value), f"it is {float(value.detach())} at numbers of {size:g}")
        value.backward()
        finite = extreme.grad is not None and bool(torch.isfinite(extreme.grad).all())
        require(finite, f"its gradient is not finite at numbers of {size:g}")


def _prefers_the_right_answer(loss: Loss[Any]) -> None:
    """Right costs less than a constant, a constant less than the opposite."""
    _, truth, group = _batch(loss)
    if loss.teaches == "choice":
        right = 8 * torch.eye(len(PRIOR), dtype=torch.float64)[truth.long()]
        answers = (right, torch.zeros_like(right), -right)
    else:
        width = loss.target.spec.width
        rest = torch.full((len(truth), width - 1), SCALE, dtype=torch.float64)
        level = truth.mean().expand(len(truth))
        firsts = (truth, level, 2 * level - truth)
        answers = tuple(torch.cat([first[:, None], rest], dim=1) for first in firsts)
    costs = [float(loss(raw, truth, group)) for raw in answers]
    require(
        costs[0] < costs[1] < costs[2],
        f"right, constant and opposite cost {', '.join(f'{cost:.4g}' for cost in costs)}",
    )


def _has_the_right_gradient(loss: Loss[Any]) -> None:
    """Its gradient is that of finite differences."""
    raw, truth, group = _batch(loss)
    raw = 3 * raw if loss.teaches == "score" else raw  # a correlation has a kink at a constant
    torch.autograd.gradcheck(lambda z: loss(z, truth, group), (raw.requires_grad_(),))


def _ignores_order(loss: Loss[Any]) -> None:
    """The order of a batch does not matter."""
    raw, truth, group = _batch(loss)
    order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(1))
    value = float(loss(raw, truth, group))
    found = float(loss(raw[order], truth[order], group[order]))
    require(math.isclose(found, value, rel_tol=1e-9), f"{value:.6g} becomes {found:.6g}")


def _is_a_mean(loss: Loss[Any]) -> None:
    """A batch that is there twice costs the same, each copy a group of its own."""
    raw, truth, group = _batch(loss)
    value = float(loss(raw, truth, group))
    twice = (raw.repeat(2, 1), truth.repeat(2), torch.cat([group, group + 100]))
    found = float(loss(*twice))
    require(math.isclose(found, value, rel_tol=1e-9), f"{value:.6g} becomes {found:.6g}")


def _corrects_to_natural_probabilities(loss: Loss[Any]) -> None:
    """Of a choice: fitted to shares alone, logits plus `prior_correction` give them back."""
    if loss.teaches != "choice":
        return
    truth = torch.tensor([0] * 16 + [1] * 65 + [2] * 19, dtype=torch.float64)
    logits = torch.zeros(3, requires_grad=True, dtype=torch.float64)
    optimiser = torch.optim.LBFGS([logits], max_iter=100)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss(logits.expand(100, 3), truth, torch.arange(100))
        value.backward()
        return value

    optimiser.step(closure)
    correction = torch.tensor(loss.prior_correction or (0.0,) * 3)
    found = (logits.detach() + correction).softmax(dim=0).numpy()
    require(np.allclose(found, PRIOR, atol=1e-3), f"they give {found.round(3)}, expected {PRIOR}")


def _batch(loss: Loss[Any], rows: int = 24) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return raw numbers in float64, truths, and groups of about six rows."""
    rng = np.random.default_rng(0)
    width = loss.target.spec.width
    raw, group = rng.normal(size=(rows, width)), rng.integers(0, 4, rows)
    if loss.teaches == "choice":
        truth = rng.integers(0, width, rows).astype(np.float64)
    else:
        truth = MEAN + SCALE * rng.normal(size=rows)
    if loss.teaches == "value":
        raw[:, 0] = MEAN + SCALE * raw[:, 0]
        raw[:, 1:] = SCALE * np.exp(raw[:, 1:])
    return torch.from_numpy(raw), torch.from_numpy(truth), torch.from_numpy(group)


_PROMISES = (
    _starts_as_wide_as_it_is,
    _is_finite,
    _prefers_the_right_answer,
    _has_the_right_gradient,
    _ignores_order,
    _is_a_mean,
    _corrects_to_natural_probabilities,
)
