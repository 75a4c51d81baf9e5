"""The contract of policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.heads import build_head
from plumbline.bundle.policies.base import Policy
from plumbline.bundle.reading import Decision
from plumbline.bundle.spec import OutputSpec
from plumbline.testing.contract import hold, require, require_kind


def check_policy(
    kind: type[Policy[Any]],
    parameters: Mapping[str, Any] | None,
    output: OutputSpec,
    raw: FloatArray | None = None,
) -> None:
    """Hold a policy to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``; with the prior where it wants one.
    output
        The primary output it decides by.
    raw : (n, members, width)
        What a model gives; 200 rows of noise by default.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Policy, name=kind.kind)
    policy = kind(kind.Params.model_validate(dict(parameters or {})), output)
    noise = np.random.default_rng(0).normal(size=(200, output.members, output.width))
    given = np.abs(noise) if raw is None and output.kind == "value" else noise
    hold(kind.__qualname__, _PROMISES, _Subject(policy, output, given if raw is None else raw))


@dataclass(frozen=True)
class _Subject:
    policy: Policy[Any]
    output: OutputSpec
    raw: FloatArray

    def decide(self, rows: np.ndarray | slice = slice(None)) -> Decision:
        head = build_head(self.output)
        calibration = head.identity()
        readings = {self.output.name: head.read(self.raw[rows], calibration)}
        return self.policy.decide(readings, {self.output.name: calibration})


def _decides(subject: _Subject) -> None:
    """Position lies between -1 and 1, size is at least zero, an action is one it names."""
    found, rows = subject.decide(), (len(subject.raw),)
    for name in ("position", "size"):
        values = getattr(found, name)
        require(values.shape == rows, f"{name} has shape {values.shape}, expected {rows}")
        require(np.isfinite(values).all(), f"{name} is not finite everywhere")
    require(np.abs(found.position).max() <= 1, "a position lies outside -1 to 1")
    require(found.size.min() >= 0, "a size is below zero")
    actions = subject.policy.actions
    require((found.action is None) == (not actions), f"it names {actions} and gives {found.action}")
    if found.action is not None:
        inside = (found.action >= 0) & (found.action < len(actions))
        require(inside.all(), f"an action lies outside the {len(actions)} it names")


def _has_no_memory(subject: _Subject) -> None:
    """Equal readings get equal decisions, and the order of a batch does not matter."""
    order = np.random.default_rng(1).permutation(len(subject.raw))
    one, again, mixed = subject.decide(), subject.decide(), subject.decide(order)
    for name in ("action", "position", "size"):
        first, second, third = (getattr(each, name) for each in (one, again, mixed))
        if first is not None:
            require(np.array_equal(first, second), f"asking twice gives another {name}")
            require(np.allclose(first[order], third), f"another order gives another {name}")


def _counts_its_actions(subject: _Subject) -> None:
    """Names of actions are unique; a prior has a share for each, which sum to one."""
    actions, prior = subject.policy.actions, subject.policy.prior
    require(len(set(actions)) == len(actions), f"actions are named {actions}")
    if prior is not None:
        require(len(prior) == len(actions), f"{len(prior)} shares for {len(actions)} actions")
        require(abs(sum(prior) - 1) < 1e-6, f"its prior sums to {sum(prior):.6g}")


_PROMISES = (_decides, _has_no_memory, _counts_its_actions)
