"""A scene as the prediction log holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.plan import WINDOW_SHARE
from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.inputs import inputs_hash, last_steps
from plumbline.bundle.reading import Decision, Reading
from plumbline.store.prediction import PredictionBatch

if TYPE_CHECKING:
    from benchmarks.truth.scene import Scene

_SAMPLED_BELOW = round(WINDOW_SHARE * 2**32)


@dataclass(frozen=True)
class Rows:
    """Rows to be written, in the order of their answers.

    Attributes
    ----------
    windows : (n, t, f) float32
    symbol, group : (n,) str
        ``group`` is empty for models that judge row by row.
    bar_time, time : (n,) int64
        Microseconds.
    raw : (n, Σ numbers) float32
    """

    windows: FloatArray
    symbol: np.ndarray
    group: np.ndarray
    bar_time: IntArray
    time: IntArray
    raw: FloatArray


def written(scene: Scene, bundle: Bundle) -> tuple[PredictionBatch, np.ndarray]:
    """Return the rows of a scene by the time of their answers, and the scene's row of each."""
    order = scene.order[np.argsort(scene.time[scene.order], kind="stable")]
    group = np.full(len(order), "")
    if scene.market.cross_section:
        again = scene.retried[order]
        group = np.array(
            [
                f"{bar:08d}{'r' if more else ''}"
                for bar, more in zip(scene.bar[order], again, strict=True)
            ]
        )
    rows = Rows(
        scene.windows[order],
        np.array(scene.market.symbols)[scene.who[order]],
        group,
        scene.bar_time[order],
        scene.time[order],
        scene.raw[order],
    )
    readings = {name: reading.take(order) for name, reading in scene.readings.items()}
    found = scene.decision
    assert found is not None
    action = None if found.action is None else found.action[order]
    decision = Decision(action, found.position[order], found.size[order])
    return log_of(bundle, rows, readings, decision, scene.rng), order


def sound_log(bundle: Bundle, rows: Rows, rng: np.random.Generator) -> PredictionBatch:
    """Return rows that were answered as they should be, as the log holds them."""
    grouped = rows.group if bundle.manifest.unit == "cross_section" else None
    readings = bundle.outputs.read(rows.raw, grouped)
    return log_of(bundle, rows, readings, bundle.outputs.decide(readings, grouped), rng)


def log_of(
    bundle: Bundle,
    rows: Rows,
    readings: Mapping[str, Reading],
    decision: Decision,
    rng: np.random.Generator,
) -> PredictionBatch:
    """Return rows as the service logs them: hashes of their inputs, a share of these whole."""
    specs, outputs, n = bundle.manifest.inputs, bundle.outputs, len(rows.time)
    windows = np.ascontiguousarray(rows.windows, specs[0].dtype)
    data = [window.tobytes() for window in windows]
    ids = [rng.bytes(16).hex() for _ in range(n)]
    kept = _kept(ids, rows.group)
    action = np.full(n, -1, np.int8)
    if decision.action is not None:
        action = decision.action.astype(np.int8)
    return PredictionBatch(
        prediction_id=np.array(ids),
        seq=np.arange(n, dtype=np.int64) + 1,
        time=rows.time.astype(np.int64),
        bar_time=rows.bar_time.astype(np.int64),
        symbol=rows.symbol,
        group=rows.group,
        client=np.full(n, ""),
        version=np.full(n, bundle.version),
        action=action,
        position=decision.position.astype(np.float64),
        size=decision.size.astype(np.float64),
        raw=rows.raw.astype(np.float32),
        centre=outputs.centres(readings).astype(np.float32),
        epistemic=outputs.epistemics(readings).astype(np.float32),
        features=last_steps(specs, {specs[0].name: windows}),
        inputs_hash=np.array([inputs_hash(each) for each in data]),
        window=_objects([each if keep else None for each, keep in zip(data, kept, strict=True)]),
    )


def _objects(values: list[bytes | None]) -> np.ndarray:
    held = np.empty(len(values), object)
    held[:] = values
    return held


def _kept(ids: list[str], group: np.ndarray) -> list[bool]:
    """Tell which rows are kept whole, as the service does: by their ids, groups together."""
    if not len(group) or not group[0]:
        return [int(each[:8], 16) < _SAMPLED_BELOW for each in ids]
    least: dict[str, str] = {}
    for each, own in zip(ids, group, strict=True):
        least[own] = min(each, least.get(own, each))
    chosen = {
        own
        for own, each in least.items()
        if int(blake2b(each.encode(), digest_size=4).hexdigest(), 16) < _SAMPLED_BELOW
    }
    return [own in chosen for own in group]
