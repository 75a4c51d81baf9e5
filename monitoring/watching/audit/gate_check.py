"""A graph that is not the one its reference was taken from: what its gate should have called it.

Its live answers are its own, so nobody has tampered with them; it is the version that is not what
was validated. Asked about the windows of its own reference it shows what is wrong with it, and the
rules of the gate name it. Where none does, the artefact is not the one that was judged.
"""

from __future__ import annotations

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import IntArray
from plumbline.bundle.finding import Finding, Level, Verdict
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.output_baseline import offset_size
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.monitoring.watching.audit.intact import unbroken_rows, windows_at
from plumbline.monitoring.watching.audit.notice import Notice
from plumbline.monitoring.watching.audit.replay import Replay

ROWS = 400
"""Consecutive reference rows that the graph is asked about, at most."""

_LEAST = 200


def missed_by_the_gate(
    bundle: Bundle, context: Context, replay: Replay, *, place: int, since: int
) -> list[Notice]:
    """Return what is wrong with a graph that is not intact; nothing where it is, or who knows.

    Parameters
    ----------
    bundle, context, replay
        The version, what it is held against, and what runs its graph.
    place, since
        Of the row at which this is said, and how many rows there were until then.
    """
    if replay.intact is not False:
        return []
    finding = Finding(
        name="reference_replay",
        level=Level.FAIL,
        value=None,
        n=replay.examined.windows,
        message=replay.examined.said,
    )
    answered = _answered_reference(bundle, replay)
    if answered is not None:
        sample, rows = answered
        if _is_bias(bundle, context, replay, sample, rows):
            cause = replay.examined.said
            return [Notice(place, Verdict.BIAS_SHIFT, cause=cause, finding=finding, since=since)]
        found = diagnose(sample, context)
        if found.verdict.facts.of_model:
            cause = f"On its own reference windows already: {found.cause}"
            return [Notice(place, found.verdict, cause=cause, finding=finding, since=since)]
    verdict = _by_relation(replay)
    return [Notice(place, verdict, cause=replay.examined.said, finding=finding, since=since)]


def _by_relation(replay: Replay) -> Verdict:
    """Name a graph by how its answers relate to those that were validated."""
    relation = replay.examined.relation
    if relation is None:
        return Verdict.ARTEFACT_FAULT
    if relation.kind == "constant":
        return Verdict.FLAT
    if relation.kind == "offset":
        return Verdict.BIAS_SHIFT
    if relation.kind == "scaled" and relation.factor is not None and relation.factor > 0:
        return Verdict.OVER_DISPERSED if relation.factor > 1 else Verdict.FLAT
    return Verdict.ARTEFACT_FAULT


def _is_bias(
    bundle: Bundle, context: Context, replay: Replay, sample: Sample, rows: IntArray
) -> bool:
    """Whether one constant a class, no larger than class weights make it, is all that differs."""
    relation = replay.examined.relation
    if relation is None or relation.kind != "offset":
        return False
    primary, outputs = context.outputs.primary, bundle.outputs
    before = outputs.read(bundle.reference.raw[rows])[primary].coordinates
    case = Case(sample, context, Thresholds(), primary)
    offset = (case.coordinates - before).mean(axis=0)
    return offset_size(offset) <= case.thresholds.offset_ratio * case.imbalance


def _answered_reference(bundle: Bundle, replay: Replay) -> tuple[Sample, IntArray] | None:
    """Return consecutive reference rows with what the graph says of them now, and their places."""
    reference, outputs = bundle.reference, bundle.outputs
    if bundle.manifest.unit == "cross_section":
        return None
    rows = unbroken_rows(bundle)
    if len(rows) < _LEAST:
        return None
    same = reference.symbol[rows] == reference.symbol[rows[-1]]
    rows = rows[same][-ROWS:]
    raw = replay.ask(windows_at(bundle, rows))
    if raw is None:
        return None
    readings = outputs.read(raw)
    sample = Sample(
        readings=readings,
        action=outputs.decide(readings).action,
        features=reference.features[rows],
        bar_time=reference.bar_time[rows],
        symbol=np.full(len(rows), str(reference.symbol[rows[-1]])),
    )
    return sample, rows
