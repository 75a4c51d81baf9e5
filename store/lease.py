"""Leases: one holder at a time, and a holder that died is succeeded.

A lease is a pointer whose generations say who holds it until when. Taking, keeping and giving back
are each "create the next generation", so of two takers one wins. Times are those of each holder's
clock: keep the clocks of a fleet together, and the time to live well above their difference.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pydantic import Field

from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer

_KEPT = 100
"""Generations kept as history; a lease that is renewed for months must not grow for ever."""


class Tenure(Record):
    """Who holds a lease, since when and until when."""

    owner: str
    since: datetime
    until: datetime
    released: bool = Field(False, description="Given back before its end.")

    def holds(self, now: datetime) -> bool:
        """Whether the holder may still be at work."""
        return not self.released and now < self.until


class Lease:
    """The right to do something alone.

    Parameters
    ----------
    objects, name
        The store, and what is leased, for instance ``controller/eurusd-1h``.
    owner
        Who asks, for people: host, process, command. Two with one name still exclude each other.
    ttl_seconds
        How long a holder that no longer renews is waited for.
    clock
        The present time, with a time zone.
    """

    def __init__(
        self,
        objects: Objects,
        name: str,
        owner: str,
        ttl_seconds: float,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pointer = Pointer(objects, f"leases/{name}", Tenure)
        self._name = name
        self._owner = owner
        self._ttl = timedelta(seconds=ttl_seconds)
        self._clock = clock
        self._held: Generation[Tenure] | None = None

    def acquire(self) -> Tenure:
        """Take the lease if it is free, given back, or past its end.

        Raises
        ------
        ConflictError
            If somebody holds it; says who, since when and until when at the latest.
        """
        now = self._clock()
        head = self._pointer.newest()
        if head is not None and head.value.holds(now):
            raise self._taken(head.value)
        tenure = Tenure(owner=self._owner, since=now, until=now + self._ttl)
        return self._advance(tenure, after=head.number if head else 0)

    def renew(self) -> Tenure:
        """Hold it for another time to live.

        Raises
        ------
        ConflictError
            If it was not held, or ended and somebody else has taken it: stop what it protects.
        """
        held = self._require()
        tenure = held.value.model_copy(update={"until": self._clock() + self._ttl})
        return self._advance(tenure, after=held.number)

    def release(self) -> None:
        """Give it back; does nothing if it is not held or was lost."""
        if self._held is None:
            return
        held, self._held = self._held, None
        try:
            self._pointer.advance(
                held.value.model_copy(update={"released": True}), after=held.number
            )
        except ConflictError:
            return

    def _advance(self, tenure: Tenure, *, after: int) -> Tenure:
        self._held = None
        try:
            made = self._pointer.advance(tenure, after=after)
        except ConflictError as error:
            head = self._pointer.newest()
            raise self._taken(head.value if head else tenure) from error
        head = self._pointer.newest()
        if head is not None and head.number != made.number:
            raise self._taken(head.value)  # we were so slow that our number had been cleared away
        self._held = made
        self._pointer.forget(before=made.number - _KEPT)
        return tenure

    def _require(self) -> Generation[Tenure]:
        if self._held is None:
            raise ConflictError(f"{self._name} is not held by {self._owner}: acquire it first")
        return self._held

    def _taken(self, by: Tenure) -> ConflictError:
        return ConflictError(
            f"{self._name} is held by {by.owner} since {by.since.isoformat(timespec='seconds')}; "
            f"wait for its end at {by.until.isoformat(timespec='seconds')}, or stop the holder"
        )
