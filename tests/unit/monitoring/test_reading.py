"""What the page says of a verdict in the market's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.page.reading import doing, moved, read
from plumbline.monitoring.page.status import Measurement, WatchState
from plumbline.monitoring.watching.chart import Band, Point, Shift

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def watch(
    hold: float, *, verdict: Verdict = Verdict.HEALTHY, rows: int = 400, away: float = 2.1
) -> WatchState:
    """Return a watch whose newest answers are HOLD so often, against 92 % in the reference."""
    rest = (1 - hold) / 2
    point = Point(row=rows, time=NOW, shares=(rest, hold, rest), spread=0.2, evidence={})
    return WatchState(
        version="0123456789abcdef",
        generation=1,
        promoted=NOW,
        promoted_by="ada",
        reason="a test",
        parent=None,
        actions=("SELL", "HOLD", "BUY"),
        reference_shares=(0.04, 0.92, 0.04),
        reference_spread=0.1,
        reference_rows=5_000,
        share_bands=(
            Band(low=0.0, high=0.1),
            Band(low=0.85, high=0.98),
            Band(low=0.0, high=0.1),
        ),
        spread_band=Band(low=0.08, high=0.12),
        guaranteed=True,
        rows=rows,
        diagnosis=Diagnosis(verdict=verdict, cause="a cause", n=rows),
        since=NOW,
        evidence=(),
        measured=Measurement(rows=rows),
        shifts=(Shift(column="volatility_24", deviations=away),),
        points=(point,),
    )


def test_healthy_beside_answers_of_another_kind_explains_itself():
    """HOLD 2 % against 92 %: never that nothing needs to be done."""
    seen = watch(0.02)
    said = " ".join(read(seen))

    assert "2% are HOLD, against 92% in the reference" in said
    assert "its stretches of 200 had 85% to 98%: it has seen nothing like it" in said
    assert "volatility_24 is 2.1 standard deviations above its mean" in said
    assert "Nothing needs to be done" not in doing(seen)
    assert "still follow the inputs" in doing(seen)


def test_healthy_among_the_reference_s_stretches_needs_nothing():
    """The answers are shared out as they were, and so it says."""
    seen = watch(0.9, away=0.3)
    said = " ".join(read(seen))

    assert "shared out as in the reference" in said
    assert "HOLD 90% (92%)" in said
    assert "The market is where it was" in said
    assert doing(seen) == "Nothing needs to be done."


@pytest.mark.parametrize("verdict", [each for each in Verdict if not each.facts.well])
def test_other_verdicts_keep_their_own_advice(verdict):
    """What to do about a fault does not depend on the shares."""
    assert doing(watch(0.02, verdict=verdict)) == verdict.facts.doing


def test_a_fault_of_the_input_is_not_called_the_market():
    """Nobody knows where the market is while the columns are wrong."""
    said = " ".join(read(watch(0.02, verdict=Verdict.SCHEMA_SKEW)))

    assert "What clients send has moved" in said
    assert "market" not in said


def test_a_model_without_actions_is_read_by_its_spread():
    """A forecast that varies twice as far as ever explains itself, too."""
    bare = {"actions": (), "reference_shares": (), "share_bands": ()}
    seen = watch(0.9).model_copy(update=bare)
    said = " ".join(read(seen))

    assert moved(seen)
    assert "The answers vary more than they did: the spread is 200%" in said
    assert "HOLD" not in said


def test_few_rows_say_little():
    """Of fewer than 200 no stretch of the reference can be held against them."""
    assert not moved(watch(0.02, rows=120))
    assert read(watch(0.02).model_copy(update={"points": ()})) == ()
