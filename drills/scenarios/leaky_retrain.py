"""A retrain on data that knows the future: the gate refuses it, and a person is called, once."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
from typing_extensions import override

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Verdict
from plumbline.bundle.moment import moment_of
from plumbline.drills.drill import Observation
from plumbline.drills.replay import Playback
from plumbline.drills.scenarios.bad_candidate import BadCandidate
from plumbline.drills.traffic import SYMBOL, Traffic
from plumbline.store.incident import EventKind, Incident

TELLS = 0.7
"""Correlation of a bar's log volume with the return of the next bar, in ranks."""

FIT = {"epochs": 3}
SPLIT = {"train": 0.5, "calibration": 0.12, "validation": 0.33, "test": 0.05}


class LeakyRetrain(BadCandidate):
    """Serves incident I1's logits; the retrain that follows learns from bars that know too much.

    They close as the replay's do before its held-out part, so that what is served is not computed
    again from them; their volume tells where the next bar goes.
    """

    name: ClassVar[str] = "leaky-retrain"

    @override
    async def carry_out(self, traffic: Traffic) -> Observation:
        with TemporaryDirectory(prefix="plumbline-leak-") as folder:
            self._bars = Path(folder) / "bars.csv"
            write_leaky(self.system.replay, self._bars)
            return await super().carry_out(traffic)

    @override
    def spoil(self, bundle: Bundle) -> Bundle:
        training, data = bundle.manifest.training, bundle.manifest.data
        source = str(self._bars)
        read, fit, split = (training.get(name) for name in ("data", "fit", "split"))
        spoilt = {
            **training,
            "data": {**_mapping(read), "source": source, "time_format": None, "mirror": False},
            "fit": {**_mapping(fit), **FIT},
            "split": {**_mapping(split), **SPLIT},
        }
        update = {"training": spoilt, "data": data.model_copy(update={"source": source})}
        return self.system.registry.write(bundle.manifest.model_copy(update=update), bundle.files)

    @override
    def check(self, ended: Incident, broken: Bundle) -> Iterator[str]:
        yield from super().check(ended, broken)
        for event in ended.events:
            if event.kind is not EventKind.CANDIDATE_REFUSED:
                continue
            version = event.detail.partition(":")[0]
            said = self.system.registry.open(version).validation.verdict
            if said is not Verdict.LEAK:
                yield f"candidate {version} was refused as {said}, expected leak"


def write_leaky(replay: Playback, path: Path) -> None:
    """Write the bars before the held-out part, with a volume that tells the next return."""
    closes, rng = replay.closes[: replay.first], np.random.default_rng(1)
    opens = np.append(closes[0], closes[:-1])
    wicks = np.abs(rng.normal(size=(2, len(closes)))) * 2e-4 * closes
    highs, lows = np.maximum(opens, closes) + wicks[0], np.minimum(opens, closes) - wicks[1]
    coming = np.append(np.diff(closes), 0.0)
    rank = (coming.argsort().argsort() + 0.5) / len(coming) - 0.5
    noise = rng.uniform(-0.5, 0.5, len(coming))
    volumes = 1e8 * np.exp(TELLS * rank + np.sqrt(1 - TELLS**2) * noise)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("symbol", "time", "open", "high", "low", "close", "volume"))
        for i, moment in enumerate(replay.bar_time[: replay.first].tolist()):
            numbers = (opens[i], highs[i], lows[i], closes[i], volumes[i])
            lines.writerow(
                (SYMBOL, moment_of(moment).isoformat(), *(f"{each:.8g}" for each in numbers))
            )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
