"""The watcher on seeded streams with a known onset: quiet before, right about it soon after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.finding import Level, Verdict
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.schedule import HEALTHY_ROWS
from plumbline.monitoring.watching.watcher import Watcher
from plumbline.store.prediction import PredictionBatch
from tests.support.faults import INPUT_FAULTS, OUTPUT_FAULTS, padded
from tests.support.streams import (
    HOUR,
    LONG,
    Stream,
    bundle,
    healthy,
    interleaved,
    joined,
    market,
)

FINE = {Verdict.HEALTHY, Verdict.REGIME}
ONSET = 300
LATEST = 200


def judge(stream: Stream, *, rows: int = 1_500) -> list[Judgement]:
    """Show a stream to a new watcher."""
    return Watcher(bundle(rows)).feed(stream.batch(bundle(rows).version))


def broken_output(name: str, onset: int, *, rows: int = 700) -> Stream:
    """Return a stream whose model breaks at a row."""
    fault, _ = OUTPUT_FAULTS[name]
    stream = healthy(rows, 7)
    reference = np.asarray(bundle().reference.raw, np.float64)
    said = fault(stream.logits[onset:], reference)
    return stream.rows(0, onset) + stream.rows(onset, rows).saying(said)


def broken_input(name: str, onset: int, *, rows: int = 700) -> Stream:
    """Return a stream whose client breaks at a row."""
    fault, _ = INPUT_FAULTS[name]
    stream = healthy(rows, 7)
    sent = fault(stream.features[onset:, None, :], bundle().reference.features)
    return stream.rows(0, onset) + stream.shown(sent[:, 0])


def padded_rows(stream: Stream) -> Stream:
    """Return the stream as a client without the last columns sends it."""
    return stream.shown(padded(stream.features[:, None, :], stream.features)[:, 0])


@pytest.mark.parametrize("seed", range(6))
def test_a_healthy_stream_stays_healthy(seed: int) -> None:
    """And is called so after about a hundred rows, not before."""
    found = judge(healthy(3_000, seed))

    assert {each.verdict for each in found} <= FINE
    assert HEALTHY_ROWS <= found[0].rows <= HEALTHY_ROWS + 60


@pytest.mark.parametrize("name", OUTPUT_FAULTS)
@pytest.mark.parametrize("onset", [0, ONSET])
def test_a_broken_model_is_named_in_time(name: str, onset: int) -> None:
    """Whether it breaks while it serves, or was broken when it came."""
    found = [each for each in judge(broken_output(name, onset)) if each.rows > onset]

    assert found[0].verdict in OUTPUT_FAULTS[name][1]
    assert found[0].rows - onset <= LATEST
    assert found[0].detected_after <= LATEST
    assert found[0].decided_by == str(found[0].rows - 1)
    assert len(found) == 1


@pytest.mark.parametrize("name", INPUT_FAULTS)
def test_a_broken_client_is_named_in_time(name: str) -> None:
    """And the model is not accused."""
    found = [each for each in judge(broken_input(name, ONSET)) if each.rows > ONSET]

    assert found[0].verdict in INPUT_FAULTS[name][1]
    assert found[0].rows - ONSET <= LATEST
    assert all(each.diagnosis.remedy != "retrain" for each in found)


@pytest.mark.parametrize("name", ["zero-padded, 11 columns", "frozen", "stale, 11 columns"])
def test_missing_inputs_are_named_within_a_few_rows(name: str) -> None:
    """Long before the outputs show anything."""
    found = [each for each in judge(broken_input(name, ONSET)) if each.rows > ONSET]

    assert found[0].rows - ONSET <= 20


@pytest.mark.parametrize("size", [1, 7, 100])
def test_batches_do_not_matter(size: int) -> None:
    """The deciding row is the same however the rows are cut."""
    stream = broken_output("I1 logits", ONSET) + padded_rows(healthy(60, 8)) + healthy(60, 9)
    version = bundle().version
    batch = stream.batch(version)
    watcher = Watcher(bundle())
    found = [
        (each.verdict, each.decided_by, each.detected_after)
        for start in range(0, len(batch), size)
        for each in watcher.feed(batch.take(slice(start, start + size)))
    ]

    assert found == [(e.verdict, e.decided_by, e.detected_after) for e in judge(stream)]


def test_recovery_follows_clean_rows() -> None:
    """Fixture 26: a repaired client is believed after some twenty rows, without flapping."""
    stream = healthy(300, 7) + padded_rows(healthy(80, 8)) + healthy(400, 9)
    found = judge(stream)

    assert [each.verdict for each in found] == [
        Verdict.HEALTHY,
        Verdict.SCHEMA_SKEW,
        Verdict.HEALTHY,
    ]
    assert 380 < found[2].rows <= 380 + 25


def test_a_collapse_stands_until_another_version_serves() -> None:
    """Fixture 26: sound rows of the same version do not clear it; a new version starts anew."""
    stream = broken_output("constant", 0, rows=200) + healthy(600, 9)
    watcher = Watcher(bundle())
    watcher.feed(stream.batch(bundle().version))
    fresh = bundle(version_seed=1)
    renewed = Watcher(fresh)

    assert watcher.judgement.verdict is Verdict.FLAT
    assert renewed.judgement.verdict is Verdict.INSUFFICIENT_DATA
    assert [e.verdict for e in renewed.feed(healthy(150, 9).batch(fresh.version))] == [
        Verdict.HEALTHY
    ]


def test_broken_input_hides_a_collapse_only_while_it_lasts() -> None:
    """The input is named first, and the collapse again afterwards."""
    sick = broken_output("I4 logits", 0, rows=200)
    feed = sick + padded_rows(healthy(60, 8)).saying(sick.logits[:60]) + sick.rows(60, 160)

    assert [each.verdict for each in judge(feed)] == [
        Verdict.DOMINANT_ACTION,
        Verdict.SCHEMA_SKEW,
        Verdict.DOMINANT_ACTION,
    ]


@pytest.mark.parametrize("onset", [200])
def test_a_slow_drift_to_collapse_is_noticed(onset: int) -> None:
    """Fixture 26: outputs that give up over 500 rows are named before the end of it."""
    stream = healthy(1_000, 7)
    share = np.clip((np.arange(1_000) - onset) / 500, 0, 1)[:, None]
    said = (1 - share) * stream.logits + share * np.array([-5.64, 5.04, -1.51])
    found = [each for each in judge(stream.saying(said)) if each.rows > onset]

    assert found[0].verdict in {Verdict.DOMINANT_ACTION, Verdict.BIAS_SHIFT, Verdict.FLAT}
    assert found[0].rows - onset <= 500


def test_retries_do_not_look_frozen() -> None:
    """Every bar asked three times over, as a client that retries does."""
    batch = healthy(400, 7).batch(bundle().version)
    found = Watcher(bundle()).feed(batch.take(np.repeat(np.arange(400), 3)))

    assert {each.verdict for each in found} <= FINE


def test_a_bar_asked_for_ever_is_a_frozen_feed() -> None:
    """Nobody retries forty times, whether or not the client says which bar it asks about."""
    version = bundle().version
    batch = healthy(200, 7).batch(version)
    stuck = batch.take(np.concatenate([np.arange(200), np.full(60, 199)]))
    silent = replace(stuck, bar_time=np.full(260, -1))

    for rows in (stuck, silent):
        found = Watcher(bundle()).feed(rows)

        assert found[-1].verdict is Verdict.FROZEN_FEED


def test_symbols_in_turn_are_two_streams() -> None:
    """Rows of one symbol are held against the row before of the same symbol."""
    version = bundle().version
    batch = interleaved(
        healthy(1_000, 7).batch(version, symbol="A"), healthy(1_000, 8).batch(version, symbol="B")
    )

    assert {each.verdict for each in Watcher(bundle()).feed(batch)} <= FINE


def test_one_frozen_symbol_of_two_is_noticed() -> None:
    """Its feed stands still while the other's moves."""
    version, stream = bundle().version, healthy(300, 8)
    frozen = stream.rows(0, 150) + stream.shown(np.repeat(stream.features[150:151], 150, axis=0))
    batch = interleaved(
        healthy(300, 7).batch(version, symbol="A"), frozen.batch(version, symbol="B")
    )
    found = [each for each in Watcher(bundle()).feed(batch) if each.rows > 300]

    assert found[0].verdict is Verdict.FROZEN_FEED
    assert found[0].rows <= 300 + 40


def test_loops_and_jumps_are_no_fault() -> None:
    """A replay that begins again, or elsewhere, is still the market."""
    stream = healthy(2_000, 7)
    rng = np.random.default_rng(0)
    jumps = [np.arange(s, s + 70) for s in rng.integers(0, 1_900, 20)]
    loop = np.tile(np.arange(300, 700), 5)
    for rows in (loop, np.concatenate(jumps)):
        replayed = Stream(stream.features[rows], stream.logits[rows]).batch(bundle().version)
        back = replace(replayed, bar_time=HOUR * rows)
        for batch in (replayed, back):
            assert {each.verdict for each in Watcher(bundle()).feed(batch)} <= FINE


def test_gaps_in_time_are_no_fault() -> None:
    """A feed that is away for a while comes back where the market is then."""
    version = bundle().version
    batch = joined(healthy(400, 7).batch(version), healthy(400, 8).batch(version, first=5_000))

    assert {each.verdict for each in Watcher(bundle()).feed(batch)} <= FINE


def test_rows_of_other_versions_are_left_out() -> None:
    """They are another watcher's."""
    watcher = Watcher(bundle())

    assert watcher.feed(healthy(300, 7).batch("another")) == []
    assert watcher.rows == 0
    assert watcher.judgement.decided_by is None


def test_the_promise_is_refused_for_a_short_reference() -> None:
    """And given for a long one; every judgement says which."""

    def promise(rows: int) -> Level:
        found = judge(healthy(150, 7), rows=rows)[0].diagnosis.findings
        return next(each.level for each in found if each.name == "false_alarm_run_length")

    assert promise(1_500) is Level.WARN
    assert promise(LONG) is Level.PASS


def test_evidence_is_present_at_any_time() -> None:
    """For the metrics: one entry for each detector, with the rows of now."""
    watcher = Watcher(bundle())
    watcher.feed(healthy(150, 7).batch(bundle().version))
    before = watcher.judgement
    watcher.feed(healthy(50, 8).batch(bundle().version, first=150))

    assert {each.detector for each in before.evidence} == set(DETECTORS) - {"epistemic"}
    assert watcher.judgement.rows == 200
    assert watcher.judgement.evidence != before.evidence


def test_a_reference_too_short_to_learn_from_still_allows_a_verdict() -> None:
    """By statistics alone, and the promise says that nothing is promised."""
    tiny = bundle(100)
    watcher = Watcher(tiny)
    watcher.feed(healthy(250, 7).batch(tiny.version))
    constant = Watcher(tiny)
    constant.feed(broken_output("constant", 0, rows=250).batch(tiny.version))

    assert watcher.judgement.verdict in FINE
    assert constant.judgement.verdict is Verdict.FLAT


def test_an_empty_batch_changes_nothing() -> None:
    """Neither does one of retries only."""
    watcher = Watcher(bundle())
    batch: PredictionBatch = healthy(3, 7).batch(bundle().version)

    assert watcher.feed(batch.take(slice(0, 0))) == []
    watcher.feed(batch)
    watcher.feed(batch.take(slice(2, 3)))
    assert watcher.rows == 3


def test_the_market_has_quiet_and_wild_stretches() -> None:
    """The streams these tests rest on are not tame: windows differ in volatility by a factor."""
    moves = np.abs(np.diff(market(4_000, 7)[:, 0]))
    windows = moves[:3_900].reshape(-1, 100).mean(axis=1)

    assert windows.max() / windows.min() > 2


def test_what_came_of_wrong_inputs_is_forgotten() -> None:
    """A verdict on the model that was reached on them, and the evidence behind it."""
    watcher = Watcher(bundle())
    watcher.feed(broken_output("constant", 0, rows=250).batch(bundle().version))
    before = watcher.judgement.verdict
    watcher.forget()
    forgotten = watcher.judgement
    watcher.feed(healthy(400, 9).batch(bundle().version, first=250))

    assert before.facts.of_model
    assert forgotten.verdict is Verdict.INSUFFICIENT_DATA
    assert not any(each.alarmed for each in forgotten.evidence)
    assert watcher.judgement.verdict in FINE
