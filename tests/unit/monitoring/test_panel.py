"""All detectors together, over rows of many symbols cut anyhow."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

import numpy as np
import pytest

from plumbline.diagnosis.roster import MAX_SYMBOLS
from plumbline.diagnosis.sample import Sample
from plumbline.monitoring.watching.detectors.panel import Measured, Panel
from tests.support.streams import Stream, context, healthy, profile

SYMBOLS = 20


@pytest.fixture(scope="module")
def learnt() -> Panel:
    """Detectors of the short reference."""
    baseline = context().baseline
    assert baseline is not None
    return Panel(baseline, context())


def several(rows: int, *, dead: frozenset[int] = frozenset(), since: int = 0) -> Sample:
    """Return rows of several symbols in turn; some answer the same from their ``since``-th on."""
    parts = []
    for number in range(SYMBOLS):
        own = healthy(rows, 50 + number)
        if number in dead:
            stuck = own.rows(since, rows)
            own = own.rows(0, since) + stuck.saying(np.repeat(stuck.logits[:1], len(stuck), axis=0))
        parts.append(own)
    turn = np.arange(SYMBOLS * rows).reshape(SYMBOLS, rows).T.ravel()
    whole = Stream(
        np.concatenate([each.features for each in parts])[turn],
        np.concatenate([each.logits for each in parts])[turn],
    )
    names = np.tile([f"S{number:02d}" for number in range(SYMBOLS)], rows)
    return replace(whole.sample(), symbol=names)


def walk(panel: Panel, measured: Measured, cuts: list[int]) -> list[tuple[int, str | None]]:
    """Take rows in pieces and return where it stopped for an alarm, and for which."""
    at, found = 0, []
    for stop in [*cuts, len(measured)]:
        while at < stop:
            at = panel.advance(measured, at, stop, outputs=True)
            if panel.alarm is not None:
                found.append((at, panel.alarm))
    return found


def test_how_rows_are_cut_changes_nothing(learnt: Panel) -> None:
    """Alarms at the same rows, and the same evidence at the end."""
    sample = several(60, dead=frozenset({3, 7}), since=20)
    frozen = np.asarray(sample.features).copy()
    frozen[40 * SYMBOLS + 5 :: SYMBOLS] = frozen[40 * SYMBOLS + 5]
    sample = replace(sample, features=frozen)
    ends = []
    for cuts in ([], list(range(0, 1_200)), [7, 333, 334, 900], list(range(0, 1_200, 50))):
        panel = learnt.copy()
        found = walk(panel, panel.measure(sample), cuts)
        ends.append((found, panel.evidence({})))

    assert {"input", "output"} <= {alarm for _, alarm in ends[0][0]}
    for found, evidence in ends[1:]:
        assert found == ends[0][0]
        for one, other in zip(evidence, ends[0][1], strict=True):
            assert isclose(one.log_e, other.log_e, abs_tol=1e-6)
            assert replace(one, log_e=0.0) == replace(other, log_e=0.0)


def test_one_of_many_is_accused_by_its_own_rows(learnt: Panel) -> None:
    """It is named, and its rows since are counted, not those of the others."""
    panel = learnt.copy()
    measured = panel.measure(several(60, dead=frozenset({3}), since=20))
    stopped = panel.advance(measured, 0, len(measured), outputs=True)
    accused = {each.symbols for each in panel.evidence({}) if each.alarmed}

    assert panel.alarm == "output"
    assert measured.inputs.symbol[stopped - 1] == "S03"
    assert accused == {("S03",)}
    assert panel.since_onset == pytest.approx(stopped // SYMBOLS - 20, abs=3)


def test_rows_that_are_not_held_against_the_model_are_not_shown(learnt: Panel) -> None:
    """The input is looked at all the same."""
    panel = learnt.copy()
    measured = panel.measure(several(60, dead=frozenset(range(SYMBOLS))))
    end = panel.advance(measured, 0, len(measured), outputs=False)
    seen = {each.subject: each.n for each in panel.evidence({})}

    assert end == len(measured)
    assert panel.alarm is None
    assert seen == {"input": len(measured), "output": 0}


def test_a_symbol_can_be_forgotten(learnt: Panel) -> None:
    """Its alarm goes with it, and its past: the next row of it is a first one."""
    panel = learnt.copy()
    sample = several(60, dead=frozenset({3}), since=20)
    panel.advance(panel.measure(sample), 0, len(sample), outputs=True)
    panel.forget("S03")

    assert panel.since_onset == 0
    assert not any(each.alarmed or each.symbols for each in panel.evidence({}))
    assert panel.measure(sample).inputs.first.nonzero()[0].tolist() == [3]


def test_made_up_symbols_do_not_fill_the_memory(learnt: Panel) -> None:
    """The longest silent are forgotten; what is kept is bounded."""
    panel = learnt.copy()
    sample = healthy(3 * MAX_SYMBOLS, 3).sample()
    names = np.array([f"made up {i}" for i in range(len(sample))])
    measured = panel.measure(replace(sample, symbol=names))
    at = 0
    while at < len(measured):
        at = panel.advance(measured, at, len(measured), outputs=True)

    assert measured.inputs.place.max() < MAX_SYMBOLS
    assert measured.inputs.first.all()
    assert len(panel._output_team.process._n) == MAX_SYMBOLS


def unlike(rows: int, first: int) -> list[Stream]:
    """Return streams of symbols of which one says ten times as much as another."""
    found = []
    for number in range(8):
        own = healthy(rows, first + number)
        centre = own.logits.mean(axis=0)
        found.append(own.saying(centre + 0.2 * 1.4**number * (own.logits - centre)))
    return found


def test_a_quiet_symbol_alone_is_no_reason_to_complain() -> None:
    """Nor a loud one, nor all in turn: what a symbol is like, its own recent past tells."""
    parts = unlike(1_625, 300)
    whole = Stream(
        np.concatenate([each.features for each in parts]),
        np.concatenate([each.logits for each in parts]),
    )
    names = np.repeat([f"S{number}" for number in range(len(parts))], 1_625)
    time = np.tile(profile(parts[0]).bar_time, len(parts))
    known = replace(context(), reference=replace(profile(whole), symbol=names, bar_time=time))
    assert known.baseline is not None
    learnt = Panel(known.baseline, known)
    live = unlike(3_000, 400)
    turn = np.arange(8 * 3_000).reshape(8, 3_000).T.ravel()
    together = Stream(
        np.concatenate([each.features for each in live])[turn],
        np.concatenate([each.logits for each in live])[turn],
    )
    shown = [
        replace(live[0].sample(), symbol=np.full(3_000, "S0")),
        replace(live[-1].sample(), symbol=np.full(3_000, "S7")),
        replace(together.sample(), symbol=np.tile([f"S{i}" for i in range(8)], 3_000)),
    ]
    for sample in shown:
        panel = learnt.copy()
        found = walk(panel, panel.measure(sample), [])

        assert [each for each in found if each[1] == "output"] == []
