"""The contract of labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plumbline.bundle.heads import build_head
from plumbline.testing.contract import hold, require, require_kind
from plumbline.testing.market import walk
from plumbline.training.bars import COLUMNS, Bars
from plumbline.training.labels import Label


def check_label(
    kind: type[Label[Any]], parameters: Mapping[str, Any], bars: Bars | None = None
) -> None:
    """Hold a label to everything it promises.

    Parameters
    ----------
    kind
        The class.
    parameters
        Of its ``Params``: the horizon at least, so that every choice comes true in the bars.
    bars
        Of one symbol; 600 hours of a random walk if left out.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Label)
    label = kind(kind.Params.model_validate(dict(parameters)))
    hold(kind.__qualname__, _PROMISES, _Subject(label, walk() if bars is None else bars))


@dataclass(frozen=True)
class _Subject:
    label: Label[Any]
    bars: Bars


def _has_outputs_that_heads_read(subject: _Subject) -> None:
    """Outputs have names of their own, a kind there is, and a horizon within the label's."""
    outputs = subject.label.outputs
    names = [spec.name for spec in outputs]
    require(names and len(set(names)) == len(names), f"outputs are named {names}")
    for spec in outputs:
        build_head(spec)
        within = spec.horizon_seconds * 1_000_000 <= subject.label.horizon
        require(within, f"{spec.name} looks further ahead than the label's horizon")


def _says_something_of_every_bar(subject: _Subject) -> None:
    """One row a bar, one column an output; truths of that kind; every choice comes true."""
    found, outputs = subject.label.build(subject.bars), subject.label.outputs
    rows = len(subject.bars)
    shapes = (found.values.shape, found.known_at.shape, found.forward_return.shape)
    expected = ((rows, len(outputs)), (rows,), (rows,))
    require(shapes == expected, f"shapes are {shapes}, expected {expected}")
    for place, spec in enumerate(outputs):
        column = found.values[:, place]
        reason = build_head(spec).untrue(column)
        require(reason is None, f"{spec.name}: {reason}")
        true = set(column[np.isfinite(column)].tolist())
        require(true, f"{spec.name} is never known: give other parameters or more bars")
        lacking = [name for i, name in enumerate(spec.choices) if i not in true]
        require(not lacking, f"no bar is {' or '.join(lacking)}: give other parameters or bars")


def _masks_what_it_cannot_know(subject: _Subject) -> None:
    """What lies beyond the last bar is NaN, and nothing is known after that bar."""
    found, time = subject.label.build(subject.bars), subject.bars.time
    known = np.isfinite(found.values).any(axis=1)
    early = known & (found.known_at <= time)
    require(not early.any(), f"{int(early.sum())} truths are known before anything has happened")
    guessed = int((known & (found.known_at > time[-1])).sum())
    require(not guessed, f"{guessed} bars have a truth although it is not known yet")


def _needs_nothing_later_than_it_says(subject: _Subject) -> None:
    """Nothing later than `known_at` changes a truth: a purge up to it is enough."""
    bars, label = subject.bars, subject.label
    found = label.build(bars)
    for row in np.linspace(0, len(bars) - 1, 7).astype(int)[:-1]:
        factor = np.where(bars.time > found.known_at[row], 3.0, 1.0)
        other = replace(bars, **{name: getattr(bars, name) * factor for name in COLUMNS})
        same = np.array_equal(label.build(other).values[row], found.values[row], equal_nan=True)
        require(same, "bars later than `known_at` change a truth: it looks further than it says")


def _is_repeatable(subject: _Subject) -> None:
    """The same bars get the same truths, and are left as they were."""
    kept = subject.bars.close.copy()
    one, two = subject.label.build(subject.bars), subject.label.build(subject.bars)
    same = np.array_equal(one.values, two.values, equal_nan=True)
    require(same, "the same bars get other truths")
    require(np.array_equal(kept, subject.bars.close), "it changes the bars")


_PROMISES = (
    _has_outputs_that_heads_read,
    _says_something_of_every_bar,
    _masks_what_it_cannot_know,
    _needs_nothing_later_than_it_says,
    _is_repeatable,
)
