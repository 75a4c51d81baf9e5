"""What was really served, asked of a candidate: held against its own reference.

Live rows with broken inputs are left out first: they say nothing of a model.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import BoolArray, IntArray
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reference import ReferenceProfile
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.gate.agreement import judge_agreement
from plumbline.training.gate.rows import Answer, sample_of
from plumbline.training.live import LiveRows


def judge_live(live: LiveRows, answer: Answer, context: Context) -> Diagnosis:
    """Ask the model about served inputs and judge what it says, held against its reference."""
    return judge_served(ask(live, sound_rows(live, context), answer, context.outputs), context)


def judge_served(sample: Sample, context: Context) -> Diagnosis:
    """Judge what a model says of served inputs: that it lives, and that it follows them."""
    found = diagnose(sample, context)
    return judge_agreement(sample, context, found, output=context.outputs.primary)


def sound_rows(live: LiveRows, context: Context) -> IntArray:
    """Return which served rows may accuse a model, cross-sections whole."""
    if context.reference is None:
        raise ValueError("served rows are held against a reference, this context has none")
    return np.flatnonzero(_whole(input_clean(live, context.reference), live.rows.group))


def ask(live: LiveRows, places: IntArray, answer: Answer, outputs: Outputs) -> Sample:
    """Ask a model about some served rows, and say what it answers."""
    rows = live.rows.take(places)
    inputs = {name: array[places] for name, array in live.inputs.items()}
    raw = np.zeros((len(places), sum(spec.numbers for spec in outputs.specs)), np.float32)
    for some in _pieces(rows.group):
        raw[some] = answer({name: array[some] for name, array in inputs.items()})
    return sample_of(
        raw,
        outputs,
        features=rows.features,
        group=rows.group,
        bar_time=rows.bar_time,
        symbol=rows.symbol,
        inputs_hash=rows.inputs_hash,
    )


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
