"""Fitting a network: AdamW, a running average of the weights, early stopping on held-out rows.

The rows that stop the training are the calibration part. The validation part is the gate's: no
choice is made on it here, or its verdict would be worth nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.training.dataset import Dataset
from plumbline.training.errors import TrainingError
from plumbline.training.families import Family
from plumbline.training.network import Network
from plumbline.training.objective import Objective
from plumbline.training.readout import by_output


class FitParams(Record):
    """How the weights are found."""

    epochs: int = Field(20, ge=1, description="At most.")
    patience: int = Field(5, ge=1, description="Epochs without progress before stopping.")
    batch_size: int = Field(128, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warm_up: float = Field(0.1, ge=0, lt=1, description="Share of the steps with a rising rate.")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    averaging: float = Field(0.95, ge=0, lt=1, description="Decay of the running weight average.")
    threads: int = Field(
        1,
        ge=1,
        description="Part of the recipe, since sums depend on it. More than one helps on idle "
        "cores and hurts badly on busy ones, where threads wait for each other.",
    )


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training rows achieved; losses in nats per row."""

    number: int
    train_loss: float
    calibration_loss: float


@dataclass(frozen=True)
class Fitted:
    """The best network seen, and how it went."""

    network: nn.Module
    epochs: tuple[Epoch, ...]
    best: Epoch


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt, and from what.

    Attributes
    ----------
    objective, family
        What is minimised, and whose network it is.
    dataset
        Where the windows come from.
    train, calibration : (n,) int64
        Rows to learn from, and rows that decide when to stop.
    unit
        Whether a batch holds rows, or cross-sections that are never split.
    """

    objective: Objective
    family: Family[Any]
    dataset: Dataset
    train: IntArray
    calibration: IntArray
    unit: Literal["row", "cross_section"] = "row"

    def truth(self, rows: IntArray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return truth ``(b, outputs) float32`` and group ``(b,)`` of these rows."""
        values = torch.from_numpy(self.dataset.truth[rows].astype(np.float32))
        return values, torch.from_numpy(self.dataset.group[rows])

    def batches(self, size: int) -> int:
        """Return how many batches a pass over the rows takes, about."""
        if self.unit == "row":
            return math.ceil(len(self.train) / size)
        _, counts = np.unique(self.dataset.group[self.train], return_counts=True)
        return math.ceil(len(counts) / max(1, size // int(counts.max())))

    def shuffled(self, size: int) -> Iterator[IntArray]:
        """Yield the rows in random order, about ``size`` at a time."""
        if self.unit == "row":
            order = self.train[torch.randperm(len(self.train)).numpy()]
            for start in range(0, len(order), size):
                yield order[start : start + size]
            return
        groups, code = np.unique(self.dataset.group[self.train], return_inverse=True)
        by_group = np.argsort(code, kind="stable")
        counts = np.bincount(code)
        ends = np.cumsum(counts)
        at_once = max(1, size // int(counts.max()))
        order = torch.randperm(len(groups)).numpy()
        for start in range(0, len(order), at_once):
            chosen = order[start : start + at_once]
            picked = [by_group[ends[g] - counts[g] : ends[g]] for g in chosen]
            yield self.train[np.concatenate(picked)]


@dataclass(frozen=True)
class FitState:
    """Where a fit stands after an epoch: all that it takes to go on as if nothing had happened.

    Attributes
    ----------
    epochs
        Those behind it.
    steps
        Of the optimiser.
    tensors
        Weights, their running average, the best of it, the optimiser's moments, and the state of
        the random numbers, by name.
    """

    epochs: tuple[Epoch, ...]
    steps: int
    tensors: dict[str, torch.Tensor]


@contextmanager
def seeded(seed: int, threads: int) -> Iterator[None]:
    """Give torch a seed and a number of threads, and give back what was there before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def answers_of(network: nn.Module, dataset: Dataset, rows: IntArray) -> torch.Tensor:
    """Return what a network says of these rows, ``(m, members, Σ width)``, without dropout."""
    network.eval()
    with torch.inference_mode():
        return torch.cat(
            [network(torch.from_numpy(dataset.windows(some))) for some in dataset.batches(rows)]
        )


def raw_of(network: Network, dataset: Dataset, rows: IntArray) -> FloatArray:
    """Return the raw numbers of these rows as the exported graph lays them out: ``(m, …)``."""
    answers = answers_of(network, dataset, rows)
    return torch.cat(by_output(answers, network.readout.specs), dim=1).numpy()  # type: ignore[no-any-return]  # torch


def fit_network(
    network: Network,
    lesson: Lesson,
    *,
    params: FitParams,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    keep: Callable[[FitState], None] | None = None,
    resume: FitState | None = None,
) -> Fitted:
    """Fit a network in place and return the average of its weights that did best.

    Call it inside `seeded`, on which the order of rows and the dropout depend.

    Parameters
    ----------
    network
        Raw windows to numbers.
    lesson
        What is to be learnt, of which rows.
    params
        The recipe.
    on_epoch
        Told after every epoch.
    keep
        Given after every epoch what it takes to go on from there.
    resume
        Go on from there: the end is the same, bit for bit, as without the interruption.

    Raises
    ------
    TrainingError
        If the loss is no longer finite.
    """
    descent = _Descent(network, lesson, params)
    held_out = lesson.dataset, lesson.calibration
    truth, group = lesson.truth(lesson.calibration)
    epochs: list[Epoch] = [] if resume is None else list(resume.epochs)
    best_state = {} if resume is None else descent.restore(resume)
    while not _ended(epochs, params):
        number = len(epochs) + 1
        train_loss = descent.run()
        said = answers_of(descent.average, *held_out)
        epoch = Epoch(number, train_loss, float(lesson.objective(said, truth, group)))
        if not math.isfinite(epoch.train_loss + epoch.calibration_loss):
            raise TrainingError(
                f"the loss is not finite in epoch {number}: lower fit.learning_rate, "
                f"which is {params.learning_rate:g}"
            )
        epochs.append(epoch)
        if best_of(epochs) is epoch:
            best_state = copy.deepcopy(descent.average.state_dict())
        if keep is not None:
            keep(descent.state(epochs, best_state))
        on_epoch(epoch)
    network.load_state_dict(best_state)
    network.eval()
    return Fitted(network, tuple(epochs), best_of(epochs))


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """Return the epoch with the lowest loss on the calibration part, the first of equals."""
    return min(epochs, key=lambda each: each.calibration_loss)


def _ended(epochs: Sequence[Epoch], params: FitParams) -> bool:
    """Tell whether the epochs are used up, or the patience is."""
    if not epochs:
        return False
    waited = epochs[-1].number - best_of(epochs).number
    return len(epochs) >= params.epochs or waited >= params.patience


class _Descent:
    """AdamW on a network with a schedule, and the running average of the weights it passes."""

    def __init__(self, network: Network, lesson: Lesson, params: FitParams) -> None:
        self._network = network
        self._lesson = lesson
        self._params = params
        self._weights = [weight for weight in network.parameters() if weight.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._weights, lr=params.learning_rate, weight_decay=params.weight_decay
        )
        steps = params.epochs * lesson.batches(params.batch_size)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: _rate(step, steps, params)
        )
        keep = get_ema_multi_avg_fn(params.averaging)
        self._averaged = AveragedModel(network, multi_avg_fn=keep)

    @property
    def average(self) -> nn.Module:
        """The network with the averaged weights."""
        return self._averaged.module

    def state(self, epochs: Sequence[Epoch], best: Mapping[str, torch.Tensor]) -> FitState:
        """Return where the descent stands; the tensors are copies."""
        moments = self._optimiser.state_dict()["state"]
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "network": self._network.state_dict(),
            "average": self._averaged.state_dict(),
            "best": best,
            **{f"optimiser/{place}": values for place, values in moments.items()},
        }
        tensors = {f"{part}/{name}": v.clone() for part in parts for name, v in parts[part].items()}
        tensors["random"] = torch.get_rng_state()
        return FitState(tuple(epochs), self._schedule.last_epoch, tensors)

    def restore(self, state: FitState) -> dict[str, torch.Tensor]:
        """Stand where a descent stood before; return its best weights."""
        self._network.load_state_dict(_under("network/", state.tensors))
        self._averaged.load_state_dict(_under("average/", state.tensors))
        fresh = self._optimiser.state_dict()
        places = range(len(self._weights))
        moments = {place: _under(f"optimiser/{place}/", state.tensors) for place in places}
        moments = {place: values for place, values in moments.items() if values}
        self._optimiser.load_state_dict({**fresh, "state": moments})
        self._schedule.last_epoch = state.steps
        for group, rate in zip(self._optimiser.param_groups, self._schedule.base_lrs, strict=True):
            group["lr"] = rate * self._schedule.lr_lambdas[0](state.steps)
        torch.set_rng_state(state.tensors["random"])
        return _under("best/", state.tensors)

    def run(self) -> float:
        """Pass once over the rows in random order; return their mean loss on the way."""
        self._network.train()
        total, rows = 0.0, 0
        for batch in self._lesson.shuffled(self._params.batch_size):
            total += self._step(batch) * len(batch)
            rows += len(batch)
        return total / rows

    def _step(self, batch: IntArray) -> float:
        truth, group = self._lesson.truth(batch)
        numbers = self._network(torch.from_numpy(self._lesson.dataset.windows(batch)))
        value = self._lesson.objective(numbers, truth, group)
        penalty = self._lesson.family.penalty(self._network.core, len(self._lesson.train))
        self._optimiser.zero_grad()
        (value if penalty is None else value + penalty).backward()
        nn.utils.clip_grad_norm_(self._weights, self._params.clip)
        self._optimiser.step()
        self._schedule.step()
        self._averaged.update_parameters(self._network)
        return float(value.item())


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin so, by the rest of their names."""
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _rate(step: int, steps: int, params: FitParams) -> float:
    """Rise linearly, then fall along half a cosine; a share of the learning rate."""
    rising = params.warm_up * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
