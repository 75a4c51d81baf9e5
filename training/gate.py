"""The gate: a bundle that has collapsed, leaks or knows nothing is not promoted.

The judgement is `diagnosis`, the same that watches the live stream. It is asked twice: about the
validation rows, and about windows that were really served, because a model may be sound on one
and collapsed on the other. Live rows with broken inputs are left out first: they say nothing of
a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.policy import DecisionPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.sample import Context, Sample
from plumbline.training.dataset import Dataset
from plumbline.training.labels import CLASSES
from plumbline.training.live import LiveRows
from plumbline.training.metrics import score

Answer = Callable[[FloatArray], FloatArray]
"""From raw windows ``(m, t, f)`` to logits ``(m, k)``."""


@dataclass(frozen=True)
class Head:
    """What stands behind the logits: calibration and policy."""

    calibration: Calibration
    policy: DecisionPolicy

    def decide(self, logits: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return calibrated probabilities ``(n, k)`` and actions ``(n,)``."""
        probabilities = self.calibration.apply(logits)
        return probabilities, self.policy.decide(probabilities)


def judge(
    dataset: Dataset,
    validation: IntArray,
    answer: Answer,
    head: Head,
    *,
    reference: ReferenceProfile,
    live: LiveRows | None = None,
) -> ValidationReport:
    """Judge a bundle that is about to be written.

    Parameters
    ----------
    dataset, validation
        The rows of the validation part, in order, masked ones among them.
    answer, head
        The model that will be served, with its calibration and policy.
    reference
        The bundle's own healthy stream, against which live rows are held.
    live
        Served windows, if there are any.
    """
    logits = np.concatenate([answer(windows) for windows in dataset.batches(validation)])
    probabilities, actions = head.decide(logits)
    labels = dataset.labels[validation]
    sample = Sample(
        logits=logits,
        probabilities=probabilities,
        actions=actions,
        features=dataset.features[validation],
        labels=labels,
        bar_time=dataset.time[validation],
        symbol=dataset.symbol[validation],
    )
    on_validation = diagnose(sample, Context(CLASSES, dataset.names, head.policy))
    reasons = []
    if not on_validation.sound:
        reasons.append(reason_of("validation rows", on_validation))
    on_live = (
        None if live is None else judge_live(live, answer, head, reference, names=dataset.names)
    )
    if on_live is not None and accuses(on_live):
        reasons.append(reason_of("served windows", on_live))
    return ValidationReport(
        passed=not reasons,
        validation=on_validation,
        live=on_live,
        metrics=score(probabilities, actions, labels, head.policy.prior),
        reasons=tuple(reasons),
    )


def judge_live(
    live: LiveRows,
    answer: Answer,
    head: Head,
    reference: ReferenceProfile,
    *,
    names: tuple[str, ...],
) -> Diagnosis:
    """Ask the model about served windows and judge what it says, held against its reference."""
    clean = np.flatnonzero(input_clean(live, reference))
    rows, windows = live.rows.take(clean), live.windows[clean]
    shape = (0, len(CLASSES))
    logits = answer(windows) if len(clean) else np.zeros(shape, dtype=np.float32)
    probabilities, actions = head.decide(logits) if len(clean) else (logits, clean)
    sample = Sample(
        logits=logits,
        probabilities=probabilities,
        actions=actions,
        features=windows[:, -1],
        bar_time=rows.bar_time,
        symbol=rows.symbol,
        window_hash=rows.window_hash,
    )
    return diagnose(sample, Context(CLASSES, names, head.policy, reference))


def input_clean(live: LiveRows, reference: ReferenceProfile) -> BoolArray:
    """Tell which served windows may accuse a model: ``(m,) bool``.

    Left out are repeats of an earlier window, and windows of which some step has more columns that
    are zero, or that keep the value of the step before, than any step of the reference.
    """
    windows = live.windows
    if not len(windows):
        return np.zeros(0, dtype=bool)
    first = np.zeros(len(windows), dtype=bool)
    first[np.unique(live.rows.window_hash, return_index=True)[1]] = True
    table = reference.features
    zeros = (windows == 0).sum(axis=2).max(axis=1)
    kept = (windows[:, 1:] == windows[:, :-1]).sum(axis=2).max(axis=1, initial=0)
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
