"""Are raw numbers read as this version reads them? Its calibration and its policy, row by row.

A row that holds nothing says nothing of the size: whoever wrote it may not have kept that.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, BoolArray, FloatArray, IntArray
from plumbline.bundle.golden import unit_of
from plumbline.bundle.spec import OutputSpec
from plumbline.diagnosis.exact.answers import differing
from plumbline.diagnosis.exact.form import form_of
from plumbline.monitoring.watching.audit.section import Sizes, requests, sections
from plumbline.store.prediction import PredictionBatch

_TOLERANCE = 1e-4
"""Of a centre's unit: logged numbers are float32, and tails of probabilities are small."""

_HELD = 1e-3
"""Of capital."""

_KEPT = 64


class ReadingCheck:
    """Reads logged raw numbers anew.

    Parameters
    ----------
    bundle
        Whose heads, calibrations and policy they are.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._outputs = bundle.outputs
        self._rowwise = bundle.manifest.unit == "row"
        centre, epistemic = bundle.reference.centre, bundle.reference.epistemic
        self._slack = _TOLERANCE * np.array([unit_of(each) for each in (*centre.T, *epistemic.T)])
        widths = (centre.shape[1], epistemic.shape[1])
        self._own = np.repeat([True, self._rowwise], widths)
        self._sizes = Sizes()
        self._kept: list[PredictionBatch] = []

    def check(self, batch: PredictionBatch) -> IntArray:
        """Return the places of rows that are read otherwise; what is not finite is left out."""
        if len(batch) == 0:
            return np.empty(0, np.int64)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            off = self._differs(batch)
        off &= np.isfinite(batch.raw).all(axis=1)
        places = np.flatnonzero(off)
        if len(places):
            self._keep(batch.take(places))
        return places

    def _differs(self, batch: PredictionBatch) -> BoolArray:
        outputs = self._outputs
        group = None if self._rowwise else batch.group
        readings = outputs.read(batch.raw, group)
        centres = outputs.centres(readings)
        logged = np.concatenate([batch.centre, batch.epistemic], axis=1)
        right = np.concatenate([centres, outputs.epistemics(readings)], axis=1)
        whole = np.ones(len(batch), bool) if self._rowwise else self._whole(batch)
        slack = np.where(whole[:, None] | self._own, self._slack, np.inf)
        off = differing(logged, right, slack)
        decision = outputs.decide(readings, group)
        held = batch.position * batch.size
        acted = (held != 0) & (np.abs(decision.position * decision.size - held) > _HELD)
        if decision.action is not None:
            acted |= decision.action != batch.action
        acted &= whole
        if np.logical_or.reduce(acted):
            acted &= ~self._tied(batch, group)
        either: BoolArray = off | acted
        return either

    def _whole(self, batch: PredictionBatch) -> BoolArray:
        """Tell which rows belong to whole cross-sections: ranks depend on every row of them."""
        whole = np.zeros(len(batch), bool)
        for rows, unbroken in sections(batch, np.ones(len(batch), bool)):
            at_once = len(requests(batch, rows)) == 1
            whole[rows] = self._sizes.usual(len(rows)) and unbroken and at_once
        return whole

    def _tied(self, rows: PredictionBatch, group: AnyArray | None) -> BoolArray:
        """Tell which logged decisions are those of the logged centres: a tie falls either way."""
        logged = self._outputs.restore(rows.centre, rows.epistemic, group)
        again = self._outputs.decide(logged, group)
        held = rows.position * rows.size
        same: BoolArray = (held == 0) | (np.abs(again.position * again.size - held) <= _HELD)
        return same if again.action is None else same & (again.action == rows.action)

    def _keep(self, rows: PredictionBatch) -> None:
        self._kept.append(rows)
        while len(self._kept) > 1 and sum(map(len, self._kept[1:])) >= _KEPT:
            self._kept.pop(0)

    def relate(self, others: Mapping[str, Bundle]) -> tuple[str, str, str]:
        """Return kind, clause and version of what the newest of them have in common."""
        for name, other in others.items():
            if other.manifest.outputs == self._bundle.manifest.outputs and not any(
                ReadingCheck(other).check(rows).size for rows in self._kept
            ):
                return "version", f"they are read as {name} would", name
        raw = np.concatenate([rows.raw for rows in self._kept])
        centre = np.concatenate([rows.centre for rows in self._kept])
        epistemic = np.concatenate([rows.epistemic for rows in self._kept])
        right, logged = self._outputs.read(raw), self._outputs.restore(centre, epistemic)
        kind, said = "", []
        for spec in self._outputs.specs:
            x, y = right[spec.name], logged[spec.name]
            off = differing(y.centre, x.centre, np.full(x.centre.shape[1], _TOLERANCE))
            apart = np.abs(y.epistemic - x.epistemic) > _TOLERANCE
            if off.any():
                form = _form(spec, x.coordinates, y.coordinates, off)
                kind = kind or form[0]
                said.append(f"of {spec.name}, {form[1]}")
            elif self._rowwise and apart.any():
                kind = kind or "epistemic"
                none = " is logged as none" if not y.epistemic[apart].any() else ""
                said.append(f"the members' disagreement on {spec.name}{none or ' is another'}")
        if not said:
            return "decision", "the decisions are not those of this version's policy", ""
        return kind, "; ".join(said), ""


def _form(
    spec: OutputSpec, right: FloatArray, logged: FloatArray, wrong: BoolArray
) -> tuple[str, str]:
    """Name how coordinates ``(n, c)`` differ."""
    width = right.shape[1]
    choices = spec.choices if len(spec.choices) == width else ()
    one = spec.model_copy(update={"members": 1, "width": width, "choices": choices})
    form = form_of(one, logged, right, wrong, np.full(width, 1e-3))
    return form.kind, form.said
