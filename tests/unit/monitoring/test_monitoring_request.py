"""Requests: at-least-once, in any order, bounded, and kept for any monitor to read."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from plumbline.monitoring.repair import request as module
from plumbline.monitoring.repair.request import Request, RequestBox, RequestKind
from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)


@pytest.fixture
def objects() -> Objects:
    """A store of its own."""
    return Objects(f"memory://{uuid.uuid4()}")


@pytest.fixture
def box(objects) -> RequestBox:
    """The box of one monitor."""
    return RequestBox(objects, "m", patience=PATIENCE)


def wish(number: int = 1, *, age: timedelta = timedelta(0)) -> Request:
    """Return a request."""
    return Request(
        id=f"{number:016x}",
        kind=RequestKind.WEBHOOK,
        actor="Alert",
        reason="why",
        received=NOW - age,
    )


def test_the_second_delivery_changes_nothing(box):
    """One request, however often it comes."""
    assert box.put(wish())
    assert not box.put(wish(age=timedelta(minutes=1)))
    assert box.pending(NOW) == (wish(),)


def test_a_request_is_seen_by_every_monitor(box, objects):
    """The one that leads need not be the one that was asked."""
    box.put(wish())

    assert RequestBox(objects, "m", patience=PATIENCE).pending(NOW) == (wish(),)


def test_a_request_of_another_model_is_not_seen(box, objects):
    """Each model has its own box."""
    box.put(wish())

    assert RequestBox(objects, "n", patience=PATIENCE).pending(NOW) == ()


@pytest.mark.parametrize("order", ["asked first", "resolved first"])
def test_resolved_requests_wait_no_longer(box, order):
    """Whichever arrives first."""
    if order == "asked first":
        box.put(wish())
        box.resolve(wish().id)
    else:
        box.resolve(wish().id)
        box.put(wish())

    assert box.pending(NOW) == ()
    assert not box.resolve(wish().id)


def test_patience_ends_and_old_requests_are_removed(box, objects):
    """First they count no more, then they are gone."""
    box.put(wish(1, age=PATIENCE))
    box.put(wish(2, age=PATIENCE + timedelta(seconds=1)))
    box.put(wish(3, age=2 * PATIENCE + timedelta(seconds=1)))

    assert box.pending(NOW) == (wish(1, age=PATIENCE),)
    assert len(objects.keys("requests/m")) == 2


def test_the_box_is_bounded(box, monkeypatch):
    """A flood of different requests is turned away, a repetition never."""
    monkeypatch.setattr(module, "MAX_PENDING", 3)
    for number in range(3):
        box.put(wish(number))
    box.pending(NOW)

    with pytest.raises(StoreError, match="try again later"):
        box.put(wish(9))
    assert not box.put(wish(1))
