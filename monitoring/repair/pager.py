"""Calling a person: an error in the log and a counter; `notification` tells people themselves."""

from __future__ import annotations

import structlog

from plumbline.monitoring.metrics import Metrics
from plumbline.store.incident import Incident

log = structlog.get_logger()


class Pager:
    """Calls a person about an incident; the caller sees to it that it does so once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def call(self, incident: Incident) -> None:
        """Count the call and log it as an error with the last line of the timeline."""
        reason = incident.called_for
        self._metrics.calls.labels(incident.model, reason).inc()
        detail = incident.events[-1].detail
        log.error("person_paged", incident=incident.id, reason=reason, detail=detail)
