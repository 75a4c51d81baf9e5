"""The rows of the prediction log, from an answer to the store."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from plumbline.service.metric_group import MetricGroup

DROP_REASONS = ("queue_full", "spool_full", "spool_failed")
TABLES = ("predictions", "outcomes", "shadows")


class LogMetrics(MetricGroup):
    """The metrics of spools and shipping."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._spooled = self._counter(
            "plumbline_service_spooled_rows", "Rows made durable.", ["table"]
        )
        self._shipped = self._counter(
            "plumbline_service_shipped_rows", "Rows sealed into the store.", ["table"]
        )
        self._dropped = self._counter(
            "plumbline_service_dropped_rows", "Rows lost (best effort).", ["reason"]
        )
        self._queued = self._gauge(
            "plumbline_service_requests_queued",
            "Requests in flight that wait for their rows to be durable.",
            [],
            "livesum",
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
        for table in TABLES:
            self._spooled.labels(table)
            self._shipped.labels(table)
        for reason in DROP_REASONS:
            self._dropped.labels(reason)
        self._waiting = 0

    def begin_wait(self) -> None:
        """Note that a request waits for its rows to be durable; `end_wait` must follow."""
        self._waiting += 1

    def end_wait(self) -> None:
        """Note that it waits no longer."""
        self._waiting -= 1

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

    def publish(self) -> None:
        """Show how many requests wait; a gauge costs a write."""
        self._queued.set(self._waiting)
