"""Inputs as a client would have sent them, in the log of a store."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.inputs import inputs_hash
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionRow
from tests.support.monitored import SETTLED_SECONDS, ship


def log_inputs(
    objects: Objects,
    bundle: Bundle,
    features: np.ndarray,
    bar_time: Sequence[int | None],
    *,
    symbol: Sequence[str] | str = "EURUSD",
    client: Sequence[str] | str = "",
    windows: Sequence[bytes | None] | None = None,
    ago_seconds: float = SETTLED_SECONDS,
) -> None:
    """Log rows whose last steps are these ``(n, f)``; what was answered is the reference's."""
    count, reference = len(features), bundle.reference
    symbols = [symbol] * count if isinstance(symbol, str) else symbol
    clients = [client] * count if isinstance(client, str) else client
    first = int((time.time() - ago_seconds) * 1e6) - count * 1_000
    made = []
    for i, row in enumerate(np.asarray(features, np.float32)):
        place = i % len(reference)
        said = None if bar_time[i] is None else int(bar_time[i])
        made.append(
            PredictionRow(
                prediction_id=f"{bundle.version}-{first}-{i}",
                seq=first + i,
                time=first + i * 1_000,
                bar_time=said,
                symbol=symbols[i],
                group="",
                client=clients[i],
                model=bundle.manifest.name,
                version=bundle.version,
                latency_us=800,
                raw=reference.raw[place].astype(np.float32).tobytes(),
                centre=reference.centre[place].astype(np.float32).tobytes(),
                epistemic=reference.epistemic[place].astype(np.float32).tobytes(),
                action=int(reference.action[place]),
                position=0.0,
                size=0.0,
                features=row.tobytes(),
                inputs_hash=inputs_hash(row.tobytes() + str(said).encode()),
                window=windows[i] if windows is not None else None,
            )
        )
    ship(objects, made)
