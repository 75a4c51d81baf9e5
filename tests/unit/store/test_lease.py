"""Leases: one holder, a successor in time, and no holder by mistake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from plumbline.store.errors import ConflictError
from plumbline.store.lease import Lease
from plumbline.store.objects import Objects

_names = count()


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = datetime(2017, 7, 14, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    """Noon."""
    return Clock()


@pytest.fixture
def take(clock):
    """Make leases on one name in one store."""
    objects = Objects(f"memory://lease-{next(_names)}")
    return lambda owner: Lease(objects, "controller", owner, 10, clock=clock)


def test_the_holder_is_named_with_since_and_until_when(take, clock):
    """Who comes second knows whom to ask, and how long to wait."""
    take("anna").acquire()
    clock.pass_by(5)

    with pytest.raises(
        ConflictError, match=r"held by anna since 2017-07-14T12:00:00.*at 2017-07-14T12:00:10"
    ):
        take("bert").acquire()


def test_a_holder_that_died_is_succeeded_after_its_time(take, clock):
    """Not a moment before, and then its return is refused."""
    anna, bert = take("anna"), take("bert")
    anna.acquire()
    clock.pass_by(9.9)
    with pytest.raises(ConflictError, match="held by anna"):
        bert.acquire()
    clock.pass_by(0.1)
    bert.acquire()

    with pytest.raises(ConflictError, match="held by bert"):
        anna.renew()
    with pytest.raises(ConflictError, match="not held by anna"):
        anna.renew()


def test_renewing_keeps_it_and_the_time_it_was_taken(take, clock):
    """A living holder is not succeeded, however long it works."""
    anna, bert = take("anna"), take("bert")
    anna.acquire()
    for _ in range(150):
        clock.pass_by(8)
        anna.renew()

    with pytest.raises(ConflictError, match=r"held by anna since 2017-07-14T12:00:00"):
        bert.acquire()


def test_a_late_renewal_stands_if_nobody_came(take, clock):
    """An end that nobody used is no loss."""
    anna = take("anna")
    anna.acquire()
    clock.pass_by(60)
    anna.renew()

    with pytest.raises(ConflictError, match="held by anna"):
        take("bert").acquire()


def test_what_is_given_back_is_free_at_once(take):
    """Giving back twice, or what was lost, does nothing."""
    anna, bert = take("anna"), take("bert")
    anna.acquire()
    anna.release()
    anna.release()
    bert.acquire()
    anna.release()

    with pytest.raises(ConflictError, match="held by bert"):
        take("carl").acquire()


def test_a_namesake_is_somebody_else(take):
    """Two processes that call themselves the same still exclude each other."""
    take("anna").acquire()

    with pytest.raises(ConflictError, match="held by anna"):
        take("anna").acquire()


def test_the_history_is_bounded(clock):
    """A lease renewed for months does not fill the store."""
    objects = Objects(f"memory://lease-{next(_names)}")
    lease = Lease(objects, "controller", "anna", 10, clock=clock)
    lease.acquire()
    for _ in range(250):
        lease.renew()

    assert len(objects.keys("leases")) <= 101
