"""A scene as the prediction log holds it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.truth.plan import WINDOW_SHARE
from plumbline.bundle.archive import Bundle
from plumbline.bundle.inputs import inputs_hash, last_steps
from plumbline.store.prediction import PredictionBatch

if TYPE_CHECKING:
    from benchmarks.truth.scene import Scene

_SAMPLED_BELOW = round(WINDOW_SHARE * 2**32)


def written(scene: Scene, bundle: Bundle) -> tuple[PredictionBatch, np.ndarray]:
    """Return the rows of a scene by the time of their answers, and the scene's row of each."""
    order = scene.order[np.argsort(scene.time[scene.order], kind="stable")]
    n = len(order)
    specs, outputs = bundle.manifest.inputs, bundle.outputs
    name = specs[0].name
    windows = np.ascontiguousarray(scene.windows[order], specs[0].dtype)
    data = [window.tobytes() for window in windows]
    ids = [blake2b(scene.rng.bytes(16), digest_size=16).hexdigest() for _ in range(n)]
    group = np.full(n, "")
    if scene.market.cross_section:
        again = scene.retried[order]
        group = np.array(
            [
                f"{bar:08d}{'r' if more else ''}"
                for bar, more in zip(scene.bar[order], again, strict=True)
            ]
        )
    kept = _kept(ids, group)
    decision = scene.decision
    assert decision is not None
    action = np.full(n, -1, np.int8)
    if decision.action is not None:
        action = decision.action[order].astype(np.int8)
    batch = PredictionBatch(
        prediction_id=np.array(ids),
        seq=np.arange(n, dtype=np.int64) + 1,
        time=scene.time[order].astype(np.int64),
        bar_time=scene.bar_time[order].astype(np.int64),
        symbol=np.array(scene.market.symbols)[scene.who[order]],
        group=group,
        client=np.full(n, ""),
        version=np.full(n, bundle.version),
        action=action,
        position=decision.position[order].astype(np.float64),
        size=decision.size[order].astype(np.float64),
        raw=scene.raw[order].astype(np.float32),
        centre=outputs.centres(scene.readings).astype(np.float32)[order],
        epistemic=outputs.epistemics(scene.readings).astype(np.float32)[order],
        features=last_steps(specs, {name: windows}),
        inputs_hash=np.array([inputs_hash(each) for each in data]),
        window=_objects([each if keep else None for each, keep in zip(data, kept, strict=True)]),
    )
    return batch, order


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
