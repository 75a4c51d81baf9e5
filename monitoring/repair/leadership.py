"""Of several monitors one acts: the one that holds the lease."""

from __future__ import annotations

import os
import socket
import time
import uuid

from plumbline.store.errors import ConflictError
from plumbline.store.lease import Lease
from plumbline.store.objects import Objects


def owner_name() -> str:
    """Return a name for this monitor that no other has."""
    return f"process {os.getpid()} on {socket.gethostname()} ({uuid.uuid4().hex[:8]})"


class Leadership:
    """A lease that is taken when it is free and renewed while it is held."""

    def __init__(self, objects: Objects, model: str, *, seconds: float) -> None:
        self._lease = Lease(objects, f"controller-{model}", owner=owner_name(), ttl_seconds=seconds)
        self._pause = seconds / 3
        self._held = False
        self._checked = float("-inf")

    def held(self) -> bool:
        """Return whether this monitor may act, renewing or seeking the lease when it is time."""
        now = time.monotonic()
        if self._held and now - self._checked < self._pause:
            return True
        try:
            if self._held:
                self._lease.renew()
            else:
                self._lease.acquire()
        except ConflictError:
            self._held = False
            return False
        self._held, self._checked = True, now
        return True

    def release(self) -> None:
        """Let another monitor act at once."""
        if self._held:
            self._held = False
            self._lease.release()
