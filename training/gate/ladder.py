"""A ladder of simple rivals, each scored on the very rows that judge the model.

Beside every metric of a model stands what the best constant, the clock, the last known outcome, a
linear reader of the newest features and boosted trees on them reach. They learn from the ground and
nothing else. Boosted trees are those of LightGBM or scikit-learn, and left out where neither is
installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from plumbline.bundle.array import BoolArray, FloatArray, IntArray
from plumbline.bundle.finding import Finding, Level
from plumbline.bundle.heads.score import normal_scores
from plumbline.diagnosis.calibration_error import calibration_error
from plumbline.diagnosis.ruling import Ruling
from plumbline.training.gate.foreknowledge import Timeline
from plumbline.training.gate.held import Held
from plumbline.training.gate.rival import (
    Scale,
    clock_columns,
    correlation,
    fit_logistic,
    fit_ridge,
    logistic,
    ridge,
)
from plumbline.training.metrics import brier, log_loss, macro_f1

LARGE, IMPLAUSIBLE = 0.2, 0.5
"""Share of the labels' entropy that a model explains: remarkable, and more than any market has."""
TIMES = 3.0
"""How many times more than any rung of the ladder."""
_LEARNT_FROM = 6_000
"""Newest rows that boosted trees learn from."""
_LEAST = 200

Told = dict[str, FloatArray]
"""By rung: probabilities ``(n, k)``, or means ``(n, 1)``, of the validation rows."""


def climb(held: Held) -> Told:
    """Let every rung tell the validation rows; none without ground enough."""
    ground = held.ground
    if ground is None or held.validation.features is None or not held.enough:
        return {}
    truth = np.asarray(ground.truth[:, held.place], np.float64)
    learn = np.isfinite(truth)
    if learn.sum() < _LEAST:
        return {}
    scale = Scale(ground.features[learn])
    old, new = scale(ground.features[learn]), scale(held.validation.features)
    told: Told = {}
    if held.head.spec.kind == "choice":
        places, width = truth[learn].astype(np.int64), held.head.spec.width

        def by_logistic(here: FloatArray, there: FloatArray) -> FloatArray:
            return logistic(there, fit_logistic(here, places, width))

        reader: Callable[[FloatArray, FloatArray], FloatArray] = by_logistic
    else:
        wanted: FloatArray = truth[learn]
        if held.head.spec.kind == "score":
            wanted = normal_scores(wanted, ground.group[learn])

        def by_ridge(here: FloatArray, there: FloatArray) -> FloatArray:
            return ridge(there, fit_ridge(here, wanted[:, None]))

        reader = by_ridge
    told["clock"] = reader(clock_columns(ground.bar_time[learn]), clock_columns(held.moments))
    told["persistence"] = reader(*_last_known(held, truth, learn))
    told["linear"] = reader(old, new)
    newest = np.argsort(ground.bar_time[learn], kind="stable")[-_LEARNT_FROM:]
    trees = _trees(old[newest], truth[learn][newest], new, held)
    return told if trees is None else told | {"gbdt": trees}


def _last_known(held: Held, truth: FloatArray, learn: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the outcome known last before each row, as columns, of learnt and judged rows."""
    timeline = Timeline(held, every=True)
    before = timeline.neighbours(-held.reach)
    every = np.concatenate([truth, held.truth])
    known = np.where(before >= 0, every[np.maximum(before, 0)], np.nan)
    if held.head.spec.kind == "choice":
        places = np.where(np.isfinite(known), known, held.head.spec.width).astype(np.int64)
        columns = np.eye(held.head.spec.width + 1)[places]
    else:
        columns = np.nan_to_num(known)[:, None]
    return columns[: len(truth)][learn], columns[len(truth) :]


def _trees(old: FloatArray, truth: FloatArray, new: FloatArray, held: Held) -> FloatArray | None:
    """Return what boosted trees tell; None where no library has them, or a class is missing."""
    kind = held.head.spec.kind
    if kind == "choice" and len(np.unique(truth)) < held.head.spec.width:
        return None
    model = _booster(kind == "choice")
    if model is None:
        return None
    if kind == "choice":
        found: FloatArray = model.fit(old, truth.astype(np.int64)).predict_proba(new)
        return found
    means: FloatArray = np.asarray(model.fit(old, truth).predict(new), np.float64)[:, None]
    return means


def _booster(classifies: bool) -> Any:
    if find_spec("lightgbm") is not None:
        import lightgbm  # noqa: PLC0415  # a rung of the ladder, where it is installed

        kind = lightgbm.LGBMClassifier if classifies else lightgbm.LGBMRegressor
        return kind(
            n_estimators=50,
            learning_rate=0.05,
            num_leaves=15,
            min_child_samples=40,
            n_jobs=1,
            random_state=0,
            deterministic=True,
            verbose=-1,
        )
    if find_spec("sklearn") is not None:
        from sklearn import ensemble  # noqa: PLC0415  # likewise

        made: Any = (
            ensemble.HistGradientBoostingClassifier
            if classifies
            else ensemble.HistGradientBoostingRegressor
        )
        return made(max_iter=50, learning_rate=0.05, max_leaf_nodes=15, random_state=0)
    return None


def score_ladder(held: Held, told: Mapping[str, FloatArray]) -> dict[str, float]:
    """Return the metrics of every rung, by the metric's name and the rung's."""
    known = np.isfinite(held.truth)
    scored: dict[str, float] = {}
    for rung, each in told.items():
        own = _scores(held, each[known], known)
        scored |= {f"{metric}_{rung}": value for metric, value in own.items()}
    return scored


def _scores(held: Held, told: FloatArray, known: BoolArray) -> dict[str, float]:
    if held.head.spec.kind == "choice":
        truth: IntArray = held.truth[known].astype(np.int64)
        return {
            "log_loss": log_loss(told, truth),
            "brier": brier(told, truth),
            "ece": calibration_error(told, truth),
            "accuracy": float((told.argmax(axis=1) == truth).mean()),
            "macro_f1": macro_f1(told.argmax(axis=1), truth, held.head.spec.width),
        }
    means = told[:, 0]
    if held.head.spec.kind == "score":
        group = held.validation.group
        wanted = normal_scores(held.truth, group)[known]
        own = normal_scores(means, None if group is None else np.asarray(group)[known])
        return {"rank_ic": correlation(np.nan_to_num(own), np.nan_to_num(wanted))}
    y = held.truth[known]
    return {
        "rmse": float(np.sqrt(((y - means) ** 2).mean())),
        "correlation": correlation(means, y),
        "sign_share": float((np.sign(y) == np.sign(means)).mean()),
    }


def explains_too_much(held: Held) -> Ruling:
    """Hold when a choice explains most of the labels, and nothing simple explains a part of it."""
    if held.head.spec.kind != "choice" or not held.enough or not held.ladder:
        return Ruling(False)
    known = np.isfinite(held.truth)
    truth = held.truth[known].astype(np.int64)
    shares = np.bincount(truth, minlength=held.head.spec.width) / len(truth)
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    if entropy <= 0:
        return Ruling(False)
    centre = held.validation.readings[held.output].centre
    own = 1 - log_loss(centre[known], truth) / entropy
    rungs = {name: 1 - log_loss(each[known], truth) / entropy for name, each in held.ladder.items()}
    best = max(rungs, key=lambda name: rungs[name])
    beyond = own > TIMES * max(rungs[best], 0.01)
    level = Level.PASS
    if own > LARGE and beyond:
        level = Level.FAIL if own > IMPLAUSIBLE else Level.WARN
    finding = Finding(
        name="explained_entropy",
        level=level,
        value=own,
        threshold=IMPLAUSIBLE,
        n=len(truth),
        message=f"It explains {own:.1%} of the labels' entropy; the best of the simple rivals, "
        f"{best}, {rungs[best]:.1%}.",
    )
    return Ruling(
        level is Level.FAIL,
        f"Too good to be true: it explains {own:.0%} of the labels' entropy, and the best simple "
        f"rival, {best}, {rungs[best]:.0%}. No market leaves so much to be known: look for these "
        "rows among those that taught it.",
        (finding,),
    )
