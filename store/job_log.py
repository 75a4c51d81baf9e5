"""The end of what a job wrote, kept with its incident when the job's machine is gone.

Layout: ``job-logs/<model>/<incident>-<attempt>.txt``, written once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from plumbline.store.errors import ConflictError, NotFoundError
from plumbline.store.objects import Objects
from plumbline.store.redaction import redact

LOG_BYTES = 256_000
"""Of a log's end; what came before is not kept."""

_LINE_LENGTH = 500
_SUFFIX = ".txt"
_KEY = re.compile("[a-z0-9][a-z0-9-]{0,62}")


class JobLogs:
    """The logs of one model's jobs.

    Parameters
    ----------
    objects, model
        Where, and of what.
    """

    def __init__(self, objects: Objects, model: str) -> None:
        self._objects = objects
        self._folder = f"job-logs/{model}"

    def keep(self, key: str, text: str) -> None:
        """Keep the end of a job's log without secrets; nothing if it is empty or kept already."""
        if not text:
            return
        try:
            self._objects.create(self._key(key), end_of(redact(text, os.environ)).encode())
        except ConflictError:
            return

    def read(self, key: str) -> str:
        """Return the end of a job's log.

        Raises
        ------
        NotFoundError
            If there is none; names that no job can have are not even looked for.
        """
        if _KEY.fullmatch(key) is None:
            raise NotFoundError(f"{key!r} is not the name of a job")
        return self._objects.read(self._key(key)).decode(errors="replace")

    def keys(self) -> list[str]:
        """Return the keys of all jobs of which there is a log."""
        names = (key.rsplit("/", 1)[-1] for key in self._objects.keys(self._folder))
        return [name.removesuffix(_SUFFIX) for name in names]

    def of(self, incident: str) -> dict[int, str]:
        """Return the logs of an incident's jobs, by attempt."""
        mine = (key for key in self.keys() if incident_of(key) == incident)
        return {int(key.rpartition("-")[2]): self.read(key) for key in mine}

    def forget(self, incidents: Collection[str]) -> None:
        """Remove the logs of all incidents but these."""
        for key in self.keys():
            if incident_of(key) not in incidents:
                self._objects.delete(self._key(key))

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}{_SUFFIX}"


def incident_of(key: str) -> str:
    """Return the incident that a job's key names."""
    return key.rpartition("-")[0]


def end_of(text: str) -> str:
    """Return the end of a log, whole lines where it was cut."""
    data = text.encode()
    if len(data) <= LOG_BYTES:
        return text
    return data[-LOG_BYTES:].decode(errors="replace").partition("\n")[2]


def last_words(said: str) -> str:
    """Return what a sentence on a job's end says of its log: the last line; empty without one."""
    lines = said.strip().splitlines()
    return f"; it said last: {lines[-1][-_LINE_LENGTH:]}" if lines else ""
