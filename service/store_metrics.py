"""Operations on the store, as the service does them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from plumbline.service.metric_group import MetricGroup
from plumbline.store.observed import OPERATIONS

COMPONENT = "service"

_STORE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0)


class StoreMetrics(MetricGroup):
    """How long operations on the store took, and which failed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._operations = self._histogram(
            "plumbline_store_operation_seconds",
            "How long operations on the store took.",
            ["component", "operation"],
            _STORE_SECONDS,
        )
        self._store_errors = self._counter(
            "plumbline_store_errors",
            "Operations in which the store failed.",
            ["component", "operation"],
        )
        for operation in OPERATIONS:
            self._operations.labels(COMPONENT, operation)
            self._store_errors.labels(COMPONENT, operation)

    def record_operation(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Count one operation on the store."""
        self._operations.labels(COMPONENT, operation).observe(seconds)
        if failed:
            self._store_errors.labels(COMPONENT, operation).inc()
