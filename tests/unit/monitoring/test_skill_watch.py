"""Outcomes and their predictions: early, late, repeated, corrected, impossible, too many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.finding import Remedy, Verdict
from plumbline.bundle.moment import SECOND
from plumbline.monitoring.watching.skill.ledger import Ledger
from plumbline.monitoring.watching.skill.watch import SkillWatch
from tests.support import streams
from tests.support.bundles import ACTIONS
from tests.support.outcomes import drawn, outcomes, tempered

DAY = 86_400 * SECOND


@pytest.fixture
def watch() -> SkillWatch:
    """A watch over the small market's model, before anything has happened."""
    return SkillWatch(streams.bundle(3_000))


def logged(rows: int, *, seed: int = 1, first: int = 0):
    """Return rows of the log, answered when their bar opened, and what became of them."""
    stream = streams.healthy(rows, seed)
    places = drawn(stream.probabilities, seed)
    batch = stream.batch(streams.bundle(3_000).version, first=first)
    return replace(batch, time=batch.bar_time), np.array(ACTIONS)[places]


def late(rows, seconds: float):
    """Return when outcomes of rows arrive: six hours after each, or so much later."""
    return rows.time + 6 * streams.HOUR + int(seconds * SECOND)


def end(rows, seconds: float = 60.0) -> int:
    """Return a time at which all of them have long arrived."""
    return int(rows.time[-1] + 6 * streams.HOUR + seconds * SECOND)


def test_an_outcome_may_come_before_its_prediction(watch):
    """Whichever is read first waits for the other."""
    rows, labels = logged(20)
    told = outcomes(rows, labels, received=late(rows, 0))
    watch.outcomes(told.take(slice(0, 5)))
    assert watch.report.counts["joined"] == 0
    watch.feed(rows)
    watch.outcomes(told.take(slice(5, None)))
    watch.settle(end(rows))
    report = watch.report

    assert report.counts["joined"] == 20
    assert (report.outputs[0].rows, report.outputs[0].waiting) == (20, 0)


def test_a_correction_changes_the_figures_and_no_bet(watch):
    """The last known wins, whatever came last; a prediction is bet on once."""
    rows, _ = logged(60)
    watch.feed(rows)
    told = outcomes(rows, np.full(60, "BUY"), received=late(rows, 0))
    watch.outcomes(told)
    watch.settle(end(rows))
    before = watch.report
    corrected = replace(
        told, known_at=told.known_at + 120 * SECOND, received=told.received + 120 * SECOND
    )
    watch.outcomes(replace(corrected, label=np.full(60, "SELL")))
    watch.outcomes(replace(told, received=told.received + DAY, label=np.full(60, "HOLD")))
    watch.settle(end(rows, 2 * 86_400))
    after = watch.report

    assert after.counts["corrected"] == after.counts["repeated"] == 60
    assert after.outputs[0].rows == 60
    assert after.outputs[0].evidence == before.outputs[0].evidence
    share = {figure.name: figure.value for figure in after.outputs[0].figures}["share_SELL"]
    assert share == pytest.approx(1.0 - rows.centre[:, 0].mean(), abs=1e-4)


def test_impossible_outcomes_are_counted_and_left_out(watch):
    """Known before the horizon is over, weeks too late, of no choice, of no output, of nobody."""
    rows, labels = logged(6)
    watch.feed(rows)
    early = outcomes(rows, labels, received=late(rows, 1), known_at=late(rows, -7_200))
    watch.outcomes(early.take(slice(0, 1)))
    watch.outcomes(outcomes(rows, labels, received=rows.time + 8 * DAY).take(slice(1, 2)))
    watch.outcomes(outcomes(rows, [""] * 6, received=late(rows, 1)).take(slice(2, 3)))
    watch.outcomes(outcomes(rows, labels, received=late(rows, 1), output="h9").take(slice(3, 4)))
    watch.outcomes(replace(outcomes(rows, labels).take(slice(0, 0)), from_future=4))
    counts = watch.report.counts

    assert counts["too_early"] == counts["too_late"] == counts["undecided"] == 1
    assert (counts["unmatched"], counts["from_future"], counts["joined"]) == (1, 4, 0)
    assert watch.report.outputs == ()


def test_a_return_without_its_label_is_placed_by_the_training_s_threshold(watch):
    """A client that knows what came of the price need not know the bands."""
    rows, _ = logged(3)
    watch.feed(rows)
    told = replace(
        outcomes(rows, [""] * 3, received=late(rows, 1)), value=np.array([-0.01, 0.0001, 0.01])
    )
    watch.outcomes(told)
    watch.settle(end(rows))

    assert watch.report.counts["joined"] == 3
    assert watch._ledger.truth[:3, 0].tolist() == [0, 1, 2]


def test_rows_that_come_when_a_later_moment_has_gone_are_figures_alone(watch):
    """Bets go on in order; who is late is counted, and shown."""
    rows, labels = logged(30)
    watch.feed(rows)
    told = outcomes(rows, labels, received=late(rows, 0))
    watch.outcomes(told.take(slice(10, None)))
    watch.settle(end(rows))
    watch.outcomes(replace(told, received=late(rows, 90 + 30 * 3_600)).take(slice(0, 10)))
    watch.settle(end(rows, 200))
    report = watch.report

    assert (report.counts["joined"], report.counts["out_of_order"]) == (20, 10)
    assert report.outputs[0].rows == 20
    assert report.outputs[0].waiting == 0


def test_nothing_depends_on_how_outcomes_are_cut():
    """One by one or all at once, in the order in which they arrived."""
    rows, labels = logged(400)
    told = outcomes(rows, labels, received=late(rows, 0))
    found = []
    for size in (1, 37, 400):
        watch = SkillWatch(streams.bundle(3_000))
        watch.feed(rows)
        for start in range(0, 400, size):
            watch.outcomes(told.take(slice(start, start + size)))
        watch.settle(end(rows, 86_400))
        found.append(watch.report)

    assert found[0] == found[1] == found[2]


def test_what_is_kept_is_bounded():
    """The oldest predictions make room; their outcomes find nobody and are forgotten."""
    watch = SkillWatch(streams.bundle(3_000), capacity=50)
    rows, labels = logged(300)
    for start in range(0, 300, 30):
        watch.feed(rows.take(slice(start, start + 30)))
    told = outcomes(rows, labels, received=late(rows, 0))
    watch.outcomes(told)
    watch.settle(end(rows))

    assert len(watch._ledger) == 50
    assert watch.report.counts["joined"] == 50
    assert watch.report.outputs[0].rows == 50


def test_a_cross_section_is_one_moment_of_the_ledger():
    """Its rows may have been answered microseconds apart, or without a bar."""
    bundle = streams.bundle(3_000)
    manifest = bundle.manifest.model_copy(update={"unit": "cross_section"})
    rows, _ = logged(4)
    ledger = Ledger(manifest, bundle.outputs)
    times = np.array([1, 2, 3, 4]) * streams.HOUR + 5
    none = np.full(4, -1)
    ledger.add(replace(rows, group=np.array(list("aabb")), bar_time=none, time=times))

    assert (ledger.moment[:4] // streams.HOUR).tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize(
    ("temperature", "turned", "verdict", "remedy"),
    [
        (1.0, True, Verdict.ANTI_SIGNAL, Remedy.CALL),
        (0.4, False, Verdict.MISCALIBRATED, Remedy.RECALIBRATE),
        (1.0, None, Verdict.NO_SIGNAL, Remedy.CALL),
    ],
)
def test_what_is_the_matter_is_said_with_figures(watch, temperature, turned, verdict, remedy):
    """A verdict holds back sizes, says why, and carries every figure as a finding."""
    rows, _ = logged(4_000)
    p = rows.centre.astype(np.float64)
    places = drawn(p, 1)
    if turned:
        places = 2 - places
    shown = p[np.random.default_rng(0).permutation(4_000)] if turned is None else p
    watch.feed(replace(rows, centre=tempered(shown, temperature).astype(np.float32)))
    watch.outcomes(outcomes(rows, np.array(ACTIONS)[places], received=late(rows, 0)))
    watch.settle(end(rows))
    diagnosis = watch.judgement()

    assert (diagnosis.verdict, diagnosis.remedy) == (verdict, remedy)
    assert not diagnosis.sized
    assert "moments with an outcome" in diagnosis.cause
    evidence = [each for each in diagnosis.findings if each.name == "evidence_nats"]
    assert any(each.value >= each.threshold for each in evidence)
    assert {f"skill_{name}" for name in ("gain_constant", "direction", "sharpness")} <= {
        finding.name for finding in diagnosis.findings
    }
    assert watch.report.verdict == verdict
