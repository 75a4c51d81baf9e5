"""Whether a model points the way its own lessons did.

A model knows the rows that taught it at least a little, whatever they were worth. Where it points
*against* the truth of those, or clearly against that of the validation rows, its outputs are
exchanged or the sign of the label is: a fault that a gain over the constant does not show, since
that is about distance.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.finding import Finding, Level
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.ruling import Ruling
from plumbline.training.gate.held import Held
from plumbline.training.gate.statement import DIRECTION

CLEARLY = -0.15
"""Correlation with the truth of the validation rows, below which it pays to bet against."""
_SURE = 0.98


def points_backwards(held: Held) -> Ruling:
    """Hold when the direction agrees with the opposite of what came true."""
    findings: list[Finding] = []
    if held.enough and DIRECTION in held.said and DIRECTION in held.true:
        products = _products(held.said[DIRECTION], held.true[DIRECTION])
        value, interval = held.mean(products, _SURE)
        backwards = interval is not None and interval.high < 0 and value < CLEARLY
        findings.append(_finding(held, "validation rows", value, backwards, len(products)))
        if backwards:
            return Ruling(True, _cause(value, "validation rows"), tuple(findings))
    ground = held.ground
    if ground is None or DIRECTION not in held.ground_said:
        return Ruling(False, "", tuple(findings))
    lessons = ground.taught[ground.asked]
    said = held.ground_said[DIRECTION][lessons]
    true = held.ground_true[DIRECTION][ground.asked][lessons]
    products = _products(said, true)
    products = products[np.isfinite(products)]
    if len(products) < 200:
        return Ruling(False, "", tuple(findings))
    interval = mean_interval(products, level=_SURE, block=max(24, 2 * held.reach))
    value = float(products.mean())
    backwards = interval is not None and interval.high < 0
    findings.append(_finding(held, "rows that taught it", value, backwards, len(products)))
    return Ruling(backwards, _cause(value, "rows that taught it"), tuple(findings))


def _products(said: FloatArray, true: FloatArray) -> FloatArray:
    """Return standardised products, whose mean is a correlation; NaN where the truth is."""
    known = np.isfinite(true)
    if not known.any():
        return np.full(len(true), np.nan)
    a, b = said - said[known].mean(), true - true[known].mean()
    size = float(a[known].std() * b[known].std())
    return a * b / size if size > 0 else np.where(known, 0.0, np.nan)


def _cause(value: float, where: str) -> str:
    return (
        f"It points the wrong way: on the {where} its direction agrees with the truth by "
        f"{value:+.2f} (a correlation). Look for exchanged outputs, or a label with the wrong sign."
    )


def _finding(held: Held, where: str, value: float, backwards: bool, n: int) -> Finding:
    return Finding(
        name="direction_agreement",
        level=Level.FAIL if backwards else Level.PASS,
        value=value,
        threshold=0.0,
        n=n,
        message=f"On the {where} the direction agrees with the truth by {value:+.3f}.",
        output=held.output if len(held.context.outputs.specs) > 1 else "",
    )
