"""What a feature set costs: in the served graph for one window, in training for a long history.

The graph is the feature set alone, exported to ONNX and run on one thread, from the bars of a
window of 32 rows to its features. The history is 1 M hourly bars of a random walk, in a process of
its own; memory is what it takes beyond the bars, against the size of the finished matrix.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from typing import Any

import numpy as np
import onnx
import onnxruntime
import psutil

from plumbline.bundle.array import FloatArray
from plumbline.training.bars import Bars
from plumbline.training.export import write_onnx
from plumbline.training.feature_sets import FEATURE_SETS, FeatureSet
from plumbline.training.feature_table import bar_array, build_table, resolve_feature_set

WINDOW = 32
HOUR = 3_600_000_000
KIBIBYTE = 1 if sys.platform == "darwin" else 1024


def main() -> None:
    """Print one line per feature set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3000)
    given = parser.parse_args()
    print("window of 32 rows, one thread: median microseconds a sample; then the whole history")
    line = "{:<14} {:>7} {:>6} {:>6} {:>9} {:>9}   {:>9} {:>9} {:>14}"
    print(
        line.format(
            "", "columns", "bars", "nodes", "batch 1", "batch 8", "bars", "s", "peak/matrix"
        )
    )
    for kind in FEATURE_SETS:
        bars = walk(2000)
        feature_set = resolve_feature_set(kind, {}, [bars])
        needed = feature_set.bars_needed(WINDOW)
        nodes, graph = export(feature_set, bars)
        costs = [cost(graph, bars, needed, batch, given.rounds) for batch in (1, 8)]
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            seconds, share = pool.apply(history, (kind, given.bars))
        print(
            line.format(
                *(kind, len(feature_set.names), needed, nodes),
                *(f"{each:.1f}" for each in costs),
                *(f"{given.bars:,}", f"{seconds:.2f}", f"{share:.2f}"),
            ),
            flush=True,
        )


def walk(rows: int) -> Bars:
    """Return a geometric random walk."""
    rng = np.random.default_rng(0)
    close = 1.1 * np.exp(np.cumsum(rng.normal(0, 0.001, rows)))
    open_ = np.concatenate([[1.1], close[:-1]])
    return Bars(
        symbol="WALK",
        time=HOUR * np.arange(rows, dtype=np.int64),
        open=open_,
        high=np.maximum(open_, close) * 1.0005,
        low=np.minimum(open_, close) * 0.9995,
        close=close,
        volume=rng.lognormal(10, 1, rows),
    )


def export(feature_set: FeatureSet[Any], bars: Bars) -> tuple[int, bytes]:
    """Export the feature set alone; return how many nodes its graph has, and the graph."""
    needed = feature_set.bars_needed(WINDOW)
    example = np.stack([bar_array(bars)[start : start + needed] for start in (0, 1)])
    graph = write_onnx(feature_set, example, "bars", ("features",))
    return len(onnx.load_from_string(graph).graph.node), graph


def cost(graph: bytes, bars: Bars, needed: int, batch: int, rounds: int) -> float:
    """Return the median time of a run, in microseconds a sample."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    table = bar_array(bars)
    windows: FloatArray = np.stack([table[start : start + needed] for start in range(batch)])
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        session.run(None, {"bars": windows})
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1e6 / batch


def history(kind: str, rows: int) -> tuple[float, float]:
    """Return seconds for the whole history, and peak memory over the size of the matrix."""
    bars = walk(rows)
    feature_set = resolve_feature_set(kind, {}, [bars])
    build_table(feature_set, bars.take(slice(9000)))  # whatever is set up once
    before = psutil.Process().memory_info().rss
    began = time.perf_counter()
    table = build_table(feature_set, bars)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return seconds, (peak * KIBIBYTE - before) / table.nbytes


if __name__ == "__main__":
    main()
