"""The end of a training: the bundle goes into the store, and the result to whoever asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from pydantic import Field

from plumbline.bundle.finding import Verdict
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.record import Record
from plumbline.bundle.validation import ValidationReport
from plumbline.store.registry import ModelRegistry

Progress = Callable[[str, float], None]
"""Told what is being done and, from 0 to 1, how far the whole has come."""


class TrainingResult(Record):
    """What a training or a refit made, as the commands print it."""

    version: str
    passed: bool = Field(description="Whether it passed its gate.")
    verdict: Verdict
    reasons: tuple[str, ...]
    metrics: dict[str, float]
    rows: dict[str, int]
    parent: str | None = Field(description="Version whose weights it started from, if any.")
    promoted: bool
    seconds: float
    gate_seconds: float = Field(0.0, description="Of them, those since the gate began.")
    run: str = Field("", description="Under which its record lies in the store.")


def publish(
    registry: ModelRegistry,
    manifest: Manifest,
    files: Mapping[str, bytes],
    report: ValidationReport,
    *,
    promote: bool,
    began: float,
    judging: float,
) -> TrainingResult:
    """Write a bundle, manifest last, and make it the champion if asked to and it passed.

    A refused bundle is written as well: its report says why, and the registry will not promote it.

    Parameters
    ----------
    registry, manifest, files, report
        Where, and what: the bundle and what its gate said.
    promote
        Make it the champion, if it passed.
    began, judging
        When the training and its gate began, on the monotonic clock.

    Raises
    ------
    StoreError
        If the store fails, or somebody else promotes at the same moment.
    """
    bundle = registry.write(manifest, files)
    promoted = promote and report.passed
    if promoted:
        registry.promote(bundle.version, actor="training", reason="it passed its gate")
    return TrainingResult(
        version=bundle.version,
        passed=report.passed,
        verdict=report.verdict,
        reasons=report.reasons,
        metrics=report.metrics,
        rows=manifest.data.rows,
        parent=manifest.parent,
        promoted=promoted,
        seconds=round(time.monotonic() - began, 2),
        gate_seconds=round(time.monotonic() - judging, 2),
    )
