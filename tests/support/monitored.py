"""Rows in the log of a store, as a service would have left them."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionRow, ShadowRow
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool

SETTLED_SECONDS = 5.0
"""Rows are written as if they had been answered so long ago: readers wait for late ones."""


def ship(objects: Objects, rows: Sequence[PredictionRow]) -> None:
    """Put rows through a spool and a shipper into the store."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(folder, 0)
        spool.append(rows)
        Shipper(folder, objects).ship()
        spool.close()


def log_rows(
    objects: Objects,
    bundle: Bundle,
    *,
    actions: Sequence[int] | None = None,
    rows: int = 200,
    start: int = 0,
    symbol: str = "EURUSD",
    ago_seconds: float = SETTLED_SECONDS,
    beside: Sequence[PredictionRow] | None = None,
    every_us: int = 1_000,
) -> list[PredictionRow]:
    """Log predictions of a bundle: its own reference stream, or rows with the given actions.

    Parameters
    ----------
    actions
        If given, one row each, with logits that vary a little and always say so.
    rows, start
        Otherwise: how many rows of the reference stream, from where.
    ago_seconds
        How long ago the last row was answered.
    beside
        If given, the rows go to the table of shadows, as answers to the same requests.
    every_us
        Microseconds between two answers.
    """
    reference = bundle.reference
    count = rows if actions is None else len(actions)
    places = (start + np.arange(count)) % len(reference)
    logits = reference.raw[places].astype(np.float32)
    if actions is not None:
        rng = np.random.default_rng(start)
        logits = rng.normal(0, 0.1, logits.shape).astype(np.float32)
        logits[np.arange(count), np.asarray(actions)] += 9.0
    outputs = bundle.outputs
    group = reference.group[places]
    readings = outputs.read(logits, group)
    decision = outputs.decide(readings, group)
    centre = outputs.centres(readings).astype(np.float32)
    epistemic = outputs.epistemics(readings).astype(np.float32)
    first = int((time.time() - ago_seconds) * 1e6) - count * every_us
    interval = bundle.manifest.bar_interval_seconds * 1_000_000
    base = int(reference.bar_time[0])
    kind = PredictionRow if beside is None else ShadowRow
    ids = [row.prediction_id for row in beside or ()]
    made = [
        kind(
            prediction_id=ids[number] if ids else f"{bundle.version}-{first}-{number}",
            seq=first + number,
            time=first + number * every_us,
            bar_time=base + (start + number) * interval,
            symbol=symbol,
            group=str(group[number]) if bundle.manifest.unit == "cross_section" else "",
            client="",
            model=bundle.manifest.name,
            version=bundle.version,
            latency_us=800,
            raw=logits[number].tobytes(),
            centre=centre[number].tobytes(),
            epistemic=epistemic[number].tobytes(),
            action=None if decision.action is None else int(decision.action[number]),
            position=float(decision.position[number]),
            size=float(decision.size[number]),
            features=reference.features[places[number]].astype(np.float32).tobytes(),
            inputs_hash=hashlib.sha256(f"{start + number}".encode()).hexdigest()[:16],
            window=None,
        )
        for number in range(count)
    ]
    ship(objects, made)
    return made
