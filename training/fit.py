"""Fitting a network: AdamW, a running average of the weights, early stopping on held-out rows.

The rows that stop the training are the calibration part. The validation part is the gate's: no
choice is made on it here, or its verdict would be worth nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.record import Record
from plumbline.training.dataset import Dataset
from plumbline.training.errors import TrainingError
from plumbline.training.losses import Loss


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


def logits_of(network: nn.Module, dataset: Dataset, rows: IntArray) -> FloatArray:
    """Return the raw logits of these rows: ``(m, k) float32``, computed without dropout."""
    network.eval()
    with torch.inference_mode():
        parts = [network(torch.from_numpy(windows)).numpy() for windows in dataset.batches(rows)]
    return np.concatenate(parts)


def start_at_prior(core: nn.Module, loss: Loss[Any]) -> None:
    """Let a fresh network begin with the log prior its loss leaves to it, and small differences."""
    head = core.head
    if not isinstance(head, nn.Linear):
        raise TypeError("a family's network must have its last linear layer as `head`")
    with torch.no_grad():
        head.weight.mul_(0.1)
        head.bias.copy_((1 - loss.tau) * torch.log(torch.tensor(loss.prior)))


def fit_network(
    network: nn.Module,
    loss: Loss[Any],
    dataset: Dataset,
    train: IntArray,
    calibration: IntArray,
    *,
    params: FitParams,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Fitted:
    """Fit a network in place and return the average of its weights that did best.

    Call it inside `seeded`, on which the order of rows and the dropout depend.

    Parameters
    ----------
    network
        Raw windows to logits.
    loss
        Of the logits; its held-out value decides when to stop.
    dataset
        Where the windows come from.
    train, calibration : (n,) int64
        Rows to learn from, and rows that decide when to stop.
    params
        The recipe.
    on_epoch
        Told after every epoch.

    Raises
    ------
    TrainingError
        If the loss is no longer finite.
    """
    descent = _Descent(network, loss, dataset, params, rows=len(train))
    held_out = torch.from_numpy(dataset.labels[calibration].astype(np.int64))
    epochs: list[Epoch] = []
    best_state: dict[str, torch.Tensor] = {}
    for number in range(1, params.epochs + 1):
        train_loss = descent.run(train)
        said = torch.from_numpy(logits_of(descent.average, dataset, calibration))
        epoch = Epoch(number, train_loss, float(loss(said, held_out)))
        if not math.isfinite(epoch.train_loss + epoch.calibration_loss):
            raise TrainingError(
                f"the loss is not finite in epoch {number}: lower fit.learning_rate, "
                f"which is {params.learning_rate:g}"
            )
        epochs.append(epoch)
        on_epoch(epoch)
        best = min(epochs, key=lambda each: each.calibration_loss)
        if best is epoch:
            best_state = copy.deepcopy(descent.average.state_dict())
        elif number - best.number >= params.patience:
            break
    network.load_state_dict(best_state)
    network.eval()
    return Fitted(network, tuple(epochs), min(epochs, key=lambda each: each.calibration_loss))


class _Descent:
    """AdamW on a network with a schedule, and the running average of the weights it passes."""

    def __init__(
        self,
        network: nn.Module,
        loss: Loss[Any],
        dataset: Dataset,
        params: FitParams,
        *,
        rows: int,
    ) -> None:
        self._network = network
        self._loss = loss
        self._dataset = dataset
        self._params = params
        self._weights = [weight for weight in network.parameters() if weight.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._weights, lr=params.learning_rate, weight_decay=params.weight_decay
        )
        steps = params.epochs * math.ceil(rows / params.batch_size)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: _rate(step, steps, params)
        )
        keep = get_ema_multi_avg_fn(params.averaging)
        self._averaged = AveragedModel(network, multi_avg_fn=keep)

    @property
    def average(self) -> nn.Module:
        """The network with the averaged weights."""
        return self._averaged.module

    def run(self, rows: IntArray) -> float:
        """Pass once over the rows in random order; return their mean loss on the way."""
        self._network.train()
        order = rows[torch.randperm(len(rows)).numpy()]
        total = 0.0
        for start in range(0, len(order), self._params.batch_size):
            batch = order[start : start + self._params.batch_size]
            total += self._step(batch) * len(batch)
        return total / len(rows)

    def _step(self, batch: IntArray) -> float:
        labels = torch.from_numpy(self._dataset.labels[batch].astype(np.int64))
        logits = self._network(torch.from_numpy(self._dataset.windows(batch)))
        value = self._loss(logits, labels)
        self._optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(self._weights, self._params.clip)
        self._optimiser.step()
        self._schedule.step()
        self._averaged.update_parameters(self._network)
        return float(value.item())


def _rate(step: int, steps: int, params: FitParams) -> float:
    """Rise linearly, then fall along half a cosine; a share of the learning rate."""
    rising = params.warm_up * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(steps - rising, 1)))
