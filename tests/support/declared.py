"""What the packages and the rule file declare: metrics, rules and alerts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "k8s" / "rules" / "plumbline.rules.yaml"
OPERATOR_RULES = ROOT / "k8s" / "components" / "prometheus-operator" / "rules.yaml"

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@dataclass(frozen=True)
class DeclaredMetric:
    """A metric as the code declares it.

    Attributes
    ----------
    name
        As in the documentation: with ``_total`` for a counter, without ``_bucket`` for a histogram.
    series
        The names under which Prometheus sees it.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    series: tuple[str, ...]


def declared_metrics() -> dict[str, DeclaredMetric]:
    """Return every metric of service and monitoring, by name."""
    from plumbline.monitoring.metrics import Metrics as MonitoringMetrics
    from plumbline.service.metrics import Metrics as ServiceMetrics

    registries = (ServiceMetrics((), ()).registry, MonitoringMetrics().registry)
    found = [metric for registry in registries for metric in _of(registry)]
    return {metric.name: metric for metric in found}


def _of(registry: Any) -> Iterator[DeclaredMetric]:
    for collector in dict.fromkeys(registry._names_to_collectors.values()):
        for family in collector.describe():
            series = tuple(family.name + suffix for suffix in _SUFFIXES[family.type])
            name = series[0] if family.type == "counter" else family.name
            yield DeclaredMetric(name, family.type, tuple(collector._labelnames), series)


@cache
def rules() -> list[dict[str, Any]]:
    """Return the rules of all groups, in order."""
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}
