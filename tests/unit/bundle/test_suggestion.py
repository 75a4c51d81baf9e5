"""What was probably meant: near names, keys inside keys, variables with a prefix."""

from __future__ import annotations

import doctest

import pytest
from pydantic import BaseModel, Field

from plumbline.bundle import suggestion as module
from plumbline.bundle.suggestion import nearest, suggestion, unknown_key, unknown_variable


class Wheel(BaseModel):
    """Inside another."""

    width: int = 1


class Car(BaseModel):
    """With a record inside, and a free dictionary."""

    wheel: Wheel = Wheel()
    seats: int = 4
    notes: dict[str, int] = Field(default_factory=dict)
    spare: tuple[Wheel, ...] = ()
    origin: str = Field("", alias="from")


def test_the_examples_are_true():
    """What the docstrings show is what comes out."""
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("word", ["btc1h", "BTC-1H", "btc_1h", "bct-1h"])
def test_slips_of_the_hand_are_near(word):
    """A lost, turned or capital letter, another dash."""
    assert nearest(word, ["eurusd-1h", "btc-1h"]) == "btc-1h"


def test_nothing_near_lists_what_there_is_up_to_a_dozen():
    """The rest is counted; an empty list is said, too."""
    assert nearest("zzz", ["alpha"]) is None
    assert suggestion("zzz", []) == "there are none"
    assert suggestion("zzz", [f"model{n}" for n in range(15)]).endswith("model11, 3 more")
    assert suggestion("zzz", [f"model{n}" for n in range(13)]).endswith("model11, model12")


def test_a_key_is_found_at_any_depth_and_free_dictionaries_are_free():
    """The whole path is named; a dictionary's keys are its user's business."""
    assert unknown_key({"seats": 2, "notes": {"anything": 1}}, Car) is None
    assert unknown_key({"seat": 2}, Car) == "seat is no key: did you mean seats?"
    assert (
        unknown_key({"wheel": {"with": 1}}, Car)
        == "wheel.with is no key: did you mean wheel.width?"
    )


def test_a_key_is_found_in_a_list_of_records_and_under_the_name_it_is_written_by():
    """The place in the list is named; of an alias, the alias."""
    assert unknown_key({"from": "x", "spare": [{"width": 1}]}, Car) is None
    assert (
        unknown_key({"spare": [{"width": 1}, {"wdith": 2}]}, Car)
        == "spare[1].wdith is no key: did you mean spare[1].width?"
    )
    assert unknown_key({"form": "x"}, Car) == "form is no key: did you mean from?"


def test_a_variable_is_judged_by_its_prefix_alone():
    """In any case of letters; others are none of our business."""
    known = ["port", "host"]

    assert unknown_variable(["P_PORT", "p_host", "PATH"], "P_", known, of="it") is None
    assert (
        unknown_variable(["P_PROT"], "P_", known, of="the car")
        == "P_PROT is no setting of the car: did you mean P_PORT?"
    )
