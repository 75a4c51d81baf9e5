"""The guard opens an episode when the input breaks, and ends it when it is sound again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.monitoring.watching.detectors.panel import Measured, Panel
from plumbline.monitoring.watching.episode import CLEAN_ROWS, RECENT_ROWS, InputGuard, InputStep
from tests.support.streams import Stream, context, healthy


@dataclass
class Judge:
    """Says what it is told to, and remembers about which rows it was asked."""

    verdict: Verdict = Verdict.FROZEN_FEED
    asked: list[Sequence[int]] = field(default_factory=list)

    def __call__(self, rows: Sequence[int]) -> Diagnosis:
        """Judge these rows."""
        self.asked.append(rows)
        return Diagnosis(verdict=self.verdict, cause="told so", n=len(rows))


@pytest.fixture(scope="module")
def learnt() -> Panel:
    """Detectors of the short reference."""
    baseline = context().baseline
    assert baseline is not None
    return Panel(baseline, context())


def frozen(stream: Stream, rows: int) -> Stream:
    """Return the last row of a stream, again and again."""
    return stream.shown(np.repeat(stream.features[-1:], rows, axis=0))


def run(guard: InputGuard, measured: Measured | None, rows: range) -> list[InputStep]:
    """Show rows to a guard."""
    return [guard.step(measured, i, i) for i in rows]


def test_sound_rows_pass(learnt: Panel) -> None:
    """Nobody is asked about them."""
    panel, judge = learnt.copy(), Judge()
    guard = InputGuard(panel, context().features, judge)
    said = run(guard, panel.measure(healthy(200, 7).sample()), range(200))

    assert all(step.sound for step in said)
    assert judge.asked == []
    assert not guard.open


def test_an_alarm_opens_an_episode_once(learnt: Panel) -> None:
    """From the onset to the alarm the rows are judged; none of them reaches the model."""
    panel, judge = learnt.copy(), Judge()
    guard = InputGuard(panel, context().features, judge)
    stream = healthy(100, 7)
    said = run(guard, panel.measure((stream + frozen(stream, 60)).sample()), range(160))
    opened = [row for row, step in enumerate(said) if step.opened is not None]

    assert len(opened) == 1
    assert 100 < opened[0] < 110
    assert list(judge.asked[0])[-1] == opened[0]
    assert len(judge.asked[0]) == said[opened[0]].since
    assert not any(step.sound for step in said[100:])


def test_clean_rows_in_a_row_end_it(learnt: Panel) -> None:
    """The rows before it are not in doubt; what the detectors had gathered is forgotten."""
    panel, judge = learnt.copy(), Judge()
    guard = InputGuard(panel, context().features, judge)
    stream = healthy(100, 7)
    rows = stream + frozen(stream, 30) + healthy(60, 9)
    said = run(guard, panel.measure(rows.sample()), range(190))
    ended = [row for row, step in enumerate(said) if step.ended]

    assert len(ended) == 1
    assert 130 + CLEAN_ROWS - 1 <= ended[0] <= 130 + CLEAN_ROWS + 5
    assert not said[ended[0]].forget
    assert all(step.sound for step in said[ended[0] + 1 :])
    assert not any(each.alarmed for each in guard.evidence())


def test_an_episode_by_relation_ends_when_rows_relate_again() -> None:
    """Until then it is asked about again after each stretch of clean rows."""
    judge = Judge(Verdict.SCHEMA_SKEW)
    guard = InputGuard(None, (), judge)
    guard.begin(Verdict.SCHEMA_SKEW)
    during = run(guard, None, range(3 * CLEAN_ROWS))
    judge.verdict = Verdict.HEALTHY
    after = [guard.step(None, 0, 3 * CLEAN_ROWS + i) for i in range(CLEAN_ROWS)]

    assert not any(step.ended or step.sound for step in during)
    assert [len(rows) for rows in judge.asked[:3]] == [20, 40, 60]
    assert [step.ended for step in after] == [False] * (CLEAN_ROWS - 1) + [True]
    assert after[-1].forget
    assert not guard.open


def test_an_alarm_within_an_episode_by_relation_does_not_hold_it_open(learnt: Panel) -> None:
    """The detectors forget after a stretch of clean rows, so that only the rows are asked."""
    panel = learnt.copy()
    guard = InputGuard(panel, context().features, lambda rows: _alarmed(guard, len(rows)))
    guard.begin(Verdict.FROZEN_FEED)
    stream = healthy(10, 7)
    rows = stream + frozen(stream, 30) + healthy(3 * RECENT_ROWS, 9)
    said = run(guard, panel.measure(rows.sample()), range(len(rows)))

    assert sum(step.ended for step in said) == 1


def _alarmed(guard: InputGuard, n: int) -> Diagnosis:
    """Judge by the alarms alone."""
    alarmed = any(each.alarmed for each in guard.evidence())
    verdict = Verdict.FROZEN_FEED if alarmed else Verdict.HEALTHY
    return Diagnosis(verdict=verdict, cause="by the alarms", n=n)
