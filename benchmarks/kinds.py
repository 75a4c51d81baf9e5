"""One model of every kind, from bars to a verdict.

    python -m benchmarks.kinds [NAME …] [--json]

Each is trained (or packed) on a market with a planted signal, passes its gate, is promoted and
served by one real service; held-out bars are asked over HTTP; the log is watched as the monitor
does. Then its graph is replaced by one whose outputs have collapsed to a thousandth of what
they were, and what is served is watched again. A line each:

    three_class        served 300 of 300 · watched 300 · sound: healthy · broken: flat
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from benchmarks._planted import write_bars
from plumbline.bundle.archive import Bundle
from plumbline.drills.fault import run_graph, with_graph
from plumbline.monitoring.watching.stream import whole_groups
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment
from plumbline.training.dataset import Dataset
from plumbline.training.material import Material, prepare
from plumbline.training.run import train
from tests.support.served import Served, serving

HOUR, DAY = 3_600, 86_400
SOUND, BROKEN = 300, 300
"""Rows asked of the sound and of the broken version."""

SHRUNK = {"choice": 1e-3, "value": 1e-3, "score": 0.0}
"""What is left of an output; of scores nothing, since a smaller score ranks as a larger one."""

_SMALL = {"width": 32, "heads": 2, "layers": 1, "hidden": 64, "dropout": 0.1}


@dataclass(frozen=True)
class Kind:
    """A kind of model, as a configuration.

    Attributes
    ----------
    name
        Of the model.
    sections
        Of the experiment, beside those all have.
    symbols, seconds
        Of the bars.
    """

    name: str
    sections: dict[str, Any]
    symbols: int = 1
    seconds: int = HOUR

    def experiment(self, bars: Path) -> Experiment:
        """Return the experiment on a file of bars."""
        plain = {
            "window_length": 16,
            "data": {"source": str(bars)},
            "features": {"kind": "multi_scale", "parameters": {"widths": [4, 8, 16, 48]}},
            "split": {
                "train": 0.5,
                "calibration": 0.12,
                "validation": 0.2,
                "test": 0.18,
                "embargo_seconds": 6 * self.seconds,
            },
            "family": {"kind": "tfa", "parameters": _SMALL},
            "fit": {"epochs": 6, "patience": 3, "batch_size": 128, "threads": 1},
        }
        return Experiment.model_validate(plain | self.sections)


def _bands(edges: Sequence[float], names: Sequence[str]) -> dict[str, Any]:
    parameters = {"horizon_seconds": 6 * HOUR, "edges": list(edges), "names": list(names)}
    return {"label": {"kind": "return_bands", "parameters": parameters}}


_THREE = {
    "label": {
        "kind": "forward_return",
        "parameters": {"horizon_seconds": 6 * HOUR, "threshold": 0.006},
    }
}
_FIVE = _bands([-0.01, -0.003, 0.003, 0.01], ["CRASH", "DOWN", "FLAT", "UP", "SURGE"])

KINDS = (
    Kind("three-class", _THREE),
    Kind("three-class-bars", {**_THREE, "input": "bars"}),
    Kind("five-class", _FIVE),
    Kind("binary", _bands([0.0], ["DOWN", "UP"])),
    Kind(
        "four-horizons",
        {
            "label": {
                "kind": "returns",
                "parameters": {"horizons_seconds": [6 * HOUR, 2 * HOUR, 12 * HOUR, 24 * HOUR]},
            }
        },
    ),
    Kind(
        "cross-section",
        {
            "label": {"kind": "cross_section", "parameters": {"horizon_bars": 5}},
            "window_length": 8,
            "fit": {"epochs": 4, "patience": 3, "batch_size": 240, "threads": 1},
        },
        symbols=20,
        seconds=DAY,
    ),
    Kind(
        "bayesian",
        {**_THREE, "family": {"kind": "bayesian", "parameters": {**_SMALL, "samples": 8}}},
    ),
    Kind(
        "ensemble",
        {**_THREE, "family": {"kind": "ensemble", "parameters": {"partners": 2, "each": _SMALL}}},
    ),
)


@dataclass(frozen=True)
class Walk:
    """How far one kind came.

    Attributes
    ----------
    kind
        Its name.
    passed
        Whether it passed its gate.
    served, watched
        Rows answered, and rows judged, of the sound version.
    verdict_sound, verdict_broken
        What the watcher says of what each version answered.
    detected_after
        Rows from the break to the verdict.
    seconds
        Of the training.
    """

    kind: str
    passed: bool
    served: int
    watched: int
    verdict_sound: str
    verdict_broken: str
    detected_after: int
    seconds: float

    @property
    def right(self) -> bool:
        """Whether every step came out as it should."""
        return (
            self.passed
            and self.served >= SOUND
            and self.watched == self.served
            and self.verdict_sound in {"healthy", "regime"}
            and self.verdict_broken == "flat"
        )

    def __str__(self) -> str:
        said = "" if self.right else "  <- SHORT"
        return (
            f"{self.kind:18} served {self.served} · watched {self.watched} · sound: "
            f"{self.verdict_sound} · broken: {self.verdict_broken} after {self.detected_after} rows"
            f" · trained in {self.seconds:.1f} s{said}"
        )


@dataclass(frozen=True)
class Made:
    """A trained kind, and the rows it has not seen."""

    kind: Kind
    bundle: Bundle
    passed: bool
    seconds: float
    material: Material

    def bodies(self, start: int, count: int) -> Iterator[dict[str, Any]]:
        """Yield requests about held-out rows, whole cross-sections where that is the unit."""
        dataset = self.material.dataset
        rows = _in_time(dataset, dataset.clear(self.material.split, "test"))
        groups = dataset.group[rows]
        borders = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
        first = int(borders[np.searchsorted(borders, start)])
        last = int(borders[min(np.searchsorted(borders, first + count), len(borders) - 1)])
        chosen = rows[first:last]
        specs = self.bundle.manifest.inputs
        (given,) = specs
        for some in np.split(chosen, np.flatnonzero(np.diff(dataset.group[chosen])) + 1):
            inputs = dataset.inputs(some, specs)[given.name]
            yield {
                "model": self.kind.name,
                "instances": [
                    {
                        given.source: window.astype(float).tolist(),
                        "symbol": str(dataset.symbol[row]),
                        "time": datetime.fromtimestamp(dataset.time[row] / 1e6, UTC).isoformat(),
                    }
                    for row, window in zip(some, inputs, strict=True)
                ],
            }


def _in_time(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Return rows by time, all symbols of a moment beside each other."""
    return np.asarray(rows[np.argsort(dataset.time[rows], kind="stable")])


def make(kind: Kind, objects: Objects, folder: Path) -> Made:
    """Train a kind and promote it; force where the gate refuses, which the walk then reports."""
    rows = 1_500 if kind.symbols > 1 else 6_000
    bars = folder / f"planted-{kind.symbols}-{kind.seconds}.parquet"
    if not bars.exists():
        write_bars(bars, rows=rows, seconds=kind.seconds, symbols=kind.symbols)
    experiment = kind.experiment(bars)
    began = time.monotonic()
    result = train(experiment, objects, kind.name)
    registry = ModelRegistry(objects, kind.name)
    registry.promote(result.version, actor="benchmark", reason="to be watched", force=True)
    took = time.monotonic() - began
    return Made(kind, registry.open(result.version), result.passed, took, prepare(experiment))


def shrunk_graph(bundle: Bundle) -> bytes:
    """Return a bundle's graph with every output drawn together about its golden mean."""
    model = onnx.load_from_string(bundle.files["model.onnx"])
    said = run_graph(bundle.files["model.onnx"], bundle, bundle.golden.inputs)
    for spec in bundle.manifest.outputs:
        inner = f"sound.{spec.name}"
        for node in model.graph.node:
            node.output[:] = [inner if each == spec.name else each for each in node.output]
            node.input[:] = [inner if each == spec.name else each for each in node.input]
        mean, factor = said[spec.name].mean(axis=0), SHRUNK[spec.kind]
        for name, values in (("factor", np.full_like(mean, factor)), ("rest", (1 - factor) * mean)):
            constant = numpy_helper.from_array(values.astype(np.float32), f"{name}.{spec.name}")
            model.graph.initializer.append(constant)
        shrunk = f"shrunk.{spec.name}"
        model.graph.node.append(helper.make_node("Mul", [inner, f"factor.{spec.name}"], [shrunk]))
        model.graph.node.append(helper.make_node("Add", [shrunk, f"rest.{spec.name}"], [spec.name]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def walk(made: Made, service: Served, objects: Objects) -> Walk:
    """Serve a kind, watch it, break it, and watch it again."""
    registry = ModelRegistry(objects, made.kind.name)
    served = _ask(service, made.bodies(0, SOUND), made.bundle.version)
    sound, watched, _ = _watch(objects, made.bundle, served)
    graph = shrunk_graph(made.bundle)
    broken = registry.write(*with_graph(made.bundle, graph, drill="kinds"))
    registry.promote(broken.version, actor="benchmark", reason="broken on purpose", force=True)
    service.wait_until(lambda: _serving(service, made.kind.name) == broken.version)
    asked = _ask(service, made.bodies(SOUND, BROKEN), broken.version)
    verdict, _, after = _watch(objects, broken, asked)
    return Walk(
        made.kind.name, made.passed, served, watched, sound, verdict, after, round(made.seconds, 2)
    )


def _serving(service: Served, model: str) -> str | None:
    found = {each["name"]: each["version"] for each in service.get("/models").json()["models"]}
    return found.get(model)


def _ask(service: Served, bodies: Iterator[dict[str, Any]], version: str) -> int:
    """Ask in order; return how many rows that version answered."""
    answered = 0
    with service.client() as client:
        for body in bodies:
            answer = client.post("/predict", json=body)
            answer.raise_for_status()
            content = answer.json()
            answered += len(content["predictions"]) * (content["version"] == version)
    return answered


def _watch(objects: Objects, bundle: Bundle, rows: int) -> tuple[str, int, int]:
    """Judge what lies in the log: the verdict, the rows judged, and rows until it was said."""
    log = PredictionLog(objects, bundle.manifest.name)
    deadline = time.monotonic() + 30
    batch = log.read(version=bundle.version)
    while len(batch) < rows and time.monotonic() < deadline:
        time.sleep(0.2)
        batch = log.read(version=bundle.version)
    watcher = Watcher(bundle)
    said = [found for some in whole_groups(batch, 25) for found in watcher.feed(some)]
    last = watcher.judgement
    after = next((each.rows for each in said if each.verdict is last.verdict), 0)
    return last.verdict.value, last.rows, after


def run(names: Sequence[str] = (), *, tell: Callable[[Walk], None] = lambda _: None) -> list[Walk]:
    """Walk every kind, or those named."""
    chosen = [kind for kind in KINDS if not names or kind.name in names]
    if unknown := sorted(set(names) - {kind.name for kind in chosen}):
        raise ValueError(f"unknown: {unknown}; there are {[kind.name for kind in KINDS]}")
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(name)
        objects = Objects((folder / "store").as_uri())
        made = [make(kind, objects, folder) for kind in chosen]
        with serving(folder, models=tuple(kind.name for kind in chosen), workers=1) as service:
            walks = []
            for each in made:
                walks.append(walk(each, service, objects))
                tell(walks[-1])
    return walks


def main(arguments: Sequence[str] | None = None) -> int:
    """Walk, print, and return 1 if any kind fell short."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="Kinds; all by default.")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args(arguments)
    walks = run(given.names, tell=lambda each: None if given.as_json else print(each, flush=True))
    if given.as_json:
        print(json.dumps({each.kind: asdict(each) for each in walks}, indent=1))
    return 0 if all(each.right for each in walks) else 1


if __name__ == "__main__":
    sys.exit(main())
