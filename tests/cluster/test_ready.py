"""From an empty namespace to a system that answers and is watched, by one command."""

from __future__ import annotations


def test_one_command_is_enough(dev):
    """Within five minutes it trains its first model, answers, and the monitor reads the answers."""
    answer = dev.ask()

    assert answer is not None
    assert answer["predictions"][0]["action"] in {"SELL", "HOLD", "BUY"}
    assert dev.watched_rows() > 0


def test_the_first_model_came_through_its_gate(dev):
    """The champion was promoted by the bootstrap, once."""
    (model,) = dev.models()

    assert model["generation"] == 1


def test_the_same_again_changes_nothing(dev):
    """A second apply leaves every object as it is."""
    lines = dev.apply().splitlines()

    assert lines
    assert [line for line in lines if not line.endswith(" unchanged")] == []
