"""Taking in a bundle that somebody else made: verified, run, judged as ours are, and written.

The bundle's own validation report is believed where it says no. Where it says yes, it is asked
again: golden rows through the graph, the reference stream to the diagnosis, and served windows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.market import Market
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.sample import Context, of_reference
from plumbline.store.folder import read_folder
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.gate import accuses, judge_live, reason_of
from plumbline.training.live import LiveRows, Stretch, read_live
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.own_trainer import TrainerAnswer
from plumbline.training.publish import TrainingResult


def take_in(
    objects: Objects,
    model: str,
    answer: TrainerAnswer,
    *,
    champion: Bundle,
    live: Stretch | None = None,
) -> TrainingResult:
    """Judge what a trainer made, and write it to the store if it is not there.

    Parameters
    ----------
    objects, model
        The store, and the name of the model.
    answer
        The trainer's.
    champion
        The version it is to replace.
    live
        Judge it on windows served in this stretch as well.

    Raises
    ------
    BundleError, StoreError
        If the bundle does not verify, or there is no such version.
    """
    began = time.monotonic()
    registry = ModelRegistry(objects, model)
    if answer.version is not None:
        bundle = registry.open(answer.version)
    else:
        made = read_folder(Path(str(answer.bundle)))
        bundle = registry.write(made.manifest, made.files)
    given = bundle.manifest.inputs
    served = None if live is None else read_live(objects, model, live, specs=given)
    found, reasons = _judge(bundle, champion, model, served)
    seconds = round(time.monotonic() - began, 2)
    return TrainingResult(
        version=bundle.version,
        passed=not reasons,
        verdict=found.verdict,
        reasons=reasons,
        metrics=bundle.validation.metrics,
        rows=bundle.manifest.data.rows,
        parent=bundle.manifest.parent,
        promoted=False,
        seconds=seconds,
        gate_seconds=seconds,
    )


def _judge(
    bundle: Bundle, champion: Bundle, model: str, served: LiveRows | None
) -> tuple[Diagnosis, tuple[str, ...]]:
    """Return the diagnosis that decides, and why the bundle may not be promoted."""
    manifest = bundle.manifest
    outputs, names = bundle.outputs, manifest.feature_names
    answer = OnnxModel(bundle.files["model.onnx"], manifest.inputs, manifest.outputs)
    again = diagnose(of_reference(bundle.reference, outputs), Context(outputs, names))
    live = None
    if served is not None:
        live = judge_live(served, answer, Context(outputs, names, bundle.reference))
    reasons = [
        *_formalities(bundle, champion, model, answer),
        *bundle.validation.reasons,
        *([] if again.sound else [reason_of("reference rows", again)]),
    ]
    if live is not None and accuses(live):
        return live, (*reasons, reason_of("served windows", live))
    return again, tuple(reasons)


def _formalities(bundle: Bundle, champion: Bundle, model: str, answer: OnnxModel) -> Iterator[str]:
    manifest = bundle.manifest
    if manifest.name != model:
        yield f"it is a bundle of {manifest.name}, expected one of {model}"
    yield from Market.of(champion.manifest).differences(Market.of(manifest))
    error = bundle.golden.largest_error(answer.by_output(bundle.golden.inputs))
    if not error <= manifest.tolerance:
        yield f"golden rows differ by {error:.3g}, at most {manifest.tolerance:.3g} is allowed"
    if not bundle.validation.passed and not bundle.validation.reasons:
        yield "its validation report did not pass"
