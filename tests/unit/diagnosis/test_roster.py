"""Places for symbols."""

from __future__ import annotations

from plumbline.diagnosis.roster import Roster


def test_a_symbol_keeps_its_place() -> None:
    """In one batch and in the next."""
    roster = Roster()
    place, tenant = roster.seat(["a", "b", "a"])
    again, same = roster.seat(["b"])

    assert place.tolist() == [0, 1, 0]
    assert tenant.tolist() == [0, 1, 0]
    assert (again.item(), same.item()) == (1, 1)


def test_the_longest_silent_gives_way_to_a_new_one() -> None:
    """And comes back as somebody else, so that nobody's past is taken for its own."""
    roster = Roster(size=2)
    roster.seat(["a", "b", "a"])
    place, tenant = roster.seat(["c", "b"])

    assert place.tolist() == [1, 0]
    assert tenant.tolist() == [2, 3]


def test_a_place_that_was_left_is_taken_again() -> None:
    """By the next symbol, as another tenant."""
    roster = Roster()
    roster.seat(["a", "b"])

    assert roster.forget("a") == 0
    assert roster.forget("a") is None
    assert [each.item() for each in roster.seat(["c"])] == [0, 2]
    assert roster.find("c") == 0
