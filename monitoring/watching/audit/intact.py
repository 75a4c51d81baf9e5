"""Alive there, dead here? A version's graph held against its own reference.

The reference stream was taken when the version was judged. If the graph still gives its answers, it
is the model that was judged, and no statistic may accuse it of having collapsed since. Where it
does not, the artefact is not what the gate saw, and how it differs is said as of logged answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import AnyArray, FloatArray, IntArray
from plumbline.bundle.inputs import last_steps
from plumbline.diagnosis.exact.answers import (
    AnswerRelation,
    Answers,
    Slack,
    differing,
    relate_answers,
)
from plumbline.monitoring.watching.audit.session import Graph

MOST_WINDOWS = 64
"""Reference windows asked about; cross-sections are whole, one at least."""

_LEAST = 8
_AGREES = 0.5
_NOTHING_AGREES = 0.05
_USUAL = 0.05
"""Of the steps between bars: one as frequent as a weekend is usual, one over a hole is not."""


@dataclass(frozen=True)
class Intact:
    """How a graph answers its own reference windows.

    Attributes
    ----------
    intact
        Whether it gives the reference's answers; None where that cannot be told.
    windows
        How many were compared.
    alive
        By output, the spread of the graph's answers over the reference's, on the same windows, or
        on golden rows where no window of the reference is known. Near 0: it is dead everywhere.
    relation
        How its answers relate to the reference's, where they are others.
    said
        One sentence.
    """

    intact: bool | None
    windows: int
    said: str
    alive: Mapping[str, float] = field(default_factory=dict)
    relation: AnswerRelation | None = None


def examine(bundle: Bundle, graph: Graph, slack: Slack) -> Intact:
    """Ask the graph about windows of its reference: golden rows found there, or rebuilt ones."""
    if not graph.runs:
        return Intact(None, 0, f"It is not known whether the graph is intact: {graph.fault}.")
    rows, said, sure = _golden_rows(bundle)
    if len(rows) < _LEAST:
        rows, said, sure = _rebuilt_rows(bundle, graph)
    if len(rows) < _LEAST:
        alive = _alive(bundle, _golden_raw(bundle), bundle.reference.raw)
        why = "windows of its reference cannot be made again from what it holds"
        return Intact(None, 0, f"It is not known whether the graph is intact: {why}.", alive)
    right = bundle.reference.raw[rows]
    agree = float(1.0 - differing(said, right, slack.wide).mean())
    alive = _alive(bundle, said, right)
    if agree >= _AGREES:
        text = f"The graph gives the answers of its reference on {len(rows)} of its windows."
        return Intact(True, len(rows), text, alive)
    if agree > _NOTHING_AGREES or not sure:
        text = "It is not known whether the graph is intact: its reference may have holes."
        return Intact(None, len(rows), text, alive)
    symbol = bundle.reference.symbol[rows]
    relation = relate_answers(
        Answers(said, right, slack, symbol, np.arange(len(rows))), bundle.manifest.outputs
    )
    text = (
        f"The graph of version {bundle.version} is not the one its reference was taken from: its "
        f"answers to {len(rows)} reference windows are not the reference's; {relation.said}."
    )
    return Intact(False, len(rows), text, alive, relation)


def _golden_raw(bundle: Bundle) -> FloatArray:
    outputs = bundle.golden.outputs
    return np.concatenate([outputs[spec.name] for spec in bundle.manifest.outputs], axis=1)


def _golden_rows(bundle: Bundle) -> tuple[IntArray, FloatArray, bool]:
    """Return reference rows that are golden rows too, and what the graph says of these.

    The graph has given the golden rows before it is asked anything, so that they stand for it.
    """
    specs, golden = bundle.manifest.inputs, bundle.golden
    none = np.empty(0, np.int64)
    if not any(spec.source == "features" for spec in specs):
        return none, np.empty((0, bundle.manifest.raw_width)), False
    places: dict[bytes, int] = {}
    for place, row in enumerate(np.ascontiguousarray(bundle.reference.features)):
        key = row.tobytes()
        places[key] = -1 if key in places else place
    steps = np.ascontiguousarray(last_steps(specs, golden.inputs))
    found = np.array([places.get(row.tobytes(), -1) for row in steps], np.int64)
    return found[found >= 0], _golden_raw(bundle)[found >= 0], True


def _rebuilt_rows(bundle: Bundle, graph: Graph) -> tuple[IntArray, FloatArray, bool]:
    """Return reference rows whose windows its own rows make, and what the graph says of these."""
    chosen = _choose(bundle)
    if not chosen:
        return np.empty(0, np.int64), np.empty((0, bundle.manifest.raw_width)), False
    rows = np.concatenate(chosen)
    pieces = chosen if bundle.manifest.unit == "cross_section" else [rows]
    said = [graph.answer(windows_at(bundle, piece)) for piece in pieces]
    found = [each for each in said if each is not None]
    if len(found) < len(pieces):
        return np.empty(0, np.int64), np.empty((0, bundle.manifest.raw_width)), False
    return rows, np.concatenate(found), True


def windows_at(bundle: Bundle, rows: IntArray) -> dict[str, FloatArray]:
    """Return the inputs that end with these reference rows, of the rows before them."""
    features, begin, windows = bundle.reference.features, 0, {}
    for spec in bundle.manifest.inputs:
        if spec.source != "features":
            continue
        columns = slice(begin, begin + len(spec.names))
        begin += len(spec.names)
        steps = rows[:, None] - np.arange(spec.steps - 1, -1, -1)
        found = features[steps][..., columns].astype(spec.dtype)
        windows[spec.name] = found if len(spec.shape) > 1 else found[:, 0]
    return windows


def unbroken_rows(bundle: Bundle) -> IntArray:
    """Return the reference rows whose windows its own rows make; none where none can be made."""
    manifest, reference = bundle.manifest, bundle.reference
    specs = manifest.inputs
    if any(spec.source not in ("features", "bundle") for spec in specs):
        return np.empty(0, np.int64)
    length = max(spec.steps for spec in specs)
    good = _unbroken(reference.bar_time, reference.symbol, length, manifest.bar_interval_seconds)
    return np.flatnonzero(good)


def _choose(bundle: Bundle) -> list[IntArray]:
    """Return reference rows, or the rows of whole cross-sections, whose windows can be rebuilt."""
    manifest, reference = bundle.manifest, bundle.reference
    places = unbroken_rows(bundle)
    if manifest.unit == "row":
        spread = np.linspace(0, len(places) - 1, min(MOST_WINDOWS, len(places)))
        return [places[np.unique(spread.round().astype(int))]] if len(places) else []
    names, codes, counts = np.unique(reference.group, return_inverse=True, return_counts=True)
    good = np.bincount(codes[places], minlength=len(names))
    whole = np.flatnonzero(good == counts)
    if not len(whole):
        return []
    wanted = max(1, MOST_WINDOWS // int(counts.max()))
    picked = whole[np.unique(np.linspace(0, len(whole) - 1, wanted).round().astype(int))]
    return [np.flatnonzero(codes == each) for each in picked]


def _unbroken(times: IntArray, symbol: AnyArray, length: int, interval: int) -> AnyArray:
    """Tell which rows end with so many rows of one symbol, no unusual step between them."""
    own = np.append(False, symbol[1:] == symbol[:-1])
    steps = np.diff(times, prepend=times[:1])
    found, counts = np.unique(steps[own], return_counts=True)
    usual = found[(counts >= _USUAL * max(own.sum(), 1)) & (found > 0)]
    if length == 1:
        return np.ones(len(times), bool)
    if interval * 1_000_000 not in usual:
        return np.zeros(len(times), bool)
    sound = own & np.isin(steps, usual)
    run = np.cumsum(sound)
    unbroken = np.zeros(len(times), bool)
    unbroken[length - 1 :] = run[length - 1 :] - run[: len(run) - length + 1] == length - 1
    return unbroken


def _alive(bundle: Bundle, said: FloatArray, right: FloatArray) -> dict[str, float]:
    """Return by output the spread of one over that of the other, each over its own rows."""
    alive = {}
    for spec in bundle.manifest.outputs:
        part = bundle.outputs.raw_slices[spec.name]
        spreads = []
        for raw in (said, right):
            block = np.asarray(raw[:, part], np.float64).reshape(len(raw), spec.members, spec.width)
            if spec.kind == "choice":
                block = block - block.mean(axis=2, keepdims=True)
            spreads.append(float(np.sqrt(block.var(axis=0).mean())))
        if len(said) > 1 and spreads[1] > 0:
            alive[spec.name] = spreads[0] / spreads[1]
    return alive
