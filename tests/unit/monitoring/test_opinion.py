"""What comes of a shadow: wait, promote or refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.repair.opinion import WAIT, Terms, opinion_of
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.shadow import ShadowState
from plumbline.store.pointer import Generation
from plumbline.store.registry import AliasTarget

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SOON, LATE = BEGAN + timedelta(seconds=10), BEGAN + timedelta(seconds=900)
TERMS = Terms(rows=200, seconds=900.0)
REFUSING = [v for v in Verdict if not v.facts.sized and not v.facts.of_input]
INPUT = [v for v in Verdict if v.facts.of_input]
SIZED = [v for v in Verdict if v.facts.sized]


def state(
    verdict: Verdict = Verdict.HEALTHY,
    rows: int = 200,
    *,
    alarmed: bool = False,
    subject: str = "output",
    **more,
) -> ShadowState:
    """Return what was seen of a version in shadow."""
    side = Side.MODEL if subject == "output" else Side.CLIENT
    evidence = Evidence("gain", side, 9.0, 8.0, alarmed, onset=5, n=50)
    judgement = Judgement(
        Diagnosis(verdict=verdict, cause="the rows look so", n=rows),
        decided_by=None,
        detected_after=0,
        rows=rows,
        evidence=(evidence,),
    )
    target = AliasTarget(version="v" * 16, actor="monitor", reason="a test", time=BEGAN)
    return ShadowState(Generation(1, target), judgement, **more)


@pytest.mark.parametrize("verdict", SIZED)
def test_enough_rows_without_an_accusation_are_enough(verdict):
    """Well, drifted with the market, or not enough to say more: it may be promoted."""
    found = opinion_of(state(verdict), TERMS, SOON)

    assert found.ready
    assert found.note == f"{verdict} after 200 rows in shadow"


@pytest.mark.parametrize("verdict", REFUSING)
def test_an_accused_version_is_refused_at_once(verdict):
    """However few rows it took: the reason has the verdict and its cause."""
    found = opinion_of(state(verdict, rows=40), TERMS, SOON)

    assert not found.ready
    assert found.refused == f"in shadow it was judged {verdict} after 40 rows: the rows look so"


@pytest.mark.parametrize("verdict", INPUT)
def test_broken_inputs_are_waited_for_until_the_time_is_up(verdict):
    """Nothing can be said of the version meanwhile, and not for ever."""
    assert opinion_of(state(verdict, rows=500), TERMS, SOON) == WAIT

    found = opinion_of(state(verdict, rows=500), TERMS, LATE)

    assert found.refused == f"in shadow its inputs were judged {verdict} when its time was up"


def test_an_alarm_must_find_its_explanation_first():
    """A detector that has alarmed holds a promotion back, whatever the verdict says so far."""
    assert opinion_of(state(alarmed=True), TERMS, SOON) == WAIT
    assert opinion_of(state(alarmed=True), TERMS, LATE).refused.startswith("in shadow gain had")


def test_columns_in_doubt_are_not_held_against_a_version():
    """The champion has the same ones; where the doubt is a fault, the verdict says so."""
    assert opinion_of(state(alarmed=True, subject="input"), TERMS, SOON).ready


def test_a_version_that_cannot_answer_is_refused():
    """One request is enough: its client would have got an error."""
    found = opinion_of(state(rows=199, silent=1), TERMS, SOON)

    assert found.refused == "in shadow it had no finite answer to 1 of 200 requests"


def test_a_bundle_that_cannot_be_opened_is_refused():
    """By what is wrong with it."""
    found = opinion_of(state(rows=0, fault="model.onnx: truncated"), TERMS, SOON)

    assert found.refused == "model.onnx: truncated"


def test_a_shadow_that_nobody_asks_ends_and_says_how_little_it_saw():
    """A quiet hour holds no repair up, unless candidate and champion must be compared."""
    few = state(Verdict.INSUFFICIENT_DATA, rows=3)
    binding = Terms(rows=200, seconds=900.0, binding=True)

    assert opinion_of(few, TERMS, LATE - timedelta(seconds=1)) == WAIT
    assert opinion_of(few, TERMS, LATE).ready
    assert "saw 3 rows in 900 s, fewer than 200" in opinion_of(few, TERMS, LATE).note
    assert "parts from the champion" in opinion_of(few, binding, LATE).refused
    assert opinion_of(state(), binding, LATE).ready


def test_without_a_limit_a_shadow_lasts_as_long_as_it_takes():
    """Nothing waits for a version that a person put there."""
    terms = Terms(rows=200, seconds=None)

    assert opinion_of(state(rows=199), terms, LATE + timedelta(days=400)) == WAIT
    assert opinion_of(state(rows=200), terms, SOON).ready


def test_the_note_says_how_far_it_agrees_with_the_champion():
    """Where both answered the same requests."""
    found = opinion_of(state(pairs=190, agreement=0.805, distance=0.2), TERMS, SOON)

    assert found.note.endswith("it does as the champion does in 80% of 190 requests")
