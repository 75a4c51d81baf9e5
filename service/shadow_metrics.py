"""What challengers were asked, unseen by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from plumbline.service.metric_group import MetricGroup
from plumbline.service.model_metrics import SWAP_RESULTS

if TYPE_CHECKING:
    from plumbline.service.model_slot import Serving

SHADOW_DROPS = ("busy", "log_behind", "log_failed", "other_inputs")


class ShadowMetrics(MetricGroup):
    """The metrics of the shadow."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
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

    def expect_model(self, model: str) -> None:
        """Make the series of a model exist at zero."""
        for result in SWAP_RESULTS:
            self._shadow_swaps.labels(model, result)
        for reason in SHADOW_DROPS:
            self._shadow_dropped.labels(model, reason)

    def expect_version(self, serving: Serving) -> None:
        """Make the one series of a challenger exist at zero."""
        predictor = serving.predictor
        self._shadowed.labels(predictor.manifest.name, predictor.version)

    def count_rows(self, model: str, version: str, rows: int) -> None:
        """Count what a challenger said."""
        self._shadowed.labels(model, version).inc(rows)

    def count_dropped(self, model: str, reason: str, rows: int) -> None:
        """Count what it was not asked, or what was not kept."""
        self._shadow_dropped.labels(model, reason).inc(rows)

    def count_swap(self, model: str, result: str) -> None:
        """Count one load of a challenger, ``accepted`` or ``refused``."""
        self._shadow_swaps.labels(model, result).inc()
