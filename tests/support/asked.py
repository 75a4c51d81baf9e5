"""A trained model, the bars it has not seen, and the log of a client that asks it about them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.inputs import inputs_hash
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.replay import build_replay
from plumbline.training.run import train
from tests.support.experiments import small_experiment
from tests.support.markets import HOUR, write_csv
from tests.support.planted import planted

BARS = 5_000
_WHOLE = round(0.1 * 2**32)


@dataclass(frozen=True)
class Model:
    """A bundle and held-out windows ``(n, t, f) float32`` of one symbol, with their bar times."""

    bundle: Bundle
    windows: np.ndarray
    time: np.ndarray

    def answer(self, windows: np.ndarray) -> np.ndarray:
        """Return what the bundle's graph says of windows."""
        manifest = self.bundle.manifest
        graph = OnnxModel(self.bundle.files["model.onnx"], manifest.inputs, manifest.outputs)
        (given,) = manifest.inputs
        return graph({given.name: np.ascontiguousarray(windows, np.float32)})

    def log(
        self,
        windows: np.ndarray,
        time: np.ndarray,
        *,
        raw: np.ndarray | None = None,
        symbol: str = "default",
    ) -> PredictionBatch:
        """Return what the log holds of a client that sends these; a tenth of them whole."""
        n, outputs = len(windows), self.bundle.outputs
        said = self.answer(windows) if raw is None else raw.astype(np.float32)
        readings = outputs.read(said)
        decision = outputs.decide(readings)
        data = [np.ascontiguousarray(window, np.float32).tobytes() for window in windows]
        ids = [
            blake2b(f"{symbol}{i}{time[i]}".encode(), digest_size=16).hexdigest() for i in range(n)
        ]
        kept = np.full(n, None, object)
        for i, name in enumerate(ids):
            if int(name[:8], 16) < _WHOLE:
                kept[i] = data[i]
        assert decision.action is not None
        return PredictionBatch(
            prediction_id=np.array(ids),
            seq=np.arange(n),
            time=time + HOUR + 200_000,
            bar_time=time,
            symbol=np.full(n, symbol),
            group=np.full(n, ""),
            client=np.full(n, ""),
            version=np.full(n, self.bundle.version),
            action=decision.action.astype(np.int8),
            position=decision.position.astype(np.float64),
            size=decision.size.astype(np.float64),
            raw=said,
            centre=outputs.centres(readings).astype(np.float32),
            epistemic=outputs.epistemics(readings).astype(np.float32),
            features=np.ascontiguousarray(windows[:, -1], np.float32),
            inputs_hash=np.array([inputs_hash(each) for each in data]),
            window=kept,
        )

    def broken(self, bundle: Bundle) -> Model:
        """Return the same bars, to be asked of another bundle."""
        return replace(self, bundle=bundle)


@cache
def asked() -> Model:
    """Train a small model on planted bars, once, and return it with what it has not seen."""
    with TemporaryDirectory() as folder:
        bars = write_csv(Path(folder) / "bars.csv", planted(BARS, strength=1.0))
        values = tomllib.loads(small_experiment(str(bars)))
        values["fit"]["epochs"] = 3
        experiment = Experiment.model_validate(values)
        objects = Objects("memory://")
        made = train(experiment, objects, "asked")
        replay = build_replay(experiment)
    bundle = ModelRegistry(objects, "asked").open(made.version)
    views = np.lib.stride_tricks.sliding_window_view(
        replay.features, replay.window_length, axis=0
    ).transpose(0, 2, 1)
    first = replay.first - replay.window_length + 1
    return Model(bundle, np.ascontiguousarray(views[first:]), replay.bar_time[replay.first :])
