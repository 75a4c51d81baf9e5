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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from plumbline.bundle.array import FloatArray
from plumbline.service.http import OTHER

if TYPE_CHECKING:
    from plumbline.service.model_slot import Serving
    from plumbline.service.predictor import Predicted

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SWAP_RESULTS = ("accepted", "refused")
DROP_REASONS = ("queue_full", "spool_full", "spool_failed")
TABLES = ("predictions", "outcomes")

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
_TINY = 1e-300
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
        self._predictions = self._counter("service_predictions", "Predictions answered.", action)
        self._entropy = self._counter(
            "service_entropy_nats", "Sum of the entropy of each answer's probabilities.", version
        )
        self._probability = self._counter(
            "service_probability", "Sum of the calibrated probability of each action.", action
        )
        shifted = "u = (p - reference mean) / reference standard deviation, within ±50"
        self._positive = self._counter(
            "service_output_positive", f"Sum of the positive part of {shifted}.", action
        )
        self._negative = self._counter(
            "service_output_negative", f"Sum of the negative part of {shifted}.", action
        )
        self._square = self._counter("service_output_square", f"Sum of u², {shifted}.", action)
        self._reference_std = Gauge(
            "service_reference_output_std_ratio",
            "Standard deviation of each action's probability in the reference.",
            action,
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._confidence = Histogram(
            "service_confidence_ratio",
            "Largest calibrated probability of each answer.",
            version,
            buckets=_CONFIDENCE,
            registry=self.registry,
        )
        self._repeated = self._counter(
            "service_repeated_inputs",
            "Predictions whose window equals the one before it of the same symbol.",
            version,
        )
        self._zero_columns = self._counter(
            "service_zero_columns", "Columns that are zero throughout a window.", version
        )

    def _declare_service(self) -> None:
        self._refused = self._counter("service_refused", "Requests refused, by code.", ["reason"])
        self._seconds = Histogram(
            "service_request_seconds",
            "Time from the head of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._spooled = self._counter("service_spooled_rows", "Rows made durable.", ["table"])
        self._shipped = self._counter(
            "service_shipped_rows", "Rows sealed into the store.", ["table"]
        )
        self._dropped = self._counter(
            "service_dropped_rows", "Rows lost (best effort).", ["reason"]
        )
        self._swaps = self._counter(
            "service_swaps", "Model swaps, counted by each worker.", ["model", "result"]
        )
        self._withheld = self._counter(
            "service_sizes_withheld", "Sizes answered as zero because of the verdict.", ["model"]
        )
        self._pending = Gauge(
            "service_spool_pending_rows",
            "Durable rows that are not in the store yet.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def expect_model(self, model: str) -> None:
        """Make the series of a model exist at zero."""
        for result in SWAP_RESULTS:
            self._swaps.labels(model, result)
        self._withheld.labels(model)

    def expect_version(self, serving: Serving) -> None:
        """Make every series of a version exist at zero."""
        predictor = serving.predictor
        model, version = predictor.manifest.name, predictor.version
        actions = predictor.manifest.classes
        for action, std in zip(actions, predictor.output_scale.std, strict=True):
            self._reference_std.labels(model, version, action).set(std)
        self._versions[model, version] = VersionMetrics(
            predictions=[self._predictions.labels(model, version, a) for a in actions],
            probability=[self._probability.labels(model, version, a) for a in actions],
            positive=[self._positive.labels(model, version, a) for a in actions],
            negative=[self._negative.labels(model, version, a) for a in actions],
            square=[self._square.labels(model, version, a) for a in actions],
            entropy=self._entropy.labels(model, version),
            confidence=self._confidence.labels(model, version),
            repeated=self._repeated.labels(model, version),
            zero_columns=self._zero_columns.labels(model, version),
            last_window=OrderedDict(),
        )

    def count_predictions(
        self,
        serving: Serving,
        predicted: Predicted,
        windows: FloatArray,
        symbols: list[str],
        window_hashes: list[str],
    ) -> None:
        """Count a batch of answers of one version."""
        predictor = serving.predictor
        version = self._versions[predictor.manifest.name, predictor.version]
        version.count_outputs(predicted, predictor.output_scale.apply(predicted.probabilities))
        version.count_inputs(windows, symbols, window_hashes)
        if not serving.sized:
            self._withheld.labels(predictor.manifest.name).inc(len(windows))

    def count_swap(self, model: str, result: str) -> None:
        """Count one swap, ``accepted`` or ``refused``."""
        self._swaps.labels(model, result).inc()

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
class VersionMetrics:
    """The children of one model version, looked up once."""

    predictions: list[Counter]
    probability: list[Counter]
    positive: list[Counter]
    negative: list[Counter]
    square: list[Counter]
    entropy: Counter
    confidence: Histogram
    repeated: Counter
    zero_columns: Counter
    last_window: OrderedDict[str, str]

    def count_outputs(self, predicted: Predicted, shifted: FloatArray) -> None:
        """Count actions, probabilities, entropy and confidence of a batch."""
        p = predicted.probabilities
        counts = np.bincount(predicted.actions, minlength=p.shape[1])
        sums = zip(
            counts.tolist(),
            p.sum(axis=0).tolist(),
            np.maximum(shifted, 0.0).sum(axis=0).tolist(),
            np.maximum(-shifted, 0.0).sum(axis=0).tolist(),
            np.square(shifted).sum(axis=0).tolist(),
            strict=True,
        )
        for k, (count, probability, positive, negative, square) in enumerate(sums):
            if count:
                self.predictions[k].inc(count)
            self.probability[k].inc(probability)
            self.positive[k].inc(positive)
            self.negative[k].inc(negative)
            self.square[k].inc(square)
        self.entropy.inc(max(float(-(p * np.log(np.maximum(p, _TINY))).sum()), 0.0))
        for confidence in p.max(axis=1).tolist():
            self.confidence.observe(confidence)

    def count_inputs(self, windows: FloatArray, symbols: list[str], hashes: list[str]) -> None:
        """Count windows that repeat and columns that are zero throughout."""
        zero = int((~windows.any(axis=1)).sum())
        if zero:
            self.zero_columns.inc(zero)
        last = self.last_window
        for symbol, window in zip(symbols, hashes, strict=True):
            if last.get(symbol) == window:
                self.repeated.inc()
            last[symbol] = window
            last.move_to_end(symbol)
            if len(last) > _SYMBOLS:
                last.popitem(last=False)


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
