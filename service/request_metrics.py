"""What came in: requests answered and refused, how long they took, and what waits."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from plumbline.service.exposition import Exemplars
from plumbline.service.http import OTHER
from plumbline.service.metric_group import MetricGroup

_SECONDS = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)


class RequestMetrics(MetricGroup):
    """The metrics of the HTTP interface.

    Parameters
    ----------
    routes
        Route templates; a path that is none of them is counted as ``other``.
    refusals
        Error codes.
    """

    def __init__(
        self, registry: CollectorRegistry, routes: tuple[str, ...], refusals: tuple[str, ...]
    ) -> None:
        super().__init__(registry)
        self._refused = self._counter(
            "plumbline_service_refused", "Requests refused, by code.", ["reason"]
        )
        self._seconds = self._histogram(
            "plumbline_service_request_seconds",
            "Time from the head of a request to its answer.",
            ["route"],
            _SECONDS,
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
        self._connections = self._gauge(
            "plumbline_service_connections_waiting",
            "Connections that no worker has taken yet; all workers share one queue.",
            [],
            "livemax",
        )
        self._connection_limit = self._gauge(
            "plumbline_service_connections_waiting_limit",
            "How many may wait; further ones are not answered by the system.",
            [],
            "livemax",
        )
        self.exemplars = Exemplars("plumbline_service_request_seconds", _SECONDS)
        self._routes = {
            route: (self._seconds.labels(route), dict[int, Counter]()) for route in (*routes, OTHER)
        }
        for code in refusals:
            self._refused.labels(code)
        self._arrived = 0

    def begin_request(self) -> None:
        """Note that a prediction or an outcome has arrived; `end_request` must follow."""
        self._arrived += 1

    def end_request(self) -> None:
        """Note that it has left, with an answer or without."""
        self._arrived -= 1

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
            self.exemplars.note(route, seconds, trace)

    def count_refusal(self, code: str) -> None:
        """Count one refused request by its error code."""
        self._refused.labels(code).inc()

    def set_connections(self, waiting: int, limit: int) -> None:
        """Say how many connections wait for a worker, and how many may."""
        self._connections.set(waiting)
        self._connection_limit.set(limit)

    def publish(self) -> None:
        """Show how many are under way; a gauge costs a write."""
        self._in_flight.set(self._arrived)
