"""What was answered, by model and version, and which versions are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter

from plumbline.bundle.array import FloatArray
from plumbline.bundle.spec import OutputSpec
from plumbline.service.exposition import INFO, SERVED
from plumbline.service.metric_group import MetricGroup
from plumbline.service.reference_metrics import ReferenceMetrics
from plumbline.service.version_metrics import ExactCounter, Newest, OutputMetrics, VersionMetrics

if TYPE_CHECKING:
    from plumbline.service.model_slot import Serving
    from plumbline.service.predictor import Predicted, Predictor

SWAP_RESULTS = ("accepted", "refused")

_CONFIDENCE = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


class ModelMetrics(MetricGroup):
    """The metrics of the models that answer; `version_metrics` adds a batch of answers to them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._reference = ReferenceMetrics(registry)
        self._declare_answers()
        self._declare_outputs()
        self._declare_inputs()
        self._declare_loaded()
        self._versions: dict[tuple[str, str], VersionMetrics] = {}
        self._shown: set[tuple[str, str, str, str]] = set()

    def _declare_answers(self) -> None:
        version = ["model", "version"]
        self._predictions = self._counter(
            "plumbline_service_predictions", "Predictions answered.", version
        )
        self._decisions = self._counter(
            "plumbline_service_decisions",
            "Actions taken, of policies that have actions.",
            [*version, "action"],
        )
        self._swaps = self._counter(
            "plumbline_service_swaps", "Model swaps, counted by each worker.", ["model", "result"]
        )
        self._withheld = self._counter(
            "plumbline_service_sizes_withheld",
            "Sizes answered as zero because of the verdict.",
            ["model"],
        )

    def _declare_outputs(self) -> None:
        output = ["model", "version", "output"]
        coordinate = [*output, "coordinate"]
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
        self._confidence = self._histogram(
            "plumbline_service_confidence_ratio",
            "Largest calibrated probability of each answer.",
            output,
            _CONFIDENCE,
        )

    def _declare_inputs(self) -> None:
        version = ["model", "version"]
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

    def _declare_loaded(self) -> None:
        version = ["model", "version"]
        self._served = self._gauge(
            SERVED, "When a version was last seen serving, in shadow too.", version, "max"
        )
        self._info = self._gauge(
            INFO,
            "1 for each version that is loaded here; role is champion or shadow.",
            [*version, "generation", "role"],
            "livemax",
        )

    def expect_model(self, model: str) -> None:
        """Make the series of a model exist at zero."""
        for result in SWAP_RESULTS:
            self._swaps.labels(model, result)
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
        self._reference.show(predictor)

    def _expect_output(
        self, names: tuple[str, str], spec: OutputSpec, predictor: Predictor
    ) -> OutputMetrics:
        labels = (*names, spec.name)
        scale = predictor.scales[spec.name]
        coordinates = coordinate_names(spec, len(scale.std))
        self._reference.show_output(labels, spec, coordinates, predictor)

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

    def publish(self) -> None:
        """Show what changes with each request and is read now and then: a gauge costs a write."""
        for version in list(self._versions.values()):
            version.newest_bar.publish()
            version.newest_prediction.publish()


def coordinate_names(spec: OutputSpec, count: int) -> tuple[str, ...]:
    """Name the coordinates of an output: its choices, or its kind where there is one."""
    if len(spec.choices) == count:
        return spec.choices
    return (spec.kind,) if count == 1 else tuple(f"{spec.kind}_{i}" for i in range(count))
