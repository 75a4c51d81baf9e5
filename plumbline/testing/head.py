"""The contract of heads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.heads.base import Head
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec
from plumbline.testing.contract import hold, require, require_kind

FLAT = 1e-4


def check_head(
    kind: type[Head[Any]],
    spec: OutputSpec,
    raw: FloatArray,
    truth: FloatArray,
    group: np.ndarray | None = None,
) -> None:
    """Hold a head to everything it promises.

    Parameters
    ----------
    kind
        The class.
    spec
        An output of its kind.
    raw : (n, members, width)
        What a model gives that knows something of the truth; a few hundred rows.
    truth : (n,)
        What came true.
    group : (n,)
        Which rows are one cross-section; none by default.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, Head, name=spec.kind)
    subject = _Subject(kind(spec), np.asarray(raw, np.float64), np.asarray(truth), group)
    hold(kind.__qualname__, _PROMISES, subject)


@dataclass(frozen=True)
class _Subject:
    head: Head[Any]
    raw: FloatArray
    truth: FloatArray
    group: np.ndarray | None

    def read(self, raw: FloatArray | None = None) -> Reading:
        calibration = self.head.identity()
        return self.head.read(self.raw if raw is None else raw, calibration, self.group)


def _reads(subject: _Subject) -> None:
    """A reading has a row for each row, all of it finite, and says so again when asked again."""
    rows, reading = len(subject.raw), subject.read()
    for name in ("centre", "epistemic", "coordinates"):
        values = getattr(reading, name)
        dimensions = 1 if name == "epistemic" else 2
        fits = len(values) == rows and values.ndim == dimensions
        require(fits, f"{name} has shape {values.shape} for {rows} rows")
        require(np.isfinite(values).all(), f"{name} is not finite everywhere")
        require(np.array_equal(values, getattr(subject.read(), name)), f"{name} is another twice")
    require(reading.centre.shape[1] == subject.head.spec.width, "centre has not the output's width")


def _members_of_one_mind(subject: _Subject) -> None:
    """Members that agree have no epistemic spread."""
    agreed = np.repeat(subject.raw[:, :1], subject.head.spec.members, axis=1)
    most = float(np.abs(subject.read(agreed).epistemic).max())
    require(most <= 1e-6, f"members that agree have an epistemic spread of {most:.2g}")


def _restores_what_is_logged(subject: _Subject) -> None:
    """Coordinates can be computed again from the centre alone, as logged in float32."""
    reading, calibration = subject.read(), subject.head.identity()
    logged = reading.centre.astype(np.float32).astype(np.float64)
    again = subject.head.coordinates(logged, calibration, subject.group)
    same = np.allclose(again, reading.coordinates, atol=1e-3, rtol=1e-3)
    require(same, "coordinates of the logged centre are others")


def _fits(subject: _Subject) -> None:
    """A fit gives a calibration of its kind; rows without a truth have no part in it."""
    head, truth = subject.head, subject.truth.astype(np.float64).copy()
    require(head.misfit(head.identity()) is None, f"identity: {head.misfit(head.identity())}")
    require(head.untrue(truth) is None, f"the truths given: {head.untrue(truth)}")
    truth[::7] = np.nan
    found = head.fit(subject.raw, truth, subject.group)
    require(isinstance(found, head.calibration_kind), f"it fits {type(found).__qualname__}")
    require(head.misfit(found) is None, f"its own calibration: {head.misfit(found)}")
    known = int(np.isfinite(truth).sum())
    require(found.rows == known, f"it says it was fitted on {found.rows} rows, expected {known}")


def _knows_what_it_is_worth(subject: _Subject) -> None:
    """Gain is NaN where the truth is, and larger for the rows' own truths than for others'."""
    reading, calibration, truth = subject.read(), subject.head.identity(), subject.truth.copy()
    truth = truth.astype(np.float64)
    own = float(np.nanmean(subject.head.gain(reading, truth, calibration, subject.group)))
    mixed = np.random.default_rng(0).permutation(truth)
    other = float(np.nanmean(subject.head.gain(reading, mixed, calibration, subject.group)))
    require(own > other, f"its own truths are worth {own:.3g}, shuffled ones {other:.3g}")
    truth[3] = np.nan
    gain = subject.head.gain(reading, truth, calibration, subject.group)
    require(gain.shape == truth.shape, f"gain has shape {gain.shape}, expected {truth.shape}")
    require(np.isnan(gain[3]), "a row without a truth has a gain")


def _tells_flat_from_alive(subject: _Subject) -> None:
    """Spread is None for one row, tiny for one answer to all, and large for a live model."""
    head = subject.head
    require(head.spread(subject.read().take(slice(0, 1))) is None, "one row has a spread")
    alive = head.spread(subject.read())
    require(alive is not None and alive > FLAT, f"a live model has a spread of {alive}")
    same = head.spread(subject.read(np.repeat(subject.raw[:1], len(subject.raw), axis=0)))
    require(same is not None and same <= FLAT, f"one answer to all has a spread of {same}")


def _can_be_sent(subject: _Subject) -> None:
    """A row becomes a JSON object whose first key is `kind`; it points somewhere."""
    reading = subject.read()
    wire = subject.head.to_wire(reading, 0, subject.head.identity())
    json.dumps(wire, allow_nan=False)
    require(next(iter(wire)) == "kind", f"the first key is {next(iter(wire))!r}")
    require(wire["kind"] == subject.head.kind, f"it says it is a {wire['kind']}")
    direction = subject.head.direction(reading)
    require(direction.shape == (len(reading),), f"direction has shape {direction.shape}")


_PROMISES = (
    _reads,
    _members_of_one_mind,
    _restores_what_is_logged,
    _fits,
    _knows_what_it_is_worth,
    _tells_flat_from_alive,
    _can_be_sent,
)
