"""A market of the judge: real bars, a model trained on their beginning, and the rest to ask about.

A model is trained by the project's own training, once: its bundle and what the judge needs of the
data set are kept in a folder (``PLUMBLINE_TRUTH_CACHE``), under the hash of the configuration.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.truth.graphs import said_of, torn
from benchmarks.truth.recipe import RECIPES, Recipe
from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.manifest import FORMAT, OPTIONAL_FILES, REQUIRED_FILES
from plumbline.bundle.outputs import Outputs
from plumbline.bundle.spec import OutputSpec
from plumbline.diagnosis.exact.comparison import Scale
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment
from plumbline.training.feature_sets import FEATURE_SETS, FeatureSet
from plumbline.training.material import prepare
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.reach import measure_reach
from plumbline.training.run import train

CYCLES = {"hour": 86_400, "half_day": 43_200, "week": 604_800}
"""Periods of clock columns, in seconds, by what their names begin with."""


def cache_folder() -> Path:
    """Return where trained models are kept."""
    chosen = os.environ.get("PLUMBLINE_TRUTH_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "plumbline-truth"


@dataclass(frozen=True, eq=False)
class Market:
    """One market.

    Attributes
    ----------
    name
        Of its recipe.
    bundle, sibling_bundle
        The model that is judged, and one that differs in its seed alone.
    time : (n,) int64
        Open times of all bars, microseconds; the same for every symbol.
    features : (s, n, f) float32
        Of every symbol.
    bars : (s, n, 6) float64
        Of every symbol, columns as in `bundle.spec.BAR_COLUMNS`.
    symbols
        Names.
    first
        Place in ``time`` where the held-out part begins.
    """

    name: str
    bundle: Bundle
    sibling_bundle: Bundle
    time: IntArray
    features_of: FloatArray
    bars: FloatArray
    symbols: tuple[str, ...]
    first: int

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return self.bundle.manifest.feature_names

    @property
    def steps(self) -> int:
        """Of a window."""
        return self.bundle.manifest.inputs[0].steps

    @property
    def interval(self) -> int:
        """Of the bars, microseconds."""
        return self.bundle.manifest.bar_interval_seconds * 1_000_000

    @property
    def cross_section(self) -> bool:
        """Whether a moment is answered as one."""
        return self.bundle.manifest.unit == "cross_section"

    @property
    def primary(self) -> OutputSpec:
        """The output the policy decides by."""
        return self.bundle.manifest.primary_output

    @property
    def members(self) -> int:
        """Of the primary output."""
        return self.primary.members

    @cached_property
    def clock(self) -> tuple[tuple[int, int, int], ...]:
        """Places of sine and cosine, and the period in seconds, of each cycle."""
        return tuple(
            (self.names.index(f"{name}_sin"), self.names.index(f"{name}_cos"), period)
            for name, period in CYCLES.items()
            if f"{name}_sin" in self.names
        )

    def columns(self, *prefixes: str) -> IntArray:
        """Return the places of the columns whose names begin with one of these."""
        found = [i for i, name in enumerate(self.names) if name.startswith(prefixes)]
        return np.array(found, np.int64)

    @cached_property
    def scaler(self) -> tuple[FloatArray, FloatArray]:
        """Mean and scale that the graph standardises with."""
        scaler = self.bundle.manifest.scaler
        if scaler is None:
            rows = self.bundle.reference.features
            return rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-6)
        return np.array(scaler.mean, np.float32), np.array(scaler.scale, np.float32)

    @cached_property
    def feature_set(self) -> FeatureSet[Any]:
        """What the columns are computed with."""
        spec = self.bundle.manifest.feature_set
        if spec is None:
            raise ValueError(f"{self.name}: its columns are a stranger's, they cannot be computed")
        kind = FEATURE_SETS[spec.kind]
        return kind(kind.Params.model_validate(spec.parameters)).eval().requires_grad_(False)

    @cached_property
    def reach(self) -> tuple[Scale, IntArray]:
        """Scale of the columns, and in how many rows a bar shows in each."""
        scale = Scale.of(self.bundle.reference.features)
        return scale, measure_reach(self.feature_set, scale.deviation)

    @property
    def memory(self) -> int:
        """Bars before its own that a row of features depends on."""
        return self.feature_set.memory

    def features(self, bars: FloatArray) -> FloatArray:
        """Compute the columns of bars ``(b, 6)``: ``(b - memory, f) float32``."""
        with torch.no_grad():
            found = self.feature_set(torch.from_numpy(np.ascontiguousarray(bars))[None])
        return np.asarray(found[0].numpy(), np.float32)

    @cached_property
    def model(self) -> OnnxModel:
        """The sound graph."""
        return self._model_of(self.bundle.files["model.onnx"])

    def answer(self, windows: FloatArray) -> FloatArray:
        """Return what the sound graph says of windows ``(n, t, f)``: ``(n, Σ numbers) float32``."""
        return run(self.model, self.bundle, windows)

    @cached_property
    def _sibling(self) -> OnnxModel:
        return self._model_of(self.sibling_bundle.files["model.onnx"])

    def sibling(self, windows: FloatArray) -> FloatArray:
        """Return what the same training with another seed says."""
        return run(self._sibling, self.bundle, windows)

    @cached_property
    def _torn(self) -> OnnxModel:
        return self._model_of(torn(self.bundle.files["model.onnx"], 0.1, seed=1))

    def torn(self, windows: FloatArray) -> FloatArray:
        """Return what the graph says a tenth of whose weights are noughts."""
        return run(self._torn, self.bundle, windows)

    def _model_of(self, graph: bytes) -> OnnxModel:
        return OnnxModel(graph, self.bundle.manifest.inputs, self.bundle.manifest.outputs)

    @cached_property
    def identity(self) -> dict[str, Calibration]:
        """Calibrations that change nothing."""
        heads = self.bundle.outputs.heads
        return {name: head.identity() for name, head in heads.items()}

    def answering(self, bundle: Bundle) -> Market:
        """Return the market that another bundle answers."""
        return replace(self, bundle=bundle)

    def outputs_with(self, calibrations: dict[str, Calibration]) -> Outputs:
        """Return the bundle's outputs read with other calibrations."""
        found = self.bundle.outputs
        return Outputs(found.specs, calibrations, found.policy)

    def up(self, spec: OutputSpec) -> FloatArray:
        """Return the direction of rising among the raw numbers of an output: ``(numbers,)``."""
        one = np.zeros(spec.width)
        one[int(np.argmax(spec.positions)) if spec.positions else 0] = 1.0
        return np.tile(one, spec.members)

    @cached_property
    def raw_spread(self) -> FloatArray:
        """Standard deviation of each raw number over the reference."""
        return np.concatenate([said.spread for said in said_of(self.bundle).values()])


def run(model: OnnxModel, bundle: Bundle, windows: FloatArray) -> FloatArray:
    """Answer windows a thousand at a time."""
    name = bundle.manifest.inputs[0].name
    if not len(windows):
        return np.zeros((0, bundle.manifest.raw_width), np.float32)
    ready = np.asarray(windows, np.float32)
    parts = [model({name: ready[i : i + 1000]}) for i in range(0, len(ready), 1000)]
    return np.concatenate(parts)


def open_market(name: str, data: Path | None) -> Market:
    """Return a market, trained now unless it was before.

    Raises
    ------
    FileNotFoundError
        If its bars are not there; the message says where they were looked for.
    """
    recipe = RECIPES[name]
    experiment = recipe.experiment(data, cache_folder())
    folder = cache_folder() / f"{name}-{digest_of(experiment)}"
    if not (folder / "done.json").exists():
        _make(recipe, experiment, folder)
    done = json.loads((folder / "done.json").read_text())
    objects = Objects((folder / "store").as_uri())
    with np.load(folder / "data.npz") as arrays:
        held = {key: arrays[key] for key in arrays.files}
    return Market(
        name=name,
        bundle=_opened(objects, "model", done["version"]),
        sibling_bundle=_opened(objects, "sibling", done["sibling"]),
        time=held["time"],
        features_of=held["features"],
        bars=held["bars"],
        symbols=tuple(held["symbols"].tolist()),
        first=int(held["first"]),
    )


def digest_of(experiment: Experiment) -> str:
    """Return the hash of a configuration and of what a bundle holds: 16 hexadecimal digits."""
    values = [experiment.model_dump(mode="json"), FORMAT, REQUIRED_FILES, OPTIONAL_FILES]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _opened(objects: Objects, name: str, version: str) -> Bundle:
    return ModelRegistry(objects, name).open(version)


def _make(recipe: Recipe, experiment: Experiment, folder: Path) -> None:
    """Train a model and its sibling, and keep what is needed of the data set."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = Objects((folder / "store").as_uri())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = train(experiment, objects, "model")
        sibling = train(experiment.changed(seed=experiment.seed + 1), objects, "sibling")
        material = prepare(experiment)
    dataset = material.dataset
    symbols = material.symbols
    rows = [np.flatnonzero(dataset.symbol == symbol) for symbol in symbols]
    times = [dataset.time[each] for each in rows]
    if any(len(each) != len(times[0]) or (each != times[0]).any() for each in times):
        raise ValueError(f"{recipe.name}: the symbols must have the same bars")
    test = dataset.clear(material.split, "test")
    first = int(np.searchsorted(times[0], dataset.time[test].min()))
    np.savez(
        folder / "data.npz",
        time=times[0],
        features=np.stack([dataset.features[each] for each in rows]),
        bars=np.stack([dataset.bars[each] for each in rows]),
        symbols=np.array(symbols),
        first=np.array(first),
    )
    done = {
        "version": result.version,
        "sibling": sibling.version,
        "passed": result.passed,
        "reference": len(ModelRegistry(objects, "model").open(result.version).reference),
    }
    (folder / "done.json").write_text(json.dumps(done, indent=1))
