"""From a stranger's model to a bundle in the store: adapted, calibrated, measured, judged.

```
graph ─► adapted ─► asked about the reference rows ─► calibrated ─► judged ─► sealed
         adapt      onnx_model                        calibrate     gate
```

Where outcomes are given, the older 40 % of the rows calibrate and the rest judge, a horizon apart.
Without them nothing is known of skill: the gate asks only whether the model lives, and the bundle's
calibration says that it stands on no rows.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.heads import build_head
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.policies import POLICIES
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.spec import OutputSpec
from plumbline.bundle.suggestion import suggestion, unknown_key
from plumbline.bundle.validation import ValidationReport
from plumbline.diagnosis.sample import Context
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.calibrate import fit_calibrations
from plumbline.training.complaint import complaint_of
from plumbline.training.errors import ConfigError, DataError
from plumbline.training.gate import Ground, judge, sample_of
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.packing.adapt import Adapted, adapt
from plumbline.training.packing.packed import Asked, Packed
from plumbline.training.packing.rows import LABEL, Rows, read_rows
from plumbline.training.packing.spec import PackSpec
from plumbline.training.packing.windows import Windows, whole_rows
from plumbline.training.publish import Progress, TrainingResult, publish

CALIBRATING = 0.4
"""Share of the rows with known outcomes that calibrate."""

_POLICY_OF = {"choice": "argmax", "value": "kelly", "score": "rank"}
_BATCH = 1024
_TELLING = 100
"""Rows from which on a forecast of returns would have had both signs."""
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""As a manifest wants it."""


def pack(
    objects: Objects,
    graph: bytes,
    spec: PackSpec,
    *,
    reference: Path,
    labels: Path | None = None,
    model: str | None = None,
    promote: bool = False,
    progress: Progress = lambda _what, _share: None,
) -> TrainingResult:
    """Make a bundle of a stranger's model, judge it, and write it to the store.

    Parameters
    ----------
    objects
        The store.
    graph
        ONNX, as its exporter wrote it.
    spec
        What its owner says of it.
    reference, labels
        Rows it answers in health, a few hundred at least, and what came of them.
    model
        Its name, instead of the specification's.
    promote
        Make it the champion if it passes its gate.
    progress
        Told how far it has come.

    Raises
    ------
    TrainingError
        If something does not fit; nothing is written then.
    StoreError
        If the store fails.
    """
    began = time.monotonic()
    name = model or spec.name
    if name is None:
        raise ConfigError("the model has no name: say name in the specification, or --model")
    if MODEL_NAME.fullmatch(name) is None:
        raise ConfigError(
            f"the model's name is {name!r}, expected small letters, digits, dots, dashes and "
            "underscores, 64 at most, the first a letter or a digit"
        )
    progress("reading the reference", 0.05)
    rows = read_rows(reference, labels)
    rows.refuse_interval(spec.bar_interval)
    progress("adapting the graph", 0.15)
    adapted = adapt(graph, spec, rows)
    progress("asking the model", 0.3)
    asked = _ask(adapted, spec, rows)
    progress("calibrating", 0.6)
    judging, outputs = _read(adapted, spec, rows, asked)
    packed = Packed(spec, adapted, rows, asked, outputs)
    profile = packed.profile()
    progress("judging", 0.8)
    gate_began = time.monotonic()
    report = _judge(packed, judging, profile)
    packed = replace(packed, outputs=replace(outputs, withheld=report.withheld))
    if report.withheld:
        profile = packed.profile()
    files = packed.files(profile, report)
    manifest = packed.manifest(name, files, reference, graph)
    progress("writing the bundle", 0.95)
    return publish(
        ModelRegistry(objects, name),
        manifest,
        files,
        report,
        promote=promote,
        began=began,
        judging=gate_began,
    )


def _ask(adapted: Adapted, spec: PackSpec, rows: Rows) -> Asked:
    """Ask the graph about every row that has a whole window, cross-sections whole."""
    ends = whole_rows(adapted.inputs, rows)
    answer = OnnxModel(adapted.graph, adapted.inputs, adapted.outputs)
    order = ends if not spec.is_cross_section else ends[np.argsort(rows.group[ends], kind="stable")]
    pieces = _pieces(order, rows.group[order], whole=spec.is_cross_section)
    windows = Windows(adapted.inputs, rows)
    answers = np.concatenate([answer(windows.at(some)) for some in pieces])
    finite = np.isfinite(answers).all(axis=1)
    if not finite.all():
        first = rows.place(int(order[(~finite).argmax()]))
        raise DataError(
            f"{rows.source}: the model's answer is not finite for {int((~finite).sum())} rows, the "
            f"first {first}: leave rows out that it would not be asked about, or correct the graph"
        )
    back = np.argsort(order, kind="stable")
    truth = np.full((len(ends), len(spec.outputs)), np.nan)
    for place, (said, made) in enumerate(zip(spec.outputs, adapted.outputs, strict=True)):
        column = said.label or (said.name if rows.has(said.name) else LABEL)
        if rows.has(column):
            truth[:, place] = rows.truth(column, made.choices)[ends]
        elif said.label is not None:
            raise DataError(f"labels: there is no column {said.label!r} for output {said.name!r}")
    columns = [rows.columns(each.names) for each in adapted.inputs if each.source == "features"]
    features = np.concatenate(columns, axis=1)[ends].astype(np.float32)
    return Asked(ends, answers[back], truth, features)


def _pieces(order: IntArray, group: IntArray, *, whole: bool) -> list[IntArray]:
    """Cut rows into batches; of cross-sections each is one, as a service would get it."""
    if whole:
        return np.split(order, np.flatnonzero(group[1:] != group[:-1]) + 1)
    return [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]


def _read(adapted: Adapted, spec: PackSpec, rows: Rows, asked: Asked) -> tuple[np.ndarray, Outputs]:
    """Calibrate where outcomes are known; return which rows are left to judge by."""
    if spec.policy is None and adapted.outputs[0].kind == "value":
        _refuse_one_sided(adapted.outputs[0], asked.raw)
    known = np.isfinite(asked.truth).any(axis=1)
    n = len(asked.ends)
    if not known.any():
        calibrations: dict[str, Calibration] = {}
        begin = 0
        for made in adapted.outputs:
            own = asked.raw[:, begin : begin + made.numbers]
            begin += made.numbers
            head = build_head(made)
            calibrations[made.name] = head.unfitted(own.reshape(n, made.members, made.width))
        prior = _mean_shares(adapted, calibrations, asked)
        return np.ones(n, bool), _outputs(adapted, spec, calibrations, prior)
    moments = rows.time[asked.ends]
    border = np.quantile(moments[known], CALIBRATING)
    horizon = max(made.horizon_seconds for made in adapted.outputs) * 1_000_000
    taught = known & (moments + horizon <= border)
    if not taught.any():
        raise DataError(
            f"labels: {int(known.sum())} rows with a known outcome are too few to calibrate on the "
            "older 40 % of them, a horizon before the rest"
        )
    group = rows.group[asked.ends]
    fitted = fit_calibrations(
        adapted.outputs, asked.raw[taught], asked.truth[taught], group[taught]
    )
    prior = _label_shares(adapted, asked.truth[taught, 0])
    return moments > border, _outputs(adapted, spec, fitted, prior)


def _refuse_one_sided(made: OutputSpec, raw: FloatArray) -> None:
    """Refuse to bet on a forecast whose sign never changes: a price or a volatility, no return."""
    means = raw[:, : made.numbers].reshape(len(raw), made.members, made.width)[:, :, 0]
    if len(means) >= _TELLING and (means.min() > 0 or means.max() < 0):
        side = "above" if means.min() > 0 else "below"
        raise ConfigError(
            f"output {made.name!r} is {side} zero for every row, and the default policy, kelly, "
            "would hold one side for ever: if it is no return, say "
            '[policy] kind = "abstain"; if it is, say kind = "kelly"'
        )


def _label_shares(adapted: Adapted, truth: FloatArray) -> tuple[float, ...] | None:
    width = len(adapted.outputs[0].choices)
    if not width:
        return None
    counts = np.bincount(truth[np.isfinite(truth)].astype(np.int64), minlength=width)
    if not counts.all():
        names = ", ".join(
            f"{n} {c}" for n, c in zip(adapted.outputs[0].choices, counts.tolist(), strict=True)
        )
        raise DataError(
            f"labels: a choice never comes true in the rows that calibrate, the older 40 %: "
            f"{names}; give more rows, or correct the column of the truth, which holds names or "
            "places counted from 0 (-1 is an outcome that is not known)"
        )
    return tuple((counts / counts.sum()).tolist())


def _mean_shares(
    adapted: Adapted, calibrations: dict[str, Calibration], asked: Asked
) -> tuple[float, ...] | None:
    """Return the mean probabilities of the primary choice, for want of outcomes."""
    made = adapted.outputs[0]
    if not made.choices:
        return None
    own = asked.raw[:, : made.numbers].reshape(len(asked.raw), made.members, made.width)
    mean = build_head(made).read(own, calibrations[made.name]).centre.mean(axis=0)
    mean = np.maximum(mean, 1e-3)
    return tuple((mean / mean.sum()).tolist())


def _outputs(
    adapted: Adapted,
    spec: PackSpec,
    calibrations: dict[str, Calibration],
    prior: tuple[float, ...] | None,
) -> Outputs:
    primary = adapted.outputs[0]
    kind = spec.policy.kind if spec.policy else _POLICY_OF.get(primary.kind, "abstain")
    if kind not in POLICIES:
        raise ConfigError(f"policy.kind is {kind!r}: {suggestion(kind, sorted(POLICIES))}")
    found = POLICIES[kind]
    if "prior" in found.Params.model_fields and not primary.choices:
        raise ConfigError(
            f"policy.kind is {kind!r}, which decides between choices: {primary.name!r} is a "
            f"{primary.kind}"
        )
    parameters = dict(spec.policy.parameters) if spec.policy else {}
    if "prior" in found.Params.model_fields and prior is not None:
        parameters.setdefault("prior", list(prior))
    complaint = unknown_key(parameters, found.Params, within="policy.parameters.")
    if complaint is not None:
        raise ConfigError(complaint)
    try:
        policy = found(found.Params.model_validate(parameters), primary)
    except ValidationError as error:
        raise ConfigError(f"policy.parameters.{complaint_of(error)}") from error
    except ValueError as error:
        raise ConfigError(f"policy: {error}") from error
    return Outputs(adapted.outputs, calibrations, policy)


def _judge(packed: Packed, judging: np.ndarray, profile: ReferenceProfile) -> ValidationReport:
    adapted, rows, asked, outputs = packed.adapted, packed.rows, packed.asked, packed.outputs
    ends = asked.ends[judging]
    sample = sample_of(
        asked.raw[judging],
        outputs,
        features=asked.features[judging],
        truth=asked.truth[judging],
        group=rows.group[ends],
        bar_time=rows.time[ends],
        symbol=rows.symbol[ends],
    )
    answer = OnnxModel(adapted.graph, adapted.inputs, adapted.outputs)
    context = Context(outputs, packed.names, profile)
    return judge(sample, context, answer=answer, ground=_ground(packed, judging))


def _ground(packed: Packed, judging: np.ndarray) -> Ground | None:
    """Return the rows before those that judge; which of them taught the weights nobody knows."""
    rows, asked = packed.rows, packed.asked
    if judging.all():
        return None
    ends = asked.ends[~judging]
    group = rows.group[ends]
    return Ground(
        features=asked.features[~judging],
        truth=asked.truth[~judging],
        bar_time=rows.time[ends],
        symbol=rows.symbol[ends],
        group=group,
        taught=np.zeros(len(ends), dtype=bool),
        asked=np.arange(len(ends)),
        readings=packed.outputs.read(asked.raw[~judging], group),
    )
