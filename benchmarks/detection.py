"""Detection on real bars: false alarms of sound models, and the delay and verdict of each fault.

Models are trained by the project's own training, and replayed through their exported graphs on bars
that neither training nor reference has seen. EUR/USD ships with the demo; a long hourly BTC/USDT
series, whose reference is long enough for the guarantee, is used where a folder with
``btc_usdt_1h.parquet`` is named by ``--data`` or PLUMBLINE_DATA.
"""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Verdict
from plumbline.bundle.replay import Replay
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionBatch
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.replay import build_replay
from plumbline.training.run import train
from tests.support.faults import CALIBRATED, INPUT_FAULTS, OUTPUT_FAULTS

MODEL = "bench"
ONSET = 200
TAIL = 400
WRONG = frozenset(v for v in Verdict if v.facts.of_input or v.facts.of_model)
BARS = "btc_usdt_1h.parquet"


@dataclass(frozen=True)
class Subject:
    """A trained bundle and the bars it has not seen."""

    name: str
    bundle: Bundle
    windows: np.ndarray
    labels: np.ndarray
    logits: np.ndarray
    """Raw numbers of the primary output, a choice."""

    def __len__(self) -> int:
        return len(self.windows)

    def served(
        self, windows: np.ndarray, logits: np.ndarray, symbol: str = "BARS"
    ) -> PredictionBatch:
        """Return what the log would hold; time goes on whatever the bars do."""
        outputs, n = self.bundle.outputs, len(windows)
        readings = outputs.read(logits)
        decision = outputs.decide(readings)
        return PredictionBatch(
            prediction_id=np.arange(n).astype(str),
            seq=np.arange(n),
            time=np.arange(n),
            bar_time=3_600_000_000 * np.arange(n),
            symbol=np.full(n, symbol),
            group=np.full(n, ""),
            client=np.full(n, ""),
            version=np.full(n, self.bundle.version),
            action=np.asarray(decision.action, np.int8),
            position=decision.position.astype(np.float32),
            size=decision.size.astype(np.float32),
            raw=logits.astype(np.float32),
            centre=outputs.centres(readings).astype(np.float32),
            epistemic=outputs.epistemics(readings).astype(np.float32),
            features=np.ascontiguousarray(windows[:, -1]),
            inputs_hash=np.array([f"{hash(each.tobytes()):x}" for each in windows]),
            window=np.full(n, None),
        )

    def replayed(self, rows: np.ndarray) -> PredictionBatch:
        """Return these bars as the sound model answers them."""
        return self.served(self.windows[rows], self.logits[rows])


def answer(bundle: Bundle, windows: np.ndarray) -> np.ndarray:
    """Return the exported graph's logits for windows ``(n, t, f)``."""
    manifest = bundle.manifest
    model = OnnxModel(bundle.files["model.onnx"], manifest.inputs, manifest.outputs)
    (given,) = manifest.inputs
    return np.concatenate(
        [model({given.name: windows[i : i + 512]}) for i in range(0, len(windows), 512)]
    )


def experiment(seed: int, data: Path | None) -> Experiment:
    """Return the demo's experiment, or its like on the long series with a long reference."""
    values = tomllib.loads((files("plumbline.training") / "configs" / "eurusd-1h.toml").read_text())
    values["seed"] = seed
    if data is not None:
        values["data"] = {"source": str(data / BARS), "symbol": "BTCUSDT"}
        values["label"]["parameters"]["threshold"] = 0.01
        values["split"] |= {"train": 0.30, "calibration": 0.10, "validation": 0.12, "test": 0.48}
        values["fit"] |= {"epochs": 3}
    return Experiment.model_validate(values)


def subject(seed: int, data: Path | None) -> Subject:
    """Train a model and compute what it says of the held-out bars."""
    objects = Objects("memory://")
    chosen = experiment(seed, data)
    made = train(chosen, objects, MODEL)
    bundle = ModelRegistry(objects, MODEL).open(made.version)
    replay: Replay = build_replay(chosen)
    views = np.lib.stride_tricks.sliding_window_view(
        replay.features, replay.window_length, axis=0
    ).transpose(0, 2, 1)
    windows = views[replay.first - replay.window_length + 1 :]
    name = "EUR/USD" if data is None else "BTC/USDT"
    labels = replay.labels[replay.first :]
    return Subject(f"{name}, seed {seed}", bundle, windows, labels, answer(bundle, windows))


def sound_replays(held: Subject, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the ways in which a sound model may be asked."""
    n = len(held)
    yield "all held-out bars, in order", np.arange(n)
    for _ in range(10):
        yield "from anywhere", np.arange(int(rng.integers(0, n - 1_000)), n)[:6_000]
    for length in (300, 500, 1_000, 2_000):
        for start in rng.integers(0, n - length, 3):
            loop = np.arange(start, start + length)
            yield "in a loop of 300 to 2,000 bars", np.tile(loop, 1 + 3_000 // length)
    for _ in range(10):
        starts = rng.integers(0, n - 150, 30)
        yield "in random jumps", np.concatenate([np.arange(s, s + 100) for s in starts])
    for length in (200, 300, 500):
        quiet = np.convolve(held.labels == 1, np.ones(length) / length, "valid")
        start = int(quiet.argmax())
        yield "the quietest stretches", np.arange(start, start + length)


def false_alarms(held: Subject) -> None:
    """Print what the watcher says of the sound model."""
    print("\n| sound model | replays | rows | false verdicts | other verdicts | highest evidence |")
    print("|---|---|---|---|---|---|")
    lines: dict[str, tuple[Counter[str], list[float]]] = {}
    for name, rows in sound_replays(held, np.random.default_rng(0)):
        counts, evidence = lines.setdefault(name, (Counter(), []))
        watcher = Watcher(held.bundle)
        batch = held.replayed(rows)
        counts["replays"] += 1
        counts["rows"] += len(rows)
        for start in range(0, len(rows), 50):
            for found in watcher.feed(batch.take(slice(start, start + 50))):
                counts["false" if found.verdict in WRONG else str(found.verdict)] += 1
            now = watcher.judgement.evidence
            evidence.append(max(e.log_e - e.threshold for e in now if e.subject == "output"))
    for name, (counts, evidence) in lines.items():
        other = {k: v for k, v in counts.items() if k not in {"replays", "rows", "false"}}
        said = ", ".join(f"{k} {v}" for k, v in sorted(other.items()))
        print(
            f"| {name} | {counts['replays']} | {counts['rows']:,} | {counts['false']} | {said} "
            f"| {max(evidence):+.1f} of the alarm level |"
        )


def first_after(found: list[Judgement], onset: int) -> Judgement | None:
    """Return the first verdict of something being wrong after a row."""
    late = [each for each in found if each.rows > onset and each.verdict in WRONG]
    return late[0] if late else None


def faults(held: Subject, starts: int) -> None:
    """Print delay and verdict of every fault, from several places of the held-out bars."""
    print("\n| fault | right verdict | other verdicts | missed | delay: median | most |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(1)
    begins = rng.integers(0, len(held) - ONSET - TAIL, starts)
    reference, outputs = held.bundle.reference, held.bundle.outputs
    calibration = outputs.calibrations[outputs.primary]
    temperature = getattr(calibration, "temperature", 1.0)
    for name, (fault, right) in OUTPUT_FAULTS.items():
        found = []
        for begin in begins:
            rows = slice(begin, begin + ONSET + TAIL)
            logits = held.logits[rows].astype(np.float64)
            unit = temperature if name in CALIBRATED else 1.0
            logits[ONSET:] = unit * fault(logits[ONSET:] / unit, reference.raw / unit)
            batch = held.served(held.windows[rows], logits)
            found.append(first_after(Watcher(held.bundle).feed(batch), ONSET))
        line(name, found, right)
    for name, (broken, right) in INPUT_FAULTS.items():
        found = []
        for begin in begins:
            windows = held.windows[begin : begin + ONSET + TAIL].copy()
            windows[ONSET:] = broken(windows[ONSET:], reference.features)
            batch = held.served(windows, answer(held.bundle, windows))
            found.append(first_after(Watcher(held.bundle).feed(batch), ONSET))
        line(name, found, right)


def line(name: str, found: list[Judgement | None], right: frozenset[Verdict]) -> None:
    """Print one line of the table of faults."""
    seen = [each for each in found if each is not None]
    others = Counter(each.verdict.value for each in seen if each.verdict not in right)
    delays = [each.rows - ONSET for each in seen] or [-1]
    named = ", ".join(f"{k} {v}" for k, v in others.items()) or "-"
    print(
        f"| {name} | {len(seen) - others.total()} of {len(found)} | {named} "
        f"| {len(found) - len(seen)} | {np.median(delays):.0f} | {max(delays)} |",
        flush=True,
    )


def speed(held: Subject) -> None:
    """Print what learning the reference and judging a row cost."""
    Watcher(held.bundle)
    start = time.process_time()
    watcher = Watcher(held.bundle)
    ready = time.process_time() - start
    batch = held.replayed(np.arange(min(len(held), 5_000)))
    start = time.process_time()
    watcher.feed(batch)
    spent = time.process_time() - start
    print(f"\n{len(batch) / spent:,.0f} rows/s of one core; another watcher {1e3 * ready:.0f} ms")


def main() -> None:
    """Train, replay, break, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("PLUMBLINE_DATA"))
    parser.add_argument("--seeds", type=int, default=2, help="models of each series")
    parser.add_argument("--starts", type=int, default=10, help="places at which each fault begins")
    parser.add_argument("--only", choices=("eurusd", "btc"), help="one series alone")
    arguments = parser.parse_args()
    data = None if arguments.data is None else Path(arguments.data)
    series = [] if arguments.only == "btc" else [None]
    if data is not None and (data / BARS).exists() and arguments.only != "eurusd":
        series.append(data)
    for source in series:
        for seed in range(arguments.seeds):
            start = time.process_time()
            held = subject(seed, source)
            trained = time.process_time() - start
            start = time.process_time()
            learnt = Watcher(held.bundle)
            primary = held.bundle.outputs.primary
            explained = learnt.baseline.outputs[primary].explained if learnt.baseline else None
            print(
                f"\n### {held.name}\n\n{len(held.bundle.reference):,} reference rows, "
                f"{len(held):,} held-out bars, gate: {held.bundle.validation.verdict.value}; the "
                f"surrogate explains {explained or 0:.2f}; trained in {trained:.0f} s, "
                f"reference learnt in {time.process_time() - start:.1f} s of processor time"
            )
            false_alarms(held)
            faults(held, arguments.starts)
            speed(held)


if __name__ == "__main__":
    main()
