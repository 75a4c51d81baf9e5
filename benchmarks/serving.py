"""Latency and throughput of the service: the real one, with validation, metrics and durable log on.

    python -m benchmarks.serving [--store URL --model NAME] [--seconds 4] [--rounds 3] [--json]

The model is the champion of the store; without one a linear stand-in with 32 × 28 inputs is used,
which flatters the service by what a transformer would cost. `wrk` is the client where it is
installed, httpx otherwise, which is slower than the service. The ceiling is ONNX Runtime alone, in
two processes with one thread each and batches of eight, measured just before in the same run, so
that the ratio survives a busy machine better than the rates do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import httpx
import numpy as np

from plumbline.service.predictor import Predictor
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.served import MODEL, Served, serving

LUA = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local file = io.open("{body}")
wrk.body = file:read("*a")
file:close()
"""
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Load:
    """How the service is asked."""

    connections: int
    instances: int


@dataclass(frozen=True)
class Result:
    """What came of it: latencies in milliseconds, and the share of ONNX Runtime's samples/s."""

    connections: int
    instances: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    ratio: float


LOADS = (Load(1, 1), Load(8, 1), Load(32, 1), Load(64, 1), Load(8, 32))


def main() -> None:
    """Run all loads and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--store", help="store with a champion (default: a linear stand-in)")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load and round")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is printed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind = copy_champion(arguments.store, arguments.model, folder)
        ceiling = onnxruntime_rate(folder, arguments.seconds)
        with serving(folder, workers=arguments.workers) as served:
            served.wait_until(lambda: len(served.workers()) == arguments.workers)
            measure(served, folder, Load(8, 1), 1.0, ceiling)  # warm up
            rounds = [
                [measure(served, folder, load, arguments.seconds, ceiling) for load in LOADS]
                for _ in range(arguments.rounds)
            ]
    results = [middle(list(same)) for same in zip(*rounds, strict=True)]
    if arguments.json:
        document = {
            "model": kind,
            "onnxruntime_samples_per_second": round(ceiling),
            "results": [asdict(result) for result in results],
        }
        print(json.dumps(document, indent=2))
        return
    print(f"model {kind}; onnxruntime alone, 2 processes, batch 8: {ceiling:,.0f} samples/s")
    print("connections  instances      req/s   p50 ms   p99 ms  failed  of onnxruntime")
    for r in results:
        print(
            f"{r.connections:11d} {r.instances:10d} {r.requests_per_second:10,.0f} {r.p50_ms:8.2f} "
            f"{r.p99_ms:8.2f} {r.failed:7d} {r.ratio:15.0%}"
        )
    if any(result.failed for result in results):
        sys.exit(1)


def middle(results: list[Result]) -> Result:
    """Return the medians over the rounds of one load, and all its failures."""
    first = results[0]
    medians = {
        name: float(np.median([getattr(result, name) for result in results]))
        for name in ("requests_per_second", "p50_ms", "p99_ms", "ratio")
    }
    failed = sum(result.failed for result in results)
    return Result(first.connections, first.instances, failed=failed, **medians)


def copy_champion(store: str | None, model: str, folder: Path) -> str:
    """Put a champion and its request bodies into the folder; return what it is."""
    target = ModelRegistry(Objects((folder / "store").as_uri()), MODEL)
    if store is None:
        manifest, files = small_bundle(features=28, window=32, rows=400)
    else:
        source = ModelRegistry(Objects(store), model)
        head = source.alias()
        if head is None:
            sys.exit(f"error: {store} has no champion of {model}; train one, or leave --store out")
        bundle = source.open(head.value.version)
        manifest, files = bundle.manifest.model_copy(update={"name": MODEL}), dict(bundle.files)
    bundle = target.write(manifest, files)
    golden = bundle.golden.inputs
    target.promote(bundle.version, actor="benchmark", reason="benchmark", force=True)
    rows = [
        {name: array[i].astype(float).round(6).tolist() for name, array in golden.items()}
        for i in range(len(bundle.golden))
    ]
    for count in {load.instances for load in LOADS}:
        instances = [
            {"features": row["features"]} if set(row) == {"features"} else {"inputs": row}
            for row in (rows[i % len(rows)] for i in range(count))
        ]
        (folder / f"body-{count}.json").write_text(json.dumps({"instances": instances}))
    shapes = [" × ".join(map(str, spec.shape)) for spec in manifest.inputs]
    return f"{manifest.family}, {', '.join(shapes)}"


def onnxruntime_rate(folder: Path, seconds: float) -> float:
    """Return the samples per second of two processes that do nothing but run the graph."""
    url = (folder / "store").as_uri()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        return sum(pool.map(one_process_rate, [url] * 2, [seconds] * 2))


def one_process_rate(url: str, seconds: float) -> float:
    """Return the samples per second of this process."""
    registry = ModelRegistry(Objects(url), MODEL)
    head = registry.alias()
    assert head is not None
    bundle = registry.open(head.value.version)
    backend = Predictor.load(bundle, device="cpu").backend
    golden = bundle.golden.inputs
    inputs = {name: np.repeat(array[:1], 8, axis=0) for name, array in golden.items()}
    rounds = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        backend.run(inputs)
        rounds += 1
    return 8 * rounds / (time.perf_counter() - began)


def measure(served: Served, folder: Path, load: Load, seconds: float, ceiling: float) -> Result:
    """Load the service and say how it did."""
    body = folder / f"body-{load.instances}.json"
    by_wrk = shutil.which("wrk") is not None
    rate, p50, p99, failed = (
        wrk(served.url, body, load.connections, seconds)
        if by_wrk
        else asyncio.run(python_client(served.url, body, load.connections, seconds))
    )
    return Result(
        load.connections, load.instances, rate, p50, p99, failed, rate * load.instances / ceiling
    )


def wrk(url: str, body: Path, connections: int, seconds: float) -> tuple[float, float, float, int]:
    """Return rate, p50, p99 and failures by wrk."""
    script = body.with_suffix(".lua")
    script.write_text(LUA.format(body=body))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}", "--latency"]
    output = subprocess.run(
        [*command, "-s", str(script), f"{url}/predict"], capture_output=True, text=True, check=True
    ).stdout
    latency = {
        share: float(value) * UNITS[unit]
        for share, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)\b", output)
    }
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])  # type: ignore[index]
    failed = sum(
        int(n)
        for n in re.findall(r"(?:Non-2xx or 3xx responses:|connect|read|write) (\d+)", output)
    )
    return rate, latency["50"], latency["99"], failed


async def python_client(
    url: str, body: Path, connections: int, seconds: float
) -> tuple[float, float, float, int]:
    """Return rate, p50, p99 and failures by httpx."""
    content, headers = body.read_bytes(), {"content-type": "application/json"}
    latencies: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        async with httpx.AsyncClient(base_url=url, timeout=30) as session:
            while time.perf_counter() < end:
                began = time.perf_counter()
                answer = await session.post("/predict", content=content, headers=headers)
                latencies.append(time.perf_counter() - began)
                failed += answer.status_code != 200

    began = time.perf_counter()
    end = began + seconds
    await asyncio.gather(*(client() for _ in range(connections)))
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3
    return len(latencies) / (time.perf_counter() - began), float(p50), float(p99), failed


if __name__ == "__main__":
    main()
