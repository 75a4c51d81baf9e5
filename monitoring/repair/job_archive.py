"""What is kept of jobs when their machine is gone: the end of each log, as long as its incident."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from plumbline.store.claim import claimed_keys, forget_claim
from plumbline.store.errors import StoreError
from plumbline.store.incident import Incident
from plumbline.store.job_log import JobLogs, incident_of
from plumbline.store.objects import Objects

KEPT_INCIDENTS = 200
"""The newest incidents, of which logs are kept."""

log = structlog.get_logger()


class JobArchive:
    """The traces of one model's jobs in the store.

    Parameters
    ----------
    objects, model
        Where, and of what.
    """

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._model = model
        self._logs = JobLogs(objects, model)

    def keep(self, key: str, text: str) -> None:
        """Keep the end of a log."""
        self._logs.keep(key, text)

    def tidy(self, incidents: Sequence[Incident]) -> None:
        """Forget what belongs to no incident that is kept; what the store refuses waits.

        Parameters
        ----------
        incidents
            All there are, newest first. Claims are kept of those that have not ended.
        """
        kept = {incident.id for incident in incidents[:KEPT_INCIDENTS]}
        going_on = {incident.id for incident in incidents if not incident.ended}
        try:
            self._logs.forget(kept)
            for key in claimed_keys(self._objects, self._model):
                if incident_of(key) not in going_on:
                    forget_claim(self._objects, self._model, key)
        except StoreError as error:
            log.warning("jobs_not_tidied", reason=str(error))
