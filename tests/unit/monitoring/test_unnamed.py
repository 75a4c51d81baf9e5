"""What is said of an output alarm that no rule names."""

from __future__ import annotations

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.bundle.verdict import Side
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.exact.facts import Exact
from plumbline.monitoring.watching.audit.probe import Probed
from plumbline.monitoring.watching.unnamed import unnamed

LAST = Diagnosis(verdict=Verdict.HEALTHY, cause="Nothing.", n=120)
ALARM = Evidence(
    detector="gain",
    accuses=Side.MODEL,
    log_e=40.0,
    threshold=15.0,
    alarmed=True,
    onset=120,
    n=500,
    output="h6",
)
CLEARED = Exact(answers=True, history=True, intact=True)


def said(exact: Exact, *, begun: bool = True, probed: dict[str, Probed] | None = None) -> Diagnosis:
    """Return what is said of one alarm of the gain."""
    return unnamed(LAST, (ALARM,), exact, probed, since=120, begun=begun)


def test_where_arithmetic_clears_everybody_it_is_the_market() -> None:
    """The model says what it always said; so its inputs are elsewhere, and sizes go on."""
    found = said(CLEARED)

    assert found.verdict is Verdict.DRIFT
    assert found.sized
    assert "gain 40 nats" in found.cause


@pytest.mark.parametrize(
    "exact",
    [
        Exact(),
        Exact(answers=True, history=True, intact=None),
        Exact(answers=None, history=True, intact=True),
        Exact(answers=True, history=False, intact=True),
        Exact(answers=True, history=True, intact=False),
    ],
)
def test_otherwise_nothing_explains_it_and_no_size_is_given(exact: Exact) -> None:
    """One thing that is not known, or not right, is enough; and it is never called healthy."""
    found = said(exact)

    assert found.verdict is Verdict.UNEXPLAINED
    assert not found.sized
    assert any(each.name == "evidence_nats" for each in found.findings)


def test_a_client_wrong_from_its_first_row_is_not_taken_for_the_market() -> None:
    """It contradicts itself nowhere: what replays right may still be wrong."""
    assert said(CLEARED, begun=False).verdict is Verdict.UNEXPLAINED


def test_it_tells_how_the_model_responds_here() -> None:
    """Measured around the newest windows, against golden ones."""
    probed = {"h6": Probed(last_step=0.02, shift=0.05, live=0.1, reference=2.0)}

    assert "moves 0.05 times as far" in said(CLEARED, probed=probed).cause
