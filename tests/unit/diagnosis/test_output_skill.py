"""What outcomes say of an output: quiet where it is sound, right about what is the matter."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import spearmanr

from plumbline.bundle.archive import Bundle
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.spec import OutputSpec
from plumbline.bundle.verdict import Verdict
from plumbline.diagnosis.outcomes.settled import Settled, of_reference
from plumbline.diagnosis.outcomes.skill import OutputSkill
from tests.support import streams
from tests.support.bundles import score_output, small_bundle, value_output
from tests.support.outcomes import drawn, settled, tempered

ROWS = 4_000
SOUND_STREAMS = 200


@pytest.fixture
def skill() -> OutputSkill:
    """A choice of three, six hours ahead, whose reference has 3,000 rows of truth."""
    return OutputSkill(streams.bundle(3_000), "h6")


def strong(rows: int, seed: int) -> np.ndarray:
    """Return probabilities that say a good deal, of the small market's sound model."""
    return tempered(streams.healthy(rows, seed).probabilities, 1.0)


def noticed(skill: OutputSkill, probabilities: np.ndarray, places: np.ndarray) -> int | None:
    """Show rows, 60 at a time; return how many it took until something was said."""
    for start in range(0, len(places), 60):
        some = slice(start, start + 60)
        skill.take(settled(probabilities[some], places[some], first=start))
        if skill.verdict is not None:
            return min(start + 60, len(places))
    return None


def test_a_sound_model_is_left_alone_in_two_hundred_streams():
    """The bound allows 200 · 400 / 1,000,000 of them a verdict, so none is to be seen."""
    fresh, market = OutputSkill(streams.bundle(3_000), "h6"), streams.healthy(8_000, 2_000)
    said = []
    for seed in range(SOUND_STREAMS):
        watch, start = deepcopy(fresh), seed % 20 * 400
        p = market.rows(start, start + 400).probabilities
        watch.take(settled(p, drawn(p, seed)))
        said.append(watch.verdict)

    assert said == [None] * SOUND_STREAMS


def test_a_sound_model_is_left_alone_for_long(skill):
    """And what it is worth is shown: above zero, in an interval that holds its true gain."""
    p = strong(ROWS, 5)
    assert noticed(skill, p, drawn(p, 5)) is None
    gain = skill.interval("gain_constant")
    true = float((p * np.log(p / p.mean(axis=0))).sum(axis=1).mean())

    assert gain.low < true < gain.high
    assert skill.figures(settled(p, drawn(p, 5)))["gain_constant"] == pytest.approx(true, abs=0.03)


def test_labels_the_other_way_round_are_an_anti_signal(skill):
    """The same model, and BUY came wherever SELL had been likelier: it pays to bet against it."""
    p = strong(ROWS, 1)
    rows = noticed(skill, p, 2 - drawn(p, 1))

    assert skill.verdict is Verdict.ANTI_SIGNAL
    assert rows <= 3_000


@pytest.mark.parametrize(("temperature", "limit"), [(0.4, 1_000), (2.5, 3_000)])
def test_probabilities_of_another_temperature_are_miscalibrated(skill, temperature, limit):
    """Sharpened or blunted: the ranking is what it was, the certainty is not."""
    p = strong(ROWS, 1)
    rows = noticed(skill, tempered(p, temperature), drawn(p, 1))

    assert skill.verdict is Verdict.MISCALIBRATED
    assert rows <= limit


def test_answers_that_have_nothing_to_do_with_the_truth_have_no_signal(skill):
    """As often right and as sure as ever, of other rows: what was promised is gone."""
    p = strong(ROWS, 1)
    shuffled = p[np.random.default_rng(0).permutation(ROWS)]
    rows = noticed(skill, shuffled, drawn(p, 1))

    assert skill.verdict is Verdict.NO_SIGNAL
    assert rows <= 3_000


def test_the_outcome_does_not_depend_on_how_moments_are_cut():
    """Neither do evidence and intervals, to the last bit."""
    p = strong(1_000, 3)
    places = drawn(p, 3)
    found = []
    for size in (1, 7, 1_000):
        watch = OutputSkill(streams.bundle(3_000), "h6")
        for start in range(0, 1_000, size):
            some = slice(start, start + size)
            watch.take(settled(p[some], places[some], first=start))
        evidence = [inquiry.log_e for inquiry in watch.inquiries.values()]
        found.append((evidence, watch.interval("direction"), watch.moments))

    assert found[0] == found[1] == found[2]


def test_rows_of_one_moment_are_one_trial(skill):
    """Twenty symbols of one market are no twenty proofs."""
    p = strong(60, 4)
    rows = settled(p, drawn(p, 4))
    alike = rows.take(np.repeat(np.arange(60), 20))
    skill.take(alike)
    alone = OutputSkill(streams.bundle(3_000), "h6")
    alone.take(rows)

    assert (skill.rows, skill.moments) == (1_200, 60)
    assert skill.interval("gain_constant").high == pytest.approx(
        alone.interval("gain_constant").high, abs=0.02
    )


def test_gain_is_what_was_gained_by_how_far_and_by_which_way(skill):
    """The parts add up to the whole."""
    p = strong(2_000, 6)
    figures = skill.figures(settled(p, drawn(p, 6)))

    assert figures["gain_volatility"] + figures["gain_direction"] == pytest.approx(
        figures["gain_constant"], abs=1e-3
    )
    assert figures["direction"] > 0.1
    assert figures["hits_low"] < figures["hits_high"]


def test_honesty_has_a_figure_of_all_rows_at_once(skill):
    """A model that is as sure as it may be is near zero, one that doubles its logits is not."""
    p = strong(2_000, 6)
    rows = settled(p, drawn(p, 6))
    ((score, error),) = skill.scorer.summary(rows).items()
    ((_, of_sharper),) = skill.scorer.summary(settled(tempered(p, 2.0), drawn(p, 6))).items()

    assert (score.name, score.unit) == ("calibration_error", "ratio")
    assert error < 0.04
    assert of_sharper > 0.1


VALUE, WIDE, RANKED = value_output(), value_output(width=2), score_output()


@cache
def of_kind(spec: OutputSpec) -> tuple[OutputSkill, Settled]:
    """Return the watch over one forecast or ranking, and the reference it has learnt."""
    manifest, files = small_bundle(outputs=(spec,), rows=6_000)
    bundle = Bundle(manifest, files)
    centre = bundle.outputs.centre_slices[spec.name]
    rows = of_reference(bundle.reference, spec, 0, centre, decides=True)
    return OutputSkill(bundle, spec.name), rows


def in_turn(spec: OutputSpec, rows: Settled, truth: np.ndarray) -> tuple[Verdict | None, int]:
    """Show rows with some truth, 30 moments at a time; returns what was said, and when."""
    watch = deepcopy(of_kind(spec)[0])
    moments = np.unique(rows.moment)
    for some in np.array_split(moments, max(len(moments) // 30, 1)):
        watch.take(replace(rows, truth=truth).take(np.isin(rows.moment, some)))
        if watch.verdict is not None:
            break
    return watch.verdict, watch.moments


@pytest.mark.parametrize(
    "spec", [VALUE, WIDE, RANKED], ids=lambda spec: f"{spec.name}-{spec.width}"
)
def test_forecasts_and_rankings_are_told_apart_likewise(spec):
    """As they were: quiet. The other way round: an anti-signal. Of other rows: no signal."""
    _, rows = of_kind(spec)
    shuffled = np.random.default_rng(0).permutation(rows.truth)

    assert in_turn(spec, rows, rows.truth) == (None, len(np.unique(rows.moment)))
    turned, late = in_turn(spec, rows, -rows.truth)
    assert (turned, late <= 500) == (Verdict.ANTI_SIGNAL, True)
    lost, later = in_turn(spec, rows, shuffled)
    assert (lost, later <= 600) == (Verdict.NO_SIGNAL, True)


@pytest.mark.parametrize("spec", [VALUE, WIDE], ids=["noise of the calibration", "own deviation"])
def test_a_forecast_that_is_farther_off_than_it_says_is_miscalibrated(spec):
    """Its errors are two and a half times what its deviation claims."""
    _, rows = of_kind(spec)
    mean = rows.centre[:, 0]
    said, late = in_turn(spec, rows, mean + 2.5 * (rows.truth - mean))

    assert said is Verdict.MISCALIBRATED
    assert late <= 1_000


def test_what_a_ranking_is_worth_is_its_correlation():
    """The mean over cross-sections of the rank correlation, and what was held of it."""
    watch, rows = of_kind(RANKED)
    figures = watch.figures(rows)
    each = [
        spearmanr(rows.centre[rows.moment == m, 0], rows.truth[rows.moment == m])[0]
        for m in np.unique(rows.moment)
    ]

    assert figures["ic"] == pytest.approx(np.mean(each), abs=0.05)
    assert figures["direction"] == figures["ic"]
    assert figures["value"] > 0


def test_a_reference_without_truth_promises_nothing():
    """So nothing can be missed; direction and honesty are watched all the same."""
    manifest, files = small_bundle(rows=900)
    reference = ReferenceProfile.from_bytes(files["reference.npz"])
    blank = replace(reference, truth=np.full_like(reference.truth, np.nan))
    watch = OutputSkill(Bundle(manifest, files | {"reference.npz": blank.to_bytes()}), "h6")

    assert (watch.promise.moments, dict(watch.promise.gains)) == (0, {})
    assert set(watch.inquiries) == {Verdict.ANTI_SIGNAL, Verdict.MISCALIBRATED}
