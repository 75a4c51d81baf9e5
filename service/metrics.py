"""Every metric of the service: one group for each noun, in one registry.

`exposition` makes one text of all processes.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from plumbline.service.exposition import expose
from plumbline.service.log_metrics import LogMetrics
from plumbline.service.model_metrics import ModelMetrics
from plumbline.service.process_metrics import ProcessMetrics
from plumbline.service.request_metrics import RequestMetrics
from plumbline.service.shadow_metrics import ShadowMetrics
from plumbline.service.store_metrics import StoreMetrics

RETENTION_SECONDS = 3600.0


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
        self.models = ModelMetrics(self.registry)
        self.shadow = ShadowMetrics(self.registry)
        self.requests = RequestMetrics(self.registry, routes, refusals)
        self.log = LogMetrics(self.registry)
        self.store = StoreMetrics(self.registry)
        self.process = ProcessMetrics(self.registry)

    def expect_model(self, model: str) -> None:
        """Make the series of a model exist at zero."""
        self.models.expect_model(model)
        self.shadow.expect_model(model)

    def publish(self) -> None:
        """Show what changes with each request and is read now and then."""
        self.requests.publish()
        self.log.publish()
        self.models.publish()

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics of all processes as the caller takes them, and their content type."""
        self.publish()
        return expose(self.registry, self.requests.exemplars, accept, retention=self._retention)
