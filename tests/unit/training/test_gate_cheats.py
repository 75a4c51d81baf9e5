"""Every known way to seem good without knowing anything is refused, by its name."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.finding import Verdict
from plumbline.training.config import read_experiment
from tests.support.cheats import CHEATS, Ready, experiment_on, fitted, judged, restless, sound
from tests.support.planted import planted

REFUSED = {Verdict.LEAK, Verdict.NO_SIGNAL, Verdict.ANTI_SIGNAL}


@pytest.fixture(scope="module")
def markets(tmp_path_factory) -> dict[str, Ready]:
    """A generated market and the real bars that come with the demonstration."""
    folder = tmp_path_factory.mktemp("bars")
    return {
        "restless": Ready.of(experiment_on(folder / "restless.csv", restless())),
        "eurusd-1h": Ready.of(read_experiment("eurusd-1h", ["data.mirror=false"])),
    }


@pytest.mark.parametrize("market", ["restless", "eurusd-1h"])
@pytest.mark.parametrize("cheat", sorted(CHEATS))
def test_a_cheat_is_refused(markets, market, cheat):
    """And called a leak, the wrong way round, or no signal beyond the clock."""
    report = CHEATS[cheat](markets[market])

    assert not report.passed
    assert report.verdict in REFUSED


@pytest.mark.slow
@pytest.mark.parametrize("market", ["restless", "eurusd-1h"])
def test_who_knows_when_and_not_which_way_passes_without_sizes(markets, market):
    """Nearly all seeds, and the report says why the sizes are zero."""
    reports = [sound(markets[market], seed) for seed in range(5)]

    assert sum(report.passed for report in reports) >= 4
    assert {report.withheld for report in reports} == {"direction not shown"}


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [3_600, 21_600])
def test_who_knows_which_way_has_sizes(tmp_path, horizon):
    """Where returns persist: nothing is withheld, and slow foreknowledge is no leak."""
    bars = planted(6_000, strength=1.0)
    market = Ready.of(experiment_on(tmp_path / "planted.csv", bars, horizon=horizon))
    reports = [sound(market, seed) for seed in range(3)]

    assert [report.withheld for report in reports] == ["", "", ""]
    assert all(report.passed for report in reports)


@pytest.mark.slow
def test_where_nothing_can_be_known_nothing_passes(tmp_path):
    """A random walk whose moves are of one size."""
    market = Ready.of(experiment_on(tmp_path / "walk.csv", planted(6_000, strength=0)))

    assert not any(sound(market, seed).passed for seed in range(5))


def test_the_share_of_the_clock_is_in_the_report(markets):
    """How much of what is said follows from the time of the week, for each thing that is said."""
    found = CHEATS["clock-only"](markets["eurusd-1h"]).validation.findings
    said = [each.message for each in found if each.name == "skill_beyond_clock"]

    assert len(said) in {0, 2}
    assert all("0% of what it states does not follow from the time" in each for each in said)
    assert np.isfinite([each.n for each in found]).all()


def test_simple_rivals_stand_beside_every_metric(markets):
    """The clock, the last outcome, a linear reader and trees, each with scores of its own."""
    metrics = sound(markets["restless"]).metrics
    rungs = ["constant", "clock", "persistence", "linear", "gbdt"]

    assert all(metrics[f"log_loss_{rung}"] > 0 for rung in rungs)
    assert all(0 <= metrics[f"accuracy_{rung}"] <= 1 for rung in rungs[1:])
    assert metrics["log_loss_linear"] < metrics["log_loss_constant"]
    assert metrics["log_loss_clock"] < metrics["log_loss_constant"]


def test_a_model_that_knows_more_than_any_market_has_is_refused(markets):
    """It explains most of the labels' entropy, which nothing simple explains a part of."""
    ready = markets["restless"]
    logits = np.log(np.full((len(ready.truth), 3), 0.05)).astype(np.float32)
    slow = np.nan_to_num(ready.truth[:, 0]).astype(int)
    logits[np.arange(len(slow)), slow] = np.log(0.9)
    again = ready.rng.random(len(slow)) < 0.25
    logits[again] = fitted(ready)[again]
    report = judged(ready, logits)

    assert report.verdict is Verdict.LEAK
