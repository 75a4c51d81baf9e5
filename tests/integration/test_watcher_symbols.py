"""One symbol of many at fault: it is named, and what is said stands as long as it lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.finding import Verdict
from plumbline.monitoring.watching.audit.notice import Notice
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.prediction import PredictionBatch
from tests.support.faults import OUTPUT_FAULTS
from tests.support.streams import HOUR, START, Stream, bundle, healthy, joined

ONSET = 60
SICK = 3


def together(streams: list[Stream]) -> PredictionBatch:
    """Return the log of symbols asked about in turn, bar by bar."""
    version, bars = bundle().version, len(streams[0])
    rows = [each.batch(version, symbol=f"S{i}") for i, each in enumerate(streams)]
    order = np.arange(len(streams) * bars).reshape(len(streams), bars).T.ravel()
    number = np.arange(len(order))
    batch = joined(*rows).take(order)
    return replace(batch, prediction_id=number.astype(str), time=START + number * 1_000)


def with_one(change: Callable[[Stream], Stream], *, symbols: int, bars: int) -> PredictionBatch:
    """Return such a log in which something is the matter with one symbol."""
    streams = [healthy(bars, 100 + i) for i in range(symbols)]
    streams[SICK] = change(streams[SICK])
    return together(streams)


def judge(batch: PredictionBatch, size: int = 300) -> list[Judgement]:
    """Show rows to a new watcher, so many at once."""
    watcher = Watcher(bundle())
    pieces = (batch.take(slice(i, i + size)) for i in range(0, len(batch), size))
    return [each for piece in pieces for each in watcher.feed(piece)]


def frozen(stream: Stream, *, until: int | None = None) -> Stream:
    """Return the stream with a feed that stands still for a while."""
    sent = stream.features.copy()
    sent[ONSET:until] = sent[ONSET]
    return stream.shown(sent)


def foreign(stream: Stream) -> Stream:
    """Return the stream with two columns exchanged and rescaled, in every row."""
    sent = stream.features.copy()
    sent[ONSET:, [2, 6]] = 3 * sent[ONSET:, [6, 2]]
    return stream.shown(sent)


def test_rows_of_others_do_not_end_what_is_said_of_one() -> None:
    """Between two rows of one of thirty symbols lie twenty-nine clean ones."""
    found = judge(with_one(frozen, symbols=30, bars=120))

    assert [each.verdict for each in found] == [Verdict.HEALTHY, Verdict.FROZEN_FEED]


@pytest.mark.parametrize("size", [300, 977])
def test_its_own_clean_rows_end_it(size: int) -> None:
    """Some twenty of them, however the rows are cut."""
    batch = with_one(lambda stream: frozen(stream, until=90), symbols=30, bars=130)
    found = judge(batch, size)

    assert [each.verdict for each in found] == [
        Verdict.HEALTHY,
        Verdict.FROZEN_FEED,
        Verdict.HEALTHY,
    ]
    assert 90 < found[2].rows / 30 <= 90 + 25


@pytest.mark.parametrize("symbols", [4, 20])
def test_columns_of_one_that_no_longer_relate_are_named_for_good(symbols: int) -> None:
    """Its rows are collected, however few of the newest are its own."""
    found = judge(with_one(foreign, symbols=symbols, bars=300))

    assert [each.verdict for each in found] == [Verdict.HEALTHY, Verdict.SCHEMA_SKEW]


def test_a_collapse_on_one_of_hundreds_is_named() -> None:
    """Of which only some forty rows each are at hand."""
    fault, names = OUTPUT_FAULTS["I1 logits"]
    reference = np.asarray(bundle().reference.raw, np.float64)
    batch = with_one(lambda s: s.saying(fault(s.logits, reference)), symbols=400, bars=90)
    found = judge(batch, 2_000)

    assert found[-1].verdict in names
    assert found[-1].verdict.facts.of_model


def test_a_reference_of_few_moments_does_not_stop_the_watch() -> None:
    """No symbol of it has rows enough for a window of its own."""
    moments, symbols = 16, 20
    flat = bundle().reference.take(slice(0, moments * symbols))
    short = replace(
        flat,
        symbol=np.repeat([f"S{i}" for i in range(symbols)], moments),
        bar_time=np.tile(START - HOUR * np.arange(moments, 0, -1), symbols),
        group=np.tile(np.arange(moments), symbols),
    )
    files = {**bundle().files, "reference.npz": short.to_bytes()}
    digests = {name: digest_of(data) for name, data in files.items()}
    few = Bundle(bundle().manifest.model_copy(update={"files": digests}), files)
    fault, _ = OUTPUT_FAULTS["I1 logits"]
    reference = np.asarray(bundle().reference.raw, np.float64)
    batch = with_one(lambda s: s.saying(fault(s.logits, reference)), symbols=symbols, bars=130)
    batch = replace(batch, version=np.full(len(batch), few.version))
    found = Watcher(few).feed(batch)

    assert found[-1].verdict.facts.of_model


def test_a_notice_at_a_retry_before_many_rows_finds_the_row_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The present row stays at hand until the next one is judged, however many come at once."""
    batch = healthy(900, 7).batch(bundle().version)
    watcher = Watcher(bundle())
    watcher.feed(batch.take(slice(0, 200)))
    ended = [Notice(0, Verdict.ARTEFACT_FAULT, ended=True)]
    monkeypatch.setattr(watcher._auditor, "take", lambda _: ended)
    found = watcher.feed(batch.take(slice(199, 900)))

    assert found[0].decided_by == "199"
