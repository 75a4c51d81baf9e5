"""A model whose bars can be read, and a client that sends it inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import Bars
from plumbline.training.config import read_experiment
from plumbline.training.feature_table import build_table, resolve_feature_set
from plumbline.training.recompute import recompute
from plumbline.training.run import train
from tests.support.control import MODEL
from tests.support.experiments import small_experiment
from tests.support.markets import walk, write_csv
from tests.support.sent import log_inputs

ROWS = 160
SYMBOL = "WALK/USDT"
WALK = walk(900, symbol=SYMBOL)


def train_walk(folder: Path) -> tuple[Bundle, Path]:
    """Train a model of one symbol; returns it and the file it was made from."""
    path = write_csv(folder / "walk.csv", WALK)
    config = folder / "walk.toml"
    config.write_text(small_experiment(str(path), symbol=SYMBOL))
    objects = Objects((folder / "store").as_uri())
    made = train(read_experiment(str(config)), objects, MODEL)
    return ModelRegistry(objects, MODEL).open(made.version), path


@dataclass
class Client:
    """A store with a model in it, and whoever sends inputs to it."""

    objects: Objects
    bundle: Bundle
    bars: Bars
    path: Path

    @property
    def table(self) -> np.ndarray:
        """What training computes of every bar."""
        return self.of(self.bars)

    def of(self, bars: Bars) -> np.ndarray:
        """What training computes of these bars."""
        return build_table(resolve_feature_set("intraday_31", {}, [bars]), bars)

    def column(self, name: str) -> int:
        """Place of a column."""
        return self.bundle.manifest.feature_names.index(name)

    def send(self, features: np.ndarray, rows: slice = slice(-ROWS, None), **more: object) -> None:
        """Send rows of a whole table, each as that of its bar."""
        log_inputs(
            self.objects,
            self.bundle,
            features[rows],
            self.bars.time[rows].tolist(),
            **{"symbol": SYMBOL, **more},
        )

    def recompute(self, **more: object) -> Recomputed:
        """Compute it again."""
        return recompute(self.objects, self.bundle, str(self.path), **more)
