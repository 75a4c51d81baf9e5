"""What arithmetic decides on the stream of a trained model: whose fault it is, and whose not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.bundle.finding import Verdict
from plumbline.drills.fault import shifted_graph, with_graph
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.prediction import PredictionBatch
from tests.support.asked import Model, asked
from tests.support.markets import HOUR
from tests.support.streams import interleaved, joined

ONSET = 150
ROWS = 300
EXACT = 25
"""Rows to the verdict, in the median; no single one may take three times as many."""

Answers = Callable[[np.ndarray, np.random.Generator], np.ndarray]

WRONG_ANSWERS: dict[str, Answers] = {
    "classes exchanged": lambda raw, _: raw[:, ::-1],
    "of other rows": lambda raw, rng: raw[rng.permutation(len(raw))],
    "shrunk to a third": lambda raw, _: raw / 3,
    "twice the temperature": lambda raw, _: raw * 2,
    "constant in two rows of five": lambda raw, rng: np.where(
        rng.random((len(raw), 1)) < 0.4, np.array([[-2.0, 0.0, 2.0]]), raw
    ),
}

Windows = Callable[[np.ndarray], np.ndarray]


def blank(windows: np.ndarray) -> np.ndarray:
    """Return windows of which only the last step is there."""
    found = np.zeros_like(windows)
    found[:, -1] = windows[:, -1]
    return found


WRONG_WINDOWS: dict[str, Windows] = {
    "blank history": blank,
    "newest first": lambda windows: windows[:, ::-1],
    "half as much again": lambda windows: windows * 1.5,
}


def stream(model: Model, rows: slice = slice(0, ROWS), **how: object) -> PredictionBatch:
    """Return the log of a sound client."""
    return model.log(model.windows[rows], model.time[rows], **how)  # type: ignore[arg-type]


def judged(model: Model, batch: PredictionBatch, size: int = 20) -> tuple[list[Judgement], Watcher]:
    """Watch a log in slices; return what was said, and the watcher."""
    watcher = Watcher(model.bundle)
    found = [
        each
        for start in range(0, len(batch), size)
        for each in watcher.feed(batch.take(slice(start, start + size)))
    ]
    return found, watcher


def accused(found: list[Judgement]) -> list[Judgement]:
    """Return what was said under which no size is given."""
    return [each for each in found if not each.verdict.facts.sized]


def test_a_sound_stream_is_cleared_and_accused_of_nothing() -> None:
    """And the judgement says how many answers were computed again."""
    found, watcher = judged(asked(), stream(asked()))
    counted = [
        each for each in watcher.judgement.diagnosis.findings if each.name == "replayed_answers"
    ]

    assert accused(found) == []
    assert watcher.judgement.verdict is Verdict.HEALTHY
    assert counted[0].value == 0
    assert counted[0].n >= 10
    assert "gives the answers of its reference" in counted[0].message


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_answers_that_are_not_the_versions_are_the_artefacts_fault(name: str) -> None:
    """Whatever they look like, and soon."""
    model = asked()
    batch = stream(model)
    raw = batch.raw.copy()
    raw[ONSET:] = WRONG_ANSWERS[name](raw[ONSET:], np.random.default_rng(0))
    found, _ = judged(model, stream(model, raw=raw))

    assert [each.verdict for each in accused(found)][:1] == [Verdict.ARTEFACT_FAULT]
    assert ONSET < accused(found)[0].rows <= ONSET + 3 * EXACT


@pytest.mark.parametrize("name", WRONG_WINDOWS)
def test_windows_that_are_not_the_streams_are_the_clients_fault(name: str) -> None:
    """The model replays right, and is not accused."""
    model = asked()
    windows = model.windows[:ROWS].copy()
    windows[ONSET:] = WRONG_WINDOWS[name](windows[ONSET:])
    found, _ = judged(model, model.log(windows, model.time[:ROWS]))

    assert {each.verdict for each in accused(found)} == {Verdict.SCHEMA_SKEW}
    assert ONSET < accused(found)[0].rows <= ONSET + 3 * EXACT


@pytest.mark.parametrize("symbol", ["A", "M"])
def test_columns_filled_with_zeros_for_a_few_rows_leave_nothing_behind(symbol: str) -> None:
    """Whichever windows are logged whole, and so accuse the client too: sound rows end it."""
    model = asked()
    windows = model.windows[:ROWS].copy()
    windows[ONSET : ONSET + 5, :, -3:] = 0.0
    found, watcher = judged(model, model.log(windows, model.time[:ROWS], symbol=symbol))

    assert {each.verdict for each in accused(found)} == {Verdict.SCHEMA_SKEW}
    assert watcher.judgement.verdict.facts.well


def test_one_symbol_of_four_is_named() -> None:
    """The others are sound, and stay out of it."""
    model, names = asked(), ("A", "B", "C", "D")
    sound = [stream(model, symbol=name) for name in names]
    raw = sound[3].raw.copy()
    raw[ONSET:] = raw[ONSET:, ::-1]
    parts = [*sound[:3], stream(model, symbol="D", raw=raw)]
    order = np.arange(4 * ROWS).reshape(4, ROWS).T.ravel()
    found, _ = judged(model, joined(*parts).take(order), 40)

    assert [each.verdict for each in accused(found)] == [Verdict.ARTEFACT_FAULT]
    assert "D" in accused(found)[0].diagnosis.cause


def biased(model: Model) -> Bundle:
    """Return a bundle whose own graph leans to one class; its reference is the sound one's."""
    outputs = model.bundle.outputs
    calibration = outputs.calibrations[outputs.primary]
    assert isinstance(calibration, ChoiceCalibration)
    nats = np.array([0.0, 0.0, 0.8]) * calibration.temperature
    graph = shifted_graph(model.bundle, nats)
    return Bundle(*with_graph(model.bundle, graph, drill="a test"))


def test_a_version_that_is_not_what_was_validated_is_named_by_its_own_reference() -> None:
    """Its answers are its own, so nobody has tampered with them; and no rows are waited for."""
    model = asked().broken(biased(asked()))
    found, _ = judged(model, stream(model))

    assert accused(found)[0].verdict is Verdict.BIAS_SHIFT
    assert accused(found)[0].rows <= 60


def test_late_repeated_and_missing_rows_change_nothing() -> None:
    """One row in ten is dropped, one in ten asked twice, one in five comes three rows late."""
    model, rng = asked(), np.random.default_rng(3)
    batch = stream(model)
    kept = np.flatnonzero(rng.random(ROWS) > 0.1)
    late = np.argsort(np.arange(len(kept)) + 3.5 * (rng.random(len(kept)) < 0.2), kind="stable")
    rows = np.repeat(kept[late], 1 + (rng.random(len(kept)) < 0.1))
    messy = batch.take(rows)
    messy = replace(messy, time=batch.time.min() + np.arange(len(rows)) * 1_000)
    found, watcher = judged(model, messy)

    assert accused(found) == []
    assert watcher.judgement.verdict is Verdict.HEALTHY


def test_two_workers_one_seven_rows_behind_are_sound() -> None:
    """Each is asked about every other bar; what comes late says nothing of the model."""
    model = asked()
    batch = stream(model)
    even, odd = batch.take(np.arange(0, ROWS, 2)), batch.take(np.arange(1, ROWS, 2))
    behind = odd.take(np.arange(len(odd) - 4))
    ahead = even.take(np.arange(4, len(even)))
    found, _ = judged(model, interleaved(ahead, behind))

    assert accused(found) == []


def test_somebody_may_accept_what_a_client_sends() -> None:
    """A client's upgrade is told once; an acceptance ends it, and sizes go on."""
    model = asked()
    windows = model.windows[:ROWS].copy()
    windows[ONSET:] *= 1.02
    watcher = Watcher(model.bundle)
    found = watcher.feed(model.log(windows, model.time[:ROWS]))
    before = watcher.judgement.verdict
    watcher.accept_inputs()

    assert [each.verdict for each in accused(found)] == [Verdict.SCHEMA_SKEW]
    assert before is Verdict.SCHEMA_SKEW
    assert watcher.judgement.verdict.facts.sized


def test_times_that_were_made_up_are_nobodys_fault() -> None:
    """A replay counts hours from 1970, answers at once and keeps no sizes: the model is sound."""
    model = asked()
    hours = HOUR * np.arange(ROWS, dtype=np.int64)
    batch = model.log(model.windows[:ROWS], hours)
    nothing = np.zeros(ROWS)
    batch = replace(batch, time=np.arange(ROWS), position=nothing, size=nothing)
    found, watcher = judged(model, batch)

    assert accused(found) == []
    assert watcher.judgement.verdict is Verdict.HEALTHY


def test_what_is_accepted_of_one_symbol_leaves_another_accused() -> None:
    """Two of four are sent otherwise than before; each must be accepted."""
    model, names = asked(), ("default", "H", "X", "Y")
    windows = model.windows[:ROWS].copy()
    windows[ONSET:] *= 1.5
    sent = dict(zip(names, (windows, windows, *2 * (model.windows[:ROWS],)), strict=True))
    parts = [model.log(each, model.time[:ROWS], symbol=name) for name, each in sent.items()]
    order = np.arange(4 * ROWS).reshape(4, ROWS).T.ravel()
    watcher = judged(model, joined(*parts).take(order), 40)[1]
    found = [watcher.judgement]
    for accepted in (("", "default"), ("", "H")):
        watcher.accept_inputs(accepted.__eq__)
        found.append(watcher.judgement)

    assert [each.verdict.facts.of_input for each in found] == [True, True, False]
    assert " of H" in found[1].diagnosis.cause
