"""Metrics of one noun, declared in the registry of the whole."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class MetricGroup:
    """Declares metrics, and is told what they say.

    Counters and histograms add up over workers and replicas; each gauge says how the processes of
    one replica are combined. Labels are model, version, action and the names in the code, never
    anything a caller chose.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, labels: list[str], combined: str = "livemax") -> Gauge:
        return Gauge(name, text, labels, registry=self._registry, multiprocess_mode=combined)

    def _histogram(
        self, name: str, text: str, labels: list[str], bounds: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, text, labels, buckets=bounds, registry=self._registry)
