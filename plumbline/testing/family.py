"""The contract of model families."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import InputSpec, OutputSpec
from plumbline.testing.contract import ContractError, hold, require, require_kind
from plumbline.training.errors import TrainingError
from plumbline.training.export import check_parity, export_network, read_weights, write_weights
from plumbline.training.families import Family, Shape
from plumbline.training.fit import seeded
from plumbline.training.network import Network, ServedNetwork, fit_scaler
from plumbline.training.readout import Readout
from plumbline.training.target import Target

SHAPE = Shape(window_length=12, features=7, numbers=3)
PARITY = 1e-4


def check_family(
    kind: type[Family[Any]], parameters: Mapping[str, Any] | None = None, *, shape: Shape = SHAPE
) -> None:
    """Hold a model family to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``; its defaults if left out.
    shape
        What its networks are built for.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Family)
    family = kind(kind.Params.model_validate(dict(parameters or {})))
    hold(kind.__qualname__, _PROMISES, _Subject(family, shape))


class _Subject:
    """A family, and the networks it builds."""

    def __init__(self, family: Family[Any], shape: Shape) -> None:
        self.family = family
        self.shape = shape

    def build(self, seed: int = 0, shape: Shape | None = None) -> nn.Module:
        with seeded(seed, threads=1):
            return self.family.build(shape or self.shape)

    def stirred(self) -> nn.Module:
        """Return a network whose every weight has moved: no adapter is zero, no norm is one."""
        core = self.build()
        with seeded(5, threads=1), torch.no_grad():
            for weight in core.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
        return core.eval()

    def standard(self, rows: int = 5) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(rows, self.shape.window_length, self.shape.features, generator=generator)

    def given(self) -> InputSpec:
        """Return what the exported graph takes."""
        shape = (self.shape.window_length, self.shape.features)
        names = tuple(f"column_{i}" for i in range(self.shape.features))
        return InputSpec(name="features", shape=shape, names=names)

    def served(self, core: nn.Module, *, fold: bool = True) -> ServedNetwork:
        """Return a network as it is exported, as one choice among its numbers."""
        choices = tuple(f"c{i}" for i in range(self.shape.numbers))
        spec = OutputSpec(
            name="choice",
            kind="choice",
            horizon_seconds=3600,
            width=self.shape.numbers,
            members=self.family.members,
            choices=choices,
        )
        target = Target(spec, (1 / self.shape.numbers,) * self.shape.numbers)
        scaler = fit_scaler(self.windows().reshape(-1, self.shape.features))
        inner = self.family.for_export(core) if fold else core
        return ServedNetwork(Network(inner, scaler, Readout([target])).eval())

    def windows(self) -> FloatArray:
        """Return raw windows with a scale and a level of their own in each column."""
        rng = np.random.default_rng(0)
        features = self.shape.features
        scale, level = 10.0 ** rng.integers(-3, 3, features), rng.normal(0, 10, features)
        size = (70, self.shape.window_length, features)
        return (rng.normal(size=size) * scale + level).astype(np.float32)


def _gives_numbers(subject: _Subject) -> None:
    """Finite numbers for a batch of any size: (b, numbers), or of every member."""
    core, members = subject.build().eval(), subject.family.members
    for rows in (1, 2, 9):
        said = core(subject.standard(rows))
        expected: list[tuple[int, ...]] = [(rows, members, subject.shape.numbers)]
        if members == 1:
            expected.append((rows, subject.shape.numbers))
        shape = tuple(said.shape)
        require(shape in expected, f"{rows} windows give shape {shape}, expected {expected[-1]}")
        require(torch.isfinite(said).all(), f"{rows} windows give a number that is not finite")


def _rows_are_independent(subject: _Subject) -> None:
    """A row's numbers are the same alone and in company, and whenever it is asked."""
    core = subject.stirred()
    together, alone = core(subject.standard(5)), core(subject.standard(5)[3:4])
    apart = _apart(together[3:4], alone)
    require(
        apart <= 1e-5, f"a row differs by {apart:.2g} in company: rows of a batch see each other"
    )
    require(torch.equal(together, core(subject.standard(5))), "two answers to one question differ")


def _members_differ(subject: _Subject) -> None:
    """Several members are not of one mind: how far apart they are is what is read from them."""
    if subject.family.members > 1:
        spread = float(subject.stirred()(subject.standard(20)).std(dim=1).detach().mean())
        require(spread > 1e-3, f"{subject.family.members} members differ by {spread:.2g} alone")


def _is_repeatable(subject: _Subject) -> None:
    """The same seed gives the same weights."""
    one, same = (subject.build(3).state_dict() for _ in range(2))
    others = [name for name in one if not torch.equal(one[name], same[name])]
    require(not others, f"{others} differ for one seed: use torch's generator and no other")


def _learns_everywhere(subject: _Subject) -> None:
    """No trained weight is cut off from the loss and the family's own penalty."""
    core = subject.stirred().train()
    with seeded(6, threads=1):
        cost = core(subject.standard()).square().sum()
    penalty = subject.family.penalty(core, 100)
    (cost if penalty is None else cost + penalty).backward()
    trained = {name: weight for name, weight in core.named_parameters() if weight.requires_grad}
    require(trained, "no weight is trained")
    idle = [name for name, w in trained.items() if w.grad is None or not w.grad.any()]
    require(not idle, f"{idle} get no gradient: use them, or set requires_grad to False")


def _starts_where_it_is_told(subject: _Subject) -> None:
    """A fresh network begins at the numbers it is given, with small differences, or stays."""
    core = subject.build().eval()
    fresh = _mean(core(subject.standard(500)))
    at = torch.linspace(-1, 1, subject.shape.numbers)
    subject.family.start(core, at.tolist())
    mean = _mean(core(subject.standard(500)))
    require(
        torch.allclose(mean, at, atol=0.25) or torch.allclose(mean, fresh, atol=1e-6),
        f"told to start at {at.tolist()}, it starts at {mean.tolist()}: is `head` the last layer?",
    )


def _exports_agree(subject: _Subject) -> None:
    """The exported graph says what the trained network says, at every batch size."""
    windows, given = subject.windows(), subject.given()
    trained = subject.served(core := subject.stirred(), fold=False)
    exported = export_network(subject.served(core), (given,), windows)
    apart = check_parity(trained, exported, given, windows)
    require(apart <= PARITY, f"the exported graph differs by {apart:.2g}")


def _starts_warm(subject: _Subject) -> None:
    """A network given exported weights says the same; one of other columns refuses them."""
    core = subject.stirred()
    weights = read_weights(write_weights(subject.served(core).network))
    fresh = subject.build(seed=9).eval()
    subject.family.warm_start(fresh, weights)
    apart = _apart(fresh(subject.standard()), core(subject.standard()))
    require(apart <= PARITY, f"after a warm start it differs by {apart:.2g}")
    wider = subject.build(shape=replace(subject.shape, features=subject.shape.features + 1))
    try:
        subject.family.warm_start(wider, weights)
    except TrainingError:
        return
    raise ContractError("it starts warm from the weights of a network with other features")


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).detach().abs().max())


def _mean(said: torch.Tensor) -> torch.Tensor:
    return said.detach().reshape(-1, said.shape[-1]).mean(dim=0)


_PROMISES = (
    _gives_numbers,
    _rows_are_independent,
    _members_differ,
    _is_repeatable,
    _learns_everywhere,
    _starts_where_it_is_told,
    _exports_agree,
    _starts_warm,
)
