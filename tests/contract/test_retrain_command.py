"""The monitor's command lines are ones that `plumbline` understands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import typer

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.cli.main import app
from plumbline.monitoring.repair.command import (
    LADDER,
    Outcome,
    calibrate_arguments,
    rung,
    train_arguments,
)
from plumbline.monitoring.repair.situation import Situation
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget
from plumbline.training.losses import LOSSES
from plumbline.training.run import TrainingResult

UNTIL = datetime(2017, 9, 1, 12, tzinfo=UTC)
LIVE = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
TARGET = AliasTarget(version="0123456789abcdef", actor="a", reason="r", time=UNTIL)
DIAGNOSIS = Diagnosis(verdict=Verdict.FLAT, cause="why", n=1)
SITUATION = Situation(
    model="m", champion=Generation(1, TARGET), judgement=Judgement(DIAGNOSIS, "row-1", 1, 1)
)


@pytest.fixture
def settings() -> MonitoringSettings:
    """Settings with a store."""
    return MonitoringSettings.load(store="file:///tmp/store", model="m")


def parse(arguments: tuple[str, ...]) -> dict[str, object]:
    """Parse a command line with the real command, without running it."""
    group = typer.main.get_command(app)
    name, *options = arguments
    command = group.commands[name]  # type: ignore[attr-defined]
    return command.make_context(name, options).params


@pytest.mark.parametrize("attempt", range(1, len(LADDER) + 2))
def test_every_attempt_is_a_training_that_plumbline_understands(settings, attempt):
    """Names and values of all options, on every rung and past the last."""
    situation = replace(SITUATION, until=UNTIL, live=LIVE)
    found = parse(train_arguments(settings, situation, attempt=attempt, warm=True))

    assert (found["like"], found["config"], found["data"]) == (TARGET.version, None, None)
    assert found["parent"] == TARGET.version
    assert (found["until"], found["live_since"], found["live_until"]) == (UNTIL, *LIVE)
    assert found["as_json"] is True
    assert found["promote"] is False
    assert found["loss"] is None or found["loss"] in LOSSES


def test_what_is_not_known_is_not_passed(settings):
    """No bar times, no live rows, a fresh start."""
    found = parse(train_arguments(settings, SITUATION, attempt=1, warm=False))

    assert (found["until"], found["live_since"], found["parent"]) == (None, None, None)


def test_another_configuration_is_passed_beside_the_version_to_follow(settings):
    """So that training can hold it against that version's bars."""
    other = settings.model_copy(update={"train_config": "a.toml"})
    found = parse(train_arguments(other, SITUATION, attempt=1, warm=False))

    assert (found["like"], found["config"]) == (TARGET.version, "a.toml")


def test_a_refit_is_one_that_plumbline_understands(settings):
    """Of the version that the incident is about."""
    situation = replace(SITUATION, until=UNTIL, live=LIVE)
    found = parse(calibrate_arguments(settings, situation, version="fedcba9876543210"))

    assert found["version"] == "fedcba9876543210"
    assert (found["until"], found["live_since"]) == (UNTIL, LIVE[0])


def test_the_first_rung_changes_nothing_and_the_others_do():
    """From what the version that serves was trained with."""
    assert rung(1).options == ()
    assert [len(each.options) for each in LADDER[1:]] == [2] * (len(LADDER) - 1)  # one change each
    assert rung(len(LADDER) + 5) == LADDER[-1]


def test_what_a_training_prints_is_understood():
    """The monitor reads the record that training writes."""
    result = TrainingResult(
        version="0123456789abcdef",
        passed=False,
        verdict=Verdict.FLAT,
        reasons=("flat",),
        metrics={"log_loss": 0.8},
        rows={"read": 10},
        parent=None,
        promoted=False,
        seconds=1.0,
    )
    outcome = Outcome.read(result.model_dump(mode="json"))

    assert outcome == Outcome(
        version="0123456789abcdef", passed=False, verdict="flat", reasons=("flat",)
    )


@pytest.mark.parametrize("document", [None, {}, {"version": 3}, {"version": "x"}])
def test_anything_else_is_not(document):
    """Nothing is guessed."""
    assert Outcome.read(document) is None


def test_an_unknown_option_would_be_noticed():
    """The parser of these tests is the real one."""
    with pytest.raises(Exception, match="No such option: --nonsense"):
        parse(("train", "--nonsense", "1"))
