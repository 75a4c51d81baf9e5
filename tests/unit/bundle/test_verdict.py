"""The facts of the verdicts do not contradict each other."""

from __future__ import annotations

import pickle

import pytest

from plumbline.bundle.finding import Diagnosis
from plumbline.bundle.verdict import Remedy, Side, Verdict

BLAMELESS = {Side.NONE, Side.MARKET}


@pytest.mark.parametrize("verdict", Verdict)
def test_sizes_go_on_where_nobody_is_to_blame(verdict):
    """And nowhere else; and only what is sized may be called well."""
    facts = verdict.facts

    assert facts.sized == (facts.side in BLAMELESS)
    assert facts.sized or not facts.well


@pytest.mark.parametrize("verdict", Verdict)
def test_a_remedy_fits_the_side(verdict):
    """A retrain would learn a fault of the input; a person mends that, not a model."""
    facts = verdict.facts

    assert not facts.of_input or facts.remedy is Remedy.CALL
    assert facts.of_model == (facts.remedy in {Remedy.RETRAIN, Remedy.RECALIBRATE})


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_explained_in_sentences(verdict):
    """One says what it means, one what a person should do."""
    for text in (verdict.facts.meaning, verdict.facts.doing):
        assert text[0].isupper()
        assert text.endswith(".")


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_found_by_its_name(verdict):
    """In JSON and in a pickle it is its name alone."""
    diagnosis = Diagnosis(verdict=verdict, cause="why", n=1)

    assert Verdict(verdict.value) is verdict
    assert pickle.loads(pickle.dumps(verdict)) is verdict
    assert Diagnosis.from_json(diagnosis.to_json()) == diagnosis


@pytest.mark.parametrize("verdict", Verdict)
def test_a_diagnosis_asks_for_the_remedy_of_its_verdict(verdict):
    """Nobody has to say it twice."""
    diagnosis = Diagnosis(verdict=verdict, cause="why", n=1)

    assert diagnosis.remedy is verdict.facts.remedy
    assert diagnosis.sized == verdict.facts.sized


def test_sound_is_judged_and_sized():
    """Waiting for rows is no praise."""
    sound = {each for each in Verdict if Diagnosis(verdict=each, cause="why", n=1).sound}

    assert sound == {Verdict.HEALTHY, Verdict.REGIME, Verdict.DRIFT}
