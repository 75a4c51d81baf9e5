"""Every metric of the service, declared in this one place.

Counters and histograms add up over workers and replicas; each gauge says how the processes of one
replica are combined. `version_metrics` adds a batch of answers to them, `exposition` makes one text
of all processes.

Labels are model, version, action and the names in this file, never anything a caller chose.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]  # it has no stubs of its own
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.service.band import BANDS
from plumbline.service.exposition import INFO, SERVED, Exemplars, expose
from plumbline.service.http import OTHER
from plumbline.service.version_metrics import ExactCounter, Newest, OutputMetrics, VersionMetrics
from plumbline.store.build import build_labels
from plumbline.store.observed import OPERATIONS

if TYPE_CHECKING:
    from plumbline.service.model_slot import Serving
    from plumbline.service.predictor import Predicted, Predictor

SWAP_RESULTS = ("accepted", "refused")
DROP_REASONS = ("queue_full", "spool_full", "spool_failed")
SHADOW_DROPS = ("busy", "log_behind", "log_failed", "other_inputs")
TABLES = ("predictions", "outcomes", "shadows")
COMPONENT = "service"
RETENTION_SECONDS = 3600.0

_CONFIDENCE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
_SECONDS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
_STORE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0)


class Metrics:
    """The metrics of one process.

    Parameters
    ----------
    routes
        Route templates; a path that is none of them is counted as ``other``.
    refusals
        Error codes.
    retention
        Seconds for which the series of a version outlive its last moment of service.
    """

    def __init__(
        self,
        routes: tuple[str, ...] = (),
        refusals: tuple[str, ...] = (),
        *,
        retention: float = RETENTION_SECONDS,
    ) -> None:
        self.registry = CollectorRegistry()
        self._retention = retention
        self._declare_predictions()
        self._declare_reference()
        self._declare_service()
        self._declare_log()
        self._declare_shadow()
        self._declare_process()
        self._exemplars = Exemplars("plumbline_service_request_seconds", _SECONDS)
        self._routes = {
            route: (self._seconds.labels(route), dict[int, Counter]()) for route in (*routes, OTHER)
        }
        for operation in OPERATIONS:
            self._operations.labels(COMPONENT, operation)
            self._store_errors.labels(COMPONENT, operation)
        for code in refusals:
            self._refused.labels(code)
        for table in TABLES:
            self._spooled.labels(table)
            self._shipped.labels(table)
        for reason in DROP_REASONS:
            self._dropped.labels(reason)
        self._versions: dict[tuple[str, str], VersionMetrics] = {}
        self._shown: set[tuple[str, str, str, str]] = set()
        self._arrived = self._waiting = 0

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
        self._newest_bar = self._gauge(
            "plumbline_service_newest_bar_timestamp_seconds",
            "Open time of the newest bar that was answered.",
            version,
            "max",
        )
        self._newest_prediction = self._gauge(
            "plumbline_service_newest_prediction_timestamp_seconds",
            "When the newest prediction was answered.",
            version,
            "max",
        )
        self._served = self._gauge(
            SERVED, "When a version was last seen serving, in shadow too.", version, "max"
        )
        self._info = self._gauge(
            INFO,
            "1 for each version that is loaded here; role is champion or shadow.",
            [*version, "generation", "role"],
            "livemax",
        )

    def _declare_reference(self) -> None:
        version = ["model", "version"]
        coordinate = [*version, "output", "coordinate"]
        stretches = "in stretches of the reference as long as the rules' window"
        self._interval = self._gauge(
            "plumbline_service_bar_interval_seconds", "From one bar to the next.", version
        )
        self._reference_std = self._gauge(
            "plumbline_service_reference_output_std_ratio",
            "Standard deviation of each coordinate of an output in the reference.",
            coordinate,
        )
        self._reference_share = self._gauge(
            "plumbline_service_reference_action_share_ratio",
            f"Share of each action {stretches}.",
            [*version, "action", "band"],
        )
        self._reference_probability = self._gauge(
            "plumbline_service_reference_probability_ratio",
            f"Mean probability of each choice {stretches}.",
            [*version, "output", "choice", "band"],
        )
        self._reference_spread = self._gauge(
            "plumbline_service_reference_spread_ratio",
            f"Standard deviation of each coordinate {stretches}, over that of all of it.",
            [*coordinate, "band"],
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
        self._requests = self._counter(
            "plumbline_service_requests", "Requests answered, by HTTP status.", ["route", "code"]
        )
        self._in_flight = self._gauge(
            "plumbline_service_requests_in_flight",
            "Predictions and outcomes that have arrived and are not answered yet.",
            [],
            "livesum",
        )
        self._queued = self._gauge(
            "plumbline_service_requests_queued",
            "Of those, the ones that wait for their rows to be durable.",
            [],
            "livesum",
        )
        self._operations = Histogram(
            "plumbline_store_operation_seconds",
            "How long operations on the store took.",
            ["component", "operation"],
            buckets=_STORE_SECONDS,
            registry=self.registry,
        )
        self._store_errors = self._counter(
            "plumbline_store_errors",
            "Operations in which the store failed.",
            ["component", "operation"],
        )

    def _declare_log(self) -> None:
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
        self._pending = self._gauge(
            "plumbline_service_spool_pending_rows",
            "Durable rows that are not in the store yet.",
            [],
            "livesum",
        )
        self._spool_bytes = self._gauge(
            "plumbline_service_spool_bytes", "Disk that the workers' spools use.", [], "livesum"
        )
        self._spool_limit = self._gauge(
            "plumbline_service_spool_limit_bytes", "Disk that they may use.", [], "livesum"
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

    def _declare_process(self) -> None:
        build = build_labels(COMPONENT)
        self._build = self._gauge("plumbline_build_info", "The program that runs.", list(build))
        self._build.labels(**build).set(1)
        self._restarts = self._counter(
            "plumbline_service_worker_restarts", "Workers started in place of one that died.", []
        )
        self._cpu = self._counter(
            "process_cpu_seconds", "Processor time of all processes, dead ones included.", []
        )
        self._memory = self._gauge(
            "process_resident_memory_bytes", "Resident memory of all processes.", [], "livesum"
        )
        self._open_fds = self._gauge(
            "process_open_fds", "Open files of all processes.", [], "livesum"
        )
        self._started = self._gauge(
            "process_start_time_seconds", "When the oldest process started.", [], "livemin"
        )
        self._started.set(psutil.Process().create_time())
        self._collections = self._counter(
            "python_gc_collections", "Garbage collections of all processes.", ["generation"]
        )
        for generation in range(len(gc.get_stats())):
            self._collections.labels(str(generation))

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: list[str], combined: str = "livemax") -> Gauge:
        return Gauge(name, text, labels, registry=self.registry, multiprocess_mode=combined)

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
                spec.name: self._expect_output(names, spec, predictor)
                for spec in predictor.manifest.outputs
            },
            repeated=self._repeated.labels(*names),
            zero_columns=self._zero_columns.labels(*names),
            newest_bar=Newest(self._newest_bar, names),
            newest_prediction=Newest(self._newest_prediction, names),
        )
        self._interval.labels(*names).set(predictor.manifest.bar_interval_seconds)
        for band, shares in zip(BANDS, predictor.bands.actions.tolist(), strict=True):
            for action, share in zip(predictor.manifest.actions, shares, strict=True):
                self._reference_share.labels(*names, action, band).set(share)

    def _expect_output(
        self, names: tuple[str, str], spec: OutputSpec, predictor: Predictor
    ) -> OutputMetrics:
        labels = (*names, spec.name)
        scale = predictor.scales[spec.name]
        coordinates = coordinate_names(spec, len(scale.std))
        self._show_reference(labels, spec, coordinates, predictor)

        def exact(counter: Counter, *more: str) -> ExactCounter:
            return ExactCounter(counter.labels(*labels, *more))

        return OutputMetrics(
            scale=scale,
            members=spec.members,
            epistemic=exact(self._epistemic),
            probability=[exact(self._probability, c) for c in spec.choices],
            positive=[exact(self._positive, c) for c in coordinates],
            negative=[exact(self._negative, c) for c in coordinates],
            square=[exact(self._square, c) for c in coordinates],
            entropy=exact(self._entropy) if spec.choices else None,
            confidence=self._confidence.labels(*labels) if spec.choices else None,
        )

    def _show_reference(
        self,
        labels: tuple[str, str, str],
        spec: OutputSpec,
        coordinates: Sequence[str],
        predictor: Predictor,
    ) -> None:
        """Set what does not change: what the output's reference looks like."""
        for coordinate, std in zip(coordinates, predictor.scales[spec.name].std, strict=True):
            self._reference_std.labels(*labels, coordinate).set(std)
        shown = [(self._reference_spread, coordinates, predictor.bands.spreads[spec.name])]
        if spec.choices:
            chosen = predictor.bands.probabilities[spec.name]
            shown.append((self._reference_probability, spec.choices, chosen))
        for gauge, names, bands in shown:
            for band, values in zip(BANDS, bands.tolist(), strict=True):
                for name, value in zip(names, values, strict=True):
                    gauge.labels(*labels, name, band).set(value)

    def count_predictions(
        self,
        serving: Serving,
        predicted: Predicted,
        inputs: Mapping[str, FloatArray],
        symbols: Sequence[str],
        hashes: Sequence[str],
        *,
        times: Sequence[int | None] = (),
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
        version.count_inputs(watched, symbols, hashes, times)
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

    def show_serving(self, serving: Iterable[tuple[Serving, str]]) -> None:
        """Show what is loaded here, with its role; called now and then.

        A version that is no longer shown keeps its series for as long as the retention says.
        """
        now, shown = time(), set()
        for each, role in serving:
            names = each.predictor.manifest.name, each.predictor.version
            self._served.labels(*names).set(now)
            shown.add((*names, str(each.generation), role))
        for labels in self._shown - shown:
            self._info.labels(*labels).set(0)
        for labels in shown - self._shown:
            self._info.labels(*labels).set(1)
        self._shown = shown

    def begin_request(self) -> None:
        """Note that a prediction or an outcome has arrived; `end_request` must follow."""
        self._arrived += 1

    def end_request(self) -> None:
        """Note that it has left, with an answer or without."""
        self._arrived -= 1

    def begin_wait(self) -> None:
        """Note that a request waits for its rows to be durable; `end_wait` must follow."""
        self._waiting += 1

    def end_wait(self) -> None:
        """Note that it waits no longer."""
        self._waiting -= 1

    def count_request(
        self, route: str, seconds: float, code: int = 200, trace: str | None = None
    ) -> None:
        """Count one answered request by its route template.

        Parameters
        ----------
        route, seconds, code
            Which, how long it took, and its HTTP status.
        trace
            Id of its first prediction, for an exemplar.
        """
        histogram, codes = self._routes[route]
        histogram.observe(seconds)
        counter = codes.get(code)
        if counter is None:
            counter = codes[code] = self._requests.labels(route, str(code))
        counter.inc()
        if trace is not None:
            self._exemplars.note(route, seconds, trace)

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

    def set_spool(self, rows: int, used: int, limit: int) -> None:
        """Say how many rows of this worker wait to be shipped, and the bytes of its spool."""
        self._pending.set(rows)
        self._spool_bytes.set(used)
        self._spool_limit.set(limit)

    def record_operation(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Count one operation on the store."""
        self._operations.labels(COMPONENT, operation).observe(seconds)
        if failed:
            self._store_errors.labels(COMPONENT, operation).inc()

    def count_restarts(self, workers: int) -> None:
        """Count workers that were started in place of others."""
        self._restarts.inc(workers)

    def count_process(self, cpu: float, collections: Sequence[int]) -> None:
        """Count processor time, and garbage collections by generation, since the last call."""
        self._cpu.inc(cpu)
        for generation, done in enumerate(collections):
            self._collections.labels(str(generation)).inc(done)

    def set_process(self, memory: int, open_fds: int) -> None:
        """Say what this process holds: bytes of memory, and files."""
        self._memory.set(memory)
        self._open_fds.set(open_fds)

    def publish(self) -> None:
        """Show what changes with each request and is read now and then: a gauge costs a write."""
        self._in_flight.set(self._arrived)
        self._queued.set(self._waiting)
        for version in list(self._versions.values()):
            version.newest_bar.publish()
            version.newest_prediction.publish()

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics of all processes as the caller takes them, and their content type."""
        self.publish()
        return expose(self.registry, self._exemplars, accept, retention=self._retention)


def coordinate_names(spec: OutputSpec, count: int) -> tuple[str, ...]:
    """Name the coordinates of an output: its choices, or its kind where there is one."""
    if len(spec.choices) == count:
        return spec.choices
    return (spec.kind,) if count == 1 else tuple(f"{spec.kind}_{i}" for i in range(count))
