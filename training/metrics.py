"""Scores of readings and actions against the truth, for the validation report."""

from __future__ import annotations

import numpy as np

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.heads.score import normal_scores
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.reading import Reading
from plumbline.diagnosis.calibration_error import calibration_error
from plumbline.diagnosis.sample import Sample

_TINY = 1e-12


def log_loss(probabilities: FloatArray, truth: IntArray) -> float:
    """Return the mean negative log probability of the true choice, in nats."""
    chosen = np.asarray(probabilities, np.float64)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(chosen, _TINY)).mean())


def brier(probabilities: FloatArray, truth: IntArray) -> float:
    """Return the mean squared distance to the truth, summed over choices: 0 to 2.

    References
    ----------
    Brier (1950), "Verification of Forecasts Expressed in Terms of Probability", eq. 2.
    """
    hits = np.eye(probabilities.shape[1])[truth]
    return float(((probabilities - hits) ** 2).sum(axis=1).mean())


def macro_f1(actions: IntArray, truth: IntArray, choices: int) -> float:
    """Return the mean over choices of ``2 TP / (predicted + true)``; zero where both are absent."""
    scores = []
    for each in range(choices):
        hits = int(((actions == each) & (truth == each)).sum())
        total = int((actions == each).sum() + (truth == each).sum())
        scores.append(2 * hits / total if total else 0.0)
    return float(np.mean(scores))


def score(sample: Sample, outputs: Outputs) -> dict[str, float]:
    """Score every row whose truth is known.

    Parameters
    ----------
    sample
        With readings and, if known, truth.
    outputs
        What gave them.

    Returns
    -------
    dict
        Those of the primary output by their plain names; those of others behind the output's name
        and a dot. ``log_loss_constant`` is that of the best constant in hindsight, the rows' own
        shares; ``log_loss_prior`` that of the policy's prior. Without truth only the shares.
    """
    found: dict[str, float] = {}
    names = outputs.policy.actions
    if names and sample.action is not None:
        shares = np.bincount(sample.action, minlength=len(names)) / max(len(sample), 1)
        found |= {f"share_{n.lower()}": float(s) for n, s in zip(names, shares, strict=True)}
    for place, spec in enumerate(outputs.specs):
        if sample.truth is None:
            continue
        truth, reading = sample.truth[:, place], sample.readings[spec.name]
        known = np.isfinite(truth)
        own = {"rows_labelled": float(known.sum())}
        if known.any():
            gain = outputs.heads[spec.name].gain(
                reading, truth, outputs.calibrations[spec.name], sample.group
            )
            own["gain"] = float(np.nanmean(gain))
            if spec.kind == "choice":
                actions = sample.action if spec.name == outputs.primary else None
                own |= _of_choice(reading, truth, known, actions, outputs)
            elif spec.kind == "value":
                own |= _of_value(reading, truth, known)
            elif spec.kind == "score":
                own |= _of_score(reading, truth, sample)
        prefix = "" if spec.name == outputs.primary else f"{spec.name}."
        found |= {f"{prefix}{name}": value for name, value in own.items()}
    return found


def _of_choice(
    reading: Reading,
    truth: FloatArray,
    known: FloatArray,
    actions: IntArray | None,
    outputs: Outputs,
) -> dict[str, float]:
    true, p = truth[known].astype(np.int64), reading.centre[known]
    counts = np.bincount(true, minlength=p.shape[1])
    own = np.tile(counts / counts.sum(), (len(true), 1))
    found = {
        "log_loss": log_loss(p, true),
        "log_loss_constant": log_loss(own, true),
        "majority_share": float(own[0].max()),
        "ece": calibration_error(p, true),
        "brier": brier(p, true),
    }
    prior = outputs.policy.prior
    if actions is not None and prior is not None:
        taken, names = actions[known], outputs.policy.actions
        for number, name in enumerate(names):
            if counts[number]:
                hit = taken[true == number] == number
                found[f"recall_{name.lower()}"] = float(hit.mean())
        found["log_loss_prior"] = log_loss(np.tile(prior, (len(true), 1)), true)
        found["accuracy"] = float((taken == true).mean())
        found["macro_f1"] = macro_f1(taken, true, len(names))
    return found


def _of_value(reading: Reading, truth: FloatArray, known: FloatArray) -> dict[str, float]:
    y, mean = truth[known], reading.centre[known, 0]
    found = {
        "rmse": float(np.sqrt(((y - mean) ** 2).mean())),
        "rmse_constant": float(y.std()),
        "sign_share": float((np.sign(y) == np.sign(mean)).mean()),
    }
    if y.std() > 0 and mean.std() > 0:
        found["correlation"] = float(np.corrcoef(y, mean)[0, 1])
    return found


def _of_score(reading: Reading, truth: FloatArray, sample: Sample) -> dict[str, float]:
    """Rank correlation of each cross-section, and how steady it is."""
    wanted = normal_scores(truth, sample.group)
    known = np.isfinite(wanted)
    group = np.zeros(len(truth)) if sample.group is None else np.asarray(sample.group)
    _, code = np.unique(group[known], return_inverse=True)
    said, true = reading.coordinates[known, 0], wanted[known]
    sums = np.bincount(code, said * true)
    size = np.sqrt(np.bincount(code, said**2) * np.bincount(code, true**2))
    each = sums[size > 0] / size[size > 0]
    if not len(each):
        return {"cross_sections": 0.0}
    steady = each.std()
    return {
        "cross_sections": float(len(each)),
        "rank_ic": float(each.mean()),
        "rank_ic_ir": float(each.mean() / steady) if steady > 0 else 0.0,
    }
