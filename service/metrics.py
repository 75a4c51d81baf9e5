"""Every metric of the service, declared in this one place.

All are counters or histograms that add up over workers and replicas; the two gauges say how they
are combined. With several workers prometheus_client keeps one memory-mapped file per process in
``PROMETHEUS_MULTIPROC_DIR``, and the worker that is asked adds them all up: counters of a killed
worker stay counted, its gauges are swept away before each scrape.

Labels are model, version, action and the names in this file, never anything a caller chose.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plumbline.bundle.array import FloatArray
from plumbline.bundle.reading import Reading
from plumbline.bundle.spec import OutputSpec
from plumbline.service.http import OTHER

if TYPE_CHECKING:
    from plumbline.service.model_slot import Serving
    from plumbline.service.predictor import OutputScale, Predicted

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SWAP_RESULTS = ("accepted", "refused")
DROP_REASONS = ("queue_full", "spool_full", "spool_failed")
SHADOW_DROPS = ("busy", "log_behind", "log_failed", "other_inputs")
TABLES = ("predictions", "outcomes", "shadows")

_CONFIDENCE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
)
_SYMBOLS = 4096


class Metrics:
    """The metrics of one process.

    Parameters
    ----------
    routes
        Route templates; a path that is none of them is counted as ``other``.
    refusals
        Error codes.
    """

    def __init__(self, routes: tuple[str, ...] = (), refusals: tuple[str, ...] = ()) -> None:
        self.registry = CollectorRegistry()
        self._declare_predictions()
        self._declare_service()
        self._declare_shadow()
        for route in (*routes, OTHER):
            self._seconds.labels(route)
        for code in refusals:
            self._refused.labels(code)
        for table in TABLES:
            self._spooled.labels(table)
            self._shipped.labels(table)
        for reason in DROP_REASONS:
            self._dropped.labels(reason)
        self._versions: dict[tuple[str, str], VersionMetrics] = {}

    def _declare_predictions(self) -> None:
        version, action = ["model", "version"], ["model", "version", "action"]
        output = [*version, "output"]
        coordinate = [*output, "coordinate"]
        self._predictions = self._counter(
            "plumbline_service_predictions", "Predictions answered.", version
        )
        self._decisions = self._counter(
            "plumbline_service_decisions", "Actions taken, of policies that have actions.", action
        )
        self._epistemic = self._counter(
            "plumbline_service_epistemic",
            "Sum of the members' disagreement in each answer.",
            output,
        )
        self._entropy = self._counter(
            "plumbline_service_entropy_nats",
            "Sum of the entropy of each answer's probabilities.",
            output,
        )
        self._probability = self._counter(
            "plumbline_service_probability",
            "Sum of the calibrated probability of each choice.",
            [*output, "choice"],
        )
        shifted = "u = (x - reference mean) / reference standard deviation, within ±50"
        self._positive = self._counter(
            "plumbline_service_output_positive",
            f"Sum of the positive part of {shifted}.",
            coordinate,
        )
        self._negative = self._counter(
            "plumbline_service_output_negative",
            f"Sum of the negative part of {shifted}.",
            coordinate,
        )
        self._square = self._counter(
            "plumbline_service_output_square", f"Sum of u², {shifted}.", coordinate
        )
        self._reference_std = Gauge(
            "plumbline_service_reference_output_std_ratio",
            "Standard deviation of each coordinate of an output in the reference.",
            coordinate,
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._confidence = Histogram(
            "plumbline_service_confidence_ratio",
            "Largest calibrated probability of each answer.",
            output,
            buckets=_CONFIDENCE,
            registry=self.registry,
        )
        self._repeated = self._counter(
            "plumbline_service_repeated_inputs",
            "Predictions whose window equals the one before it of the same symbol.",
            version,
        )
        self._zero_columns = self._counter(
            "plumbline_service_zero_columns", "Columns that are zero throughout a window.", version
        )

    def _declare_service(self) -> None:
        self._refused = self._counter(
            "plumbline_service_refused", "Requests refused, by code.", ["reason"]
        )
        self._seconds = Histogram(
            "plumbline_service_request_seconds",
            "Time from the head of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._spooled = self._counter(
            "plumbline_service_spooled_rows", "Rows made durable.", ["table"]
        )
        self._shipped = self._counter(
            "plumbline_service_shipped_rows", "Rows sealed into the store.", ["table"]
        )
        self._dropped = self._counter(
            "plumbline_service_dropped_rows", "Rows lost (best effort).", ["reason"]
        )
        self._swaps = self._counter(
            "plumbline_service_swaps", "Model swaps, counted by each worker.", ["model", "result"]
        )
        self._withheld = self._counter(
            "plumbline_service_sizes_withheld",
            "Sizes answered as zero because of the verdict.",
            ["model"],
        )
        self._pending = Gauge(
            "plumbline_service_spool_pending_rows",
            "Durable rows that are not in the store yet.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def _declare_shadow(self) -> None:
        self._shadowed = self._counter(
            "plumbline_service_shadow_predictions",
            "Predictions a challenger has made too, unseen by clients.",
            ["model", "version"],
        )
        self._shadow_dropped = self._counter(
            "plumbline_service_shadow_dropped",
            "Predictions of the sample that no challenger was asked about, or not for long.",
            ["model", "reason"],
        )
        self._shadow_swaps = self._counter(
            "plumbline_service_shadow_swaps",
            "Loads of a challenger, by each worker.",
            ["model", "result"],
        )

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def expect_model(self, model: str) -> None:
        """Make the series of a model exist at zero."""
        for result in SWAP_RESULTS:
            self._swaps.labels(model, result)
            self._shadow_swaps.labels(model, result)
        for reason in SHADOW_DROPS:
            self._shadow_dropped.labels(model, reason)
        self._withheld.labels(model)

    def expect_version(self, serving: Serving) -> None:
        """Make every series of a version exist at zero."""
        predictor = serving.predictor
        names = predictor.manifest.name, predictor.version
        self._versions[names] = VersionMetrics(
            predictions=self._predictions.labels(*names),
            decisions=[self._decisions.labels(*names, a) for a in predictor.manifest.actions],
            outputs={
                spec.name: self._expect_output(names, spec, predictor.scales[spec.name])
                for spec in predictor.manifest.outputs
            },
            repeated=self._repeated.labels(*names),
            zero_columns=self._zero_columns.labels(*names),
            last_inputs=OrderedDict(),
        )

    def _expect_output(
        self, names: tuple[str, str], spec: OutputSpec, scale: OutputScale
    ) -> OutputMetrics:
        labels = (*names, spec.name)
        coordinates = coordinate_names(spec, len(scale.std))
        for coordinate, std in zip(coordinates, scale.std, strict=True):
            self._reference_std.labels(*labels, coordinate).set(std)
        return OutputMetrics(
            scale=scale,
            members=spec.members,
            epistemic=self._epistemic.labels(*labels),
            probability=[self._probability.labels(*labels, c) for c in spec.choices],
            positive=[self._positive.labels(*labels, c) for c in coordinates],
            negative=[self._negative.labels(*labels, c) for c in coordinates],
            square=[self._square.labels(*labels, c) for c in coordinates],
            entropy=self._entropy.labels(*labels) if spec.choices else None,
            confidence=self._confidence.labels(*labels) if spec.choices else None,
        )

    def count_predictions(
        self,
        serving: Serving,
        predicted: Predicted,
        inputs: Mapping[str, FloatArray],
        symbols: Sequence[str],
        hashes: Sequence[str],
    ) -> None:
        """Count a batch of answers of one version."""
        predictor = serving.predictor
        version = self._versions[predictor.manifest.name, predictor.version]
        version.count_outputs(predicted)
        watched = [
            inputs[spec.name]
            for spec in predictor.manifest.inputs
            if spec.source == "features" and len(spec.shape) > 1
        ]
        version.count_inputs(watched, symbols, hashes)
        if not serving.sized:
            self._withheld.labels(predictor.manifest.name).inc(len(predicted))

    def count_swap(self, model: str, result: str) -> None:
        """Count one swap, ``accepted`` or ``refused``."""
        self._swaps.labels(model, result).inc()

    def count_shadow(self, model: str, version: str, rows: int) -> None:
        """Count what a challenger said."""
        self._shadowed.labels(model, version).inc(rows)

    def count_shadow_dropped(self, model: str, reason: str, rows: int) -> None:
        """Count what it was not asked, or what was not kept."""
        self._shadow_dropped.labels(model, reason).inc(rows)

    def count_shadow_swap(self, model: str, result: str) -> None:
        """Count one load of a challenger, ``accepted`` or ``refused``."""
        self._shadow_swaps.labels(model, result).inc()

    def count_request(self, route: str, seconds: float) -> None:
        """Count one answered request by its route template."""
        self._seconds.labels(route).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count one refused request by its error code."""
        self._refused.labels(code).inc()

    def count_spooled(self, table: str, rows: int) -> None:
        """Count rows that became durable."""
        self._spooled.labels(table).inc(rows)

    def count_shipped(self, table: str, rows: int) -> None:
        """Count rows that reached the store."""
        self._shipped.labels(table).inc(rows)

    def count_dropped(self, reason: str, rows: int) -> None:
        """Count rows that were lost in best-effort mode."""
        self._dropped.labels(reason).inc(rows)

    def set_pending(self, rows: int) -> None:
        """Say how many rows of this worker wait to be shipped."""
        self._pending.set(rows)

    def expose(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        directory = os.environ.get(DIRECTORY)
        if directory is None:
            return bytes(generate_latest(self.registry))
        sweep(Path(directory))
        whole = CollectorRegistry()
        MultiProcessCollector(whole, directory)
        return bytes(generate_latest(whole))


@dataclass(frozen=True)
class OutputMetrics:
    """The children of one output of a version, looked up once."""

    scale: OutputScale
    members: int
    epistemic: Counter
    probability: list[Counter]
    positive: list[Counter]
    negative: list[Counter]
    square: list[Counter]
    entropy: Counter | None
    confidence: Histogram | None

    def count(self, reading: Reading) -> None:
        """Count coordinates and, of a choice, probabilities, entropy and confidence."""
        shifted = self.scale.apply(reading.coordinates)
        columns = zip(self.positive, self.negative, self.square, shifted.T.tolist(), strict=True)
        for positive, negative, square, column in columns:
            rising = sum(u for u in column if u > 0)
            if rising:
                positive.inc(rising)
            falling = -sum(u for u in column if u < 0)
            if falling:
                negative.inc(falling)
            square.inc(sum(u * u for u in column))
        if self.members > 1:
            self.epistemic.inc(float(reading.epistemic.sum()))
        if self.entropy is None or self.confidence is None:
            return
        rows = reading.centre.tolist()
        for counter, chosen in zip(self.probability, zip(*rows, strict=True), strict=True):
            counter.inc(sum(chosen))
        self.entropy.inc(max(-sum(p * log(p) for row in rows for p in row if p > 0), 0.0))
        for row in rows:
            self.confidence.observe(max(row))


@dataclass(frozen=True)
class VersionMetrics:
    """The children of one model version, looked up once."""

    predictions: Counter
    decisions: list[Counter]
    outputs: dict[str, OutputMetrics]
    repeated: Counter
    zero_columns: Counter
    last_inputs: OrderedDict[str, str]

    def count_outputs(self, predicted: Predicted) -> None:
        """Count answers, actions, and what each output said."""
        self.predictions.inc(len(predicted))
        action = predicted.decision.action
        if action is not None:
            counts = np.bincount(action, minlength=len(self.decisions)).tolist()
            for counter, count in zip(self.decisions, counts, strict=True):
                if count:
                    counter.inc(count)
        for name, output in self.outputs.items():
            output.count(predicted.readings[name])

    def count_inputs(
        self, windows: Sequence[FloatArray], symbols: Sequence[str], hashes: Sequence[str]
    ) -> None:
        """Count inputs that repeat, and columns that are zero throughout a window."""
        zero = sum(int((~each.any(axis=1)).sum()) for each in windows)
        if zero:
            self.zero_columns.inc(zero)
        last = self.last_inputs
        for symbol, inputs_hash in zip(symbols, hashes, strict=True):
            if last.get(symbol) == inputs_hash:
                self.repeated.inc()
            last[symbol] = inputs_hash
            last.move_to_end(symbol)
            if len(last) > _SYMBOLS:
                last.popitem(last=False)


def coordinate_names(spec: OutputSpec, count: int) -> tuple[str, ...]:
    """Name the coordinates of an output: its choices, or its kind where there is one."""
    if len(spec.choices) == count:
        return spec.choices
    return (spec.kind,) if count == 1 else tuple(f"{spec.kind}_{i}" for i in range(count))


def sweep(directory: Path) -> None:
    """Remove the live gauges of processes that are gone.

    Only files whose process does not exist any more: a process id that was taken over by another
    program keeps a ghost until that ends, which is rare and small.
    """
    for path in directory.glob("gauge_live*.db"):
        found = re.search(r"_(\d+)\.db$", path.name)
        if found and not _alive(int(found[1])):
            path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    """Whether a process runs; one that is dead but not yet collected by its parent does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
