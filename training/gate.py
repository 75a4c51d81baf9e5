"""The gate: a bundle that has collapsed, leaks or knows nothing is not promoted.

The judgement is `diagnosis`, the same that watches the live stream. It is asked twice: about the
validation rows, and about inputs that were really served, because a model may be sound on one
and collapsed on the other. Live rows with broken inputs are left out first: they say nothing of
a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.bootstrap import mean_interval
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.training.live import LiveRows
from plumbline.training.metrics import score

Answer = Callable[[Mapping[str, FloatArray]], FloatArray]
"""From named inputs, rows first, to raw numbers ``(m, Σ members · width)``."""


def judge(
    validation: Sample,
    context: Context,
    *,
    answer: Answer,
    live: LiveRows | None = None,
) -> ValidationReport:
    """Judge a bundle that is about to be written.

    Parameters
    ----------
    validation
        What the model says of the validation rows, in order, masked ones among them.
    context
        Its outputs and feature names, and its own healthy stream, against which live rows are held.
    answer
        The model that will be served.
    live
        Served inputs, if there are any.
    """
    alone = Context(context.outputs, context.features)
    on_validation = diagnose(validation, alone)
    reasons = []
    if not on_validation.sound:
        reasons.append(reason_of("validation rows", on_validation))
    elif (blind := _bets_blindly(validation, alone)) is not None:
        reasons.append(blind)
    on_live = None if live is None else judge_live(live, answer, context)
    if on_live is not None and accuses(on_live):
        reasons.append(reason_of("served windows", on_live))
    return ValidationReport(
        passed=not reasons,
        validation=on_validation,
        live=on_live,
        metrics=score(validation, context.outputs),
        reasons=tuple(reasons),
    )


def _bets_blindly(validation: Sample, context: Context) -> str | None:
    """Say so if a forecast is bet on that knows its own deviation, and no direction."""
    outputs = context.outputs
    case = Case(validation, context, Thresholds(), outputs.primary)
    along = case.along_by_moment
    held = outputs.decide(validation.readings, validation.group).position
    if case.head.spec.kind != "value" or along is None or not held.any():
        return None
    interval = mean_interval(along, level=case.thresholds.skill_level)
    if interval is not None and interval.low > 0:
        return None
    return (
        f"{Verdict.NO_SIGNAL.value} on {len(validation)} validation rows: {outputs.primary} knows "
        "how far the truth strays, not which way, and the policy bets on the way: say [policy] "
        'kind = "abstain" to serve it as a forecast, or change the target or the features'
    )


def sample_of(
    raw: FloatArray,
    outputs: Outputs,
    *,
    features: FloatArray | None,
    truth: FloatArray | None = None,
    group: np.ndarray | None = None,
    bar_time: np.ndarray | None = None,
    symbol: np.ndarray | None = None,
    inputs_hash: np.ndarray | None = None,
) -> Sample:
    """Return rows as the judgement sees them: raw numbers read, decided, and what is known."""
    readings = outputs.read(raw, group)
    return Sample(
        readings=readings,
        action=outputs.decide(readings, group).action,
        features=features,
        truth=truth,
        group=group,
        bar_time=bar_time,
        symbol=symbol,
        inputs_hash=inputs_hash,
    )


def judge_live(live: LiveRows, answer: Answer, context: Context) -> Diagnosis:
    """Ask the model about served inputs and judge what it says, held against its reference."""
    if context.reference is None:
        raise ValueError("served rows are held against a reference, this context has none")
    clean = np.flatnonzero(_whole(input_clean(live, context.reference), live.rows.group))
    rows = live.rows.take(clean)
    inputs = {name: array[clean] for name, array in live.inputs.items()}
    width = sum(spec.numbers for spec in context.outputs.specs)
    raw = np.zeros((len(clean), width), np.float32)
    for some in _pieces(rows.group):
        raw[some] = answer({name: array[some] for name, array in inputs.items()})
    sample = sample_of(
        raw,
        context.outputs,
        features=rows.features,
        group=rows.group,
        bar_time=rows.bar_time,
        symbol=rows.symbol,
        inputs_hash=rows.inputs_hash,
    )
    return diagnose(sample, context)


def _whole(clean: BoolArray, group: np.ndarray) -> BoolArray:
    """Leave out cross-sections of which a row is left out: the ranks of the others would change."""
    broken = np.unique(group[~clean])
    whole: BoolArray = clean & ~np.isin(group, broken[broken != ""])
    return whole


def _pieces(group: np.ndarray) -> list[np.ndarray]:
    """Return which rows a model is asked about together: each cross-section by itself."""
    if not len(group):
        return []
    if (group == "").all():
        return [np.arange(len(group))]
    return [np.flatnonzero(group == name) for name in np.unique(group)]


def input_clean(live: LiveRows, reference: ReferenceProfile) -> BoolArray:
    """Tell which served rows may accuse a model: ``(m,) bool``.

    Left out are repeats of an earlier row, and rows of which some step has more columns that are
    zero, or that keep the value of the step before, than any step of the reference. Of raw bars
    only the last step's columns are known.
    """
    if not len(live.rows):
        return np.zeros(0, dtype=bool)
    first = np.zeros(len(live.rows), dtype=bool)
    first[np.unique(live.rows.inputs_hash, return_index=True)[1]] = True
    table = reference.features
    steps = live.steps
    zeros = (steps == 0).sum(axis=2).max(axis=1)
    kept = (steps[:, 1:] == steps[:, :-1]).sum(axis=2).max(axis=1, initial=0)
    most_zeros = (table == 0).sum(axis=1).max(initial=0)
    most_kept = (table[1:] == table[:-1]).sum(axis=1).max(initial=0)
    clean: BoolArray = first & (zeros <= most_zeros + 1) & (kept <= most_kept + 1)
    return clean


def accuses(live: Diagnosis) -> bool:
    """Whether what is said of served windows is the model's fault."""
    return not live.sized and not live.verdict.facts.of_input


def reason_of(where: str, found: Diagnosis) -> str:
    """Say why a model does not pass: what was found, on which rows."""
    return f"{found.verdict.value} on {found.n} {where}: {found.cause}"
