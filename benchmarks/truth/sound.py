"""False accusations: what the watcher says of sound models on real bars that they have not seen.

    python -m benchmarks.truth.sound [--json] [--only NAME …]

Eight series, a model of each, nearly half of the bars held out: more than a million rows as the
service would log them, interleaved where there are many symbols. Whoever is accused, a new watcher
goes on after it, so that one false accusation does not hide the next.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.truth.log import Rows, sound_log
from benchmarks.truth.market import Market, cache_folder, digest_of, run
from benchmarks.truth.plan import SEED
from benchmarks.truth.recipe import SOUND, Recipe, data_folder
from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import FloatArray, IntArray
from plumbline.monitoring.watching.stream import whole_groups
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.registry import ModelRegistry
from plumbline.training.errors import DataError
from plumbline.training.material import prepare
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.run import train

PIECE = 20_000
"""Rows that are made at a time."""

SLICE = 1_000
"""Rows that the watcher is given at a time."""


@dataclass(frozen=True)
class Stretch:
    """Held-out bars of a model.

    Attributes
    ----------
    name, bundle
        Of the stream, and who answers it.
    features : (n, f) float32
        Of every bar; bars of a symbol are consecutive.
    time : (n,) int64
    symbol : (n,) str
    rows : (m,) int64
        Which are asked about, in the order in which they are.
    """

    name: str
    bundle: Bundle
    features: FloatArray
    time: IntArray
    symbol: np.ndarray
    rows: IntArray

    def batches(self) -> Iterator[PredictionBatch]:
        """Yield the log, whole moments together."""
        manifest = self.bundle.manifest
        steps = manifest.inputs[0].steps
        model = OnnxModel(self.bundle.files["model.onnx"], manifest.inputs, manifest.outputs)
        rng = np.random.default_rng(SEED)
        start, moment = 0, self.time[self.rows]
        while start < len(self.rows):
            stop = min(start + PIECE, len(self.rows))
            while stop < len(self.rows) and moment[stop] == moment[stop - 1]:
                stop += 1
            some = self.rows[start:stop]
            windows = self.features[some[:, None] + np.arange(1 - steps, 1)[None, :]]
            bar_time = self.time[some]
            group = np.full(len(some), "")
            if manifest.unit == "cross_section":
                group = bar_time.astype(str)
            latency = 200_000 + rng.integers(0, 100_000)
            after = np.arange(len(some)) - np.searchsorted(bar_time, bar_time)
            yield sound_log(
                self.bundle,
                Rows(
                    windows,
                    self.symbol[some],
                    group,
                    bar_time,
                    bar_time
                    + manifest.bar_interval_seconds * 1_000_000
                    + latency
                    + (0 if manifest.unit == "cross_section" else 500 * after),
                    run(model, self.bundle, windows),
                ),
                rng,
            )
            start = stop


@dataclass(frozen=True)
class Watched:
    """What was said of one sound stream.

    Attributes
    ----------
    name
        Of the stream.
    rows, symbols, days
        Its size.
    accusations
        How often somebody was accused: ``(row, verdict, cause)``.
    said
        How often each verdict was reached.
    seconds
        Processor time of the watcher.
    """

    name: str
    rows: int
    symbols: int
    days: float
    accusations: tuple[tuple[int, str, str], ...]
    said: dict[str, int]
    seconds: float


def watch(stretch: Stretch) -> Watched:
    """Watch one sound stream from end to end."""
    watcher, rows, spent = Watcher(stretch.bundle), 0, 0.0
    accusations: list[tuple[int, str, str]] = []
    said: Counter[str] = Counter()
    for batch in stretch.batches():
        for some in whole_groups(batch, SLICE):
            began = time.process_time()
            found = watcher.feed(some)
            spent += time.process_time() - began
            rows += len(some)
            said.update(each.verdict.value for each in found)
            wrong = [each for each in found if not each.verdict.facts.sized]
            if wrong:
                accusations.append((rows, wrong[0].verdict.value, wrong[0].diagnosis.cause))
                watcher = Watcher(stretch.bundle)
    moments = stretch.time[stretch.rows]
    return Watched(
        stretch.name,
        rows,
        len(np.unique(stretch.symbol[stretch.rows])),
        float(moments[-1] - moments[0]) / 86_400e6,
        tuple(accusations),
        dict(said),
        spent,
    )


def stretch_of_market(market: Market) -> Stretch:
    """Return the held-out bars of a market of the judge."""
    symbols, bars = market.features_of.shape[:2]
    places = np.arange(max(market.first, market.memory + market.steps), bars)
    rows = (np.arange(symbols)[None, :] * bars + places[:, None]).reshape(-1)
    return Stretch(
        market.name,
        market.bundle,
        market.features_of.reshape(symbols * bars, -1),
        np.tile(market.time, symbols),
        np.repeat(np.array(market.symbols), bars),
        rows,
    )


def stretch_of(recipe: Recipe, data: Path | None, seed: int = 0) -> Stretch:
    """Return the held-out bars of a sound recipe, trained unless it was before."""
    experiment = recipe.experiment(data, cache_folder()).changed(seed=seed)
    folder = cache_folder() / f"{recipe.name}-{digest_of(experiment)}"
    objects = Objects((folder / "store").as_uri())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not (folder / "done.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            version = train(experiment, objects, "model").version
            material = prepare(experiment)
            dataset = material.dataset
            chosen = dataset.clear(material.split, "test")
            np.savez(
                folder / "data.npz",
                features=dataset.features,
                time=dataset.time,
                symbol=dataset.symbol,
                rows=chosen[np.argsort(dataset.time[chosen], kind="stable")],
            )
            (folder / "done.json").write_text(json.dumps({"version": version}))
    version = json.loads((folder / "done.json").read_text())["version"]
    with np.load(folder / "data.npz") as held:
        return Stretch(
            recipe.name,
            ModelRegistry(objects, "model").open(version),
            held["features"],
            held["time"],
            held["symbol"],
            held["rows"],
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch every sound stream, print, and return 1 if anybody was accused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth.sound", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in SOUND])
    parser.add_argument("--data")
    parser.add_argument("--seed", type=int, default=0, help="of the trainings")
    given = parser.parse_args(arguments)
    chosen = given.only or [each.name for each in SOUND]
    tell = None if given.as_json else print
    found = watch_all(chosen, data_folder(given.data), seed=given.seed, tell=tell)
    whole = counted(found)
    if given.as_json:
        print(json.dumps(whole | {"streams": [asdict(each) for each in found]}, indent=1))
    else:
        print(f"\n{whole['false_accusations']} false accusations in {whole['rows']:,} sound rows")
    return int(whole["false_accusations"] > 0)


def watch_all(
    names: Sequence[str],
    data: Path | None,
    *,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> list[Watched]:
    """Watch these of the sound streams whose bars are there."""
    found = []
    for recipe in SOUND:
        if recipe.name not in names:
            continue
        try:
            stretch = stretch_of(recipe, data, seed)
        except (FileNotFoundError, DataError) as error:
            print(f"left out: {recipe.name}: {error}", file=sys.stderr, flush=True)
            continue
        found.append(watch(stretch))
        if tell is not None:
            tell(line(found[-1]))
    return found


def counted(found: Sequence[Watched]) -> dict[str, int]:
    """Return rows and false accusations of some streams."""
    return {
        "rows": sum(each.rows for each in found),
        "false_accusations": sum(len(each.accusations) for each in found),
    }


def line(found: Watched) -> str:
    """Say what came of a stream."""
    accused = "; ".join(f"{verdict} at {row}" for row, verdict, _ in found.accusations[:5])
    return (
        f"{found.name:18} {found.rows:>9,} rows · {found.symbols:>3} symbols · "
        f"{found.days:>6,.0f} days · {len(found.accusations)} accusations {accused} · "
        f"{1e6 * found.seconds / max(found.rows, 1):.0f} µs a row · {found.said}"
        + "".join(f"\n    {verdict} at {row}: {cause}" for row, verdict, cause in found.accusations)
    )


if __name__ == "__main__":
    sys.exit(main())
