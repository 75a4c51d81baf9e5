"""What must not mislead the rules: pauses, restarts, replicas, neighbours, slow models."""

from __future__ import annotations

import pytest

from plumbline.bundle.verdict import Verdict
from plumbline.rules.blame import alert_about
from tests.support.promtool import Story, counter
from tests.support.scripted import (
    HEALTHY,
    Series,
    bands,
    entropy_of,
    labelled,
    restarted,
    scraped,
    served,
    watched,
)

pytestmark = pytest.mark.tools
HOUR, DAY = 3_600, 86_400
STILL = {"spread": 0.0, "shift": 2.0}


def test_replicas_add_up(tmp_path):
    """Two replicas of one healthy model, one of which starts anew, give hand-computed figures.

    The log-ratios of each have a standard deviation of 0.447 in units of the reference's, but
    their means are one above and one below the reference: together it is sqrt(0.2 + 1) = 1.095.
    """
    count, rows = 76, [10] * 75
    one = served(rows, instance="a", shift=1.0, spread=0.2**0.5, since=1e9)
    other = served(rows, instance="b", shift=-1.0, spread=0.2**0.5)
    output = '{model="m", version="v", output="h6"}'
    coordinate = '{model="m", version="v", output="h6", coordinate="HOLD"}'
    action = '{{model="m", version="v", action="{}"}}'.format
    version = '{model="m", version="v"}'
    Story(
        {**scraped(count), **watched(count), **one, **restarted(other, 40)},
        {"1h15m": []},
        {
            # The ten that were counted while b started anew are not known to anybody.
            ("1h15m", "round(plumbline:predictions:window_5m)"): {version: 100},
            ("1h15m", "round(plumbline:predictions:window, 5)"): {version: 1190},
            ("1h15m", "round(plumbline:action_share:ratio, 1e-3)"): {
                action(name): share for name, share in HEALTHY.items()
            },
            # (-0.6 ln 0.6 - 0.4 ln 0.2 + 2 / 2400) / ln 3
            ("1h15m", "round(plumbline:action_entropy:ratio, 1e-3)"): {version: 0.866},
            # 0.9503 - 0.9
            ("1h15m", "round(plumbline:mutual_information:nats, 1e-3)"): {output: 0.05},
            ("1h15m", "round(plumbline:output_shift:ratio, 1e-1)"): {coordinate: 0},
            ("1h15m", "round(plumbline:output_spread:ratio, 1e-3)"): {coordinate: 1.095},
            ("1h15m", "round(plumbline:output_std:ratio, 1e-4)"): {coordinate: 0.1095},
            ("1h15m", "round(plumbline:confidence_mean:ratio, 1e-3)"): {output: 0.6},
            ("1h15m", "plumbline:window:seconds"): {f"plumbline:window:seconds{version}": HOUR},
            ("1h15m", "plumbline:version_share:ratio"): {
                f"plumbline:version_share:ratio{version}": 1
            },
        },
    ).check(tmp_path)


def test_a_spread_of_a_hundred_thousandth_is_seen_after_a_billion_answers(tmp_path):
    """The sums are of differences from the reference, so that small ones are not rounded away."""
    rows = [1000] * 20
    series = {
        **scraped(21),
        **watched(21),
        **served(rows, since=1e9, shift=0.01, spread=1e-4),
    }
    coordinate = '{model="m", version="v", output="h6", coordinate="HOLD"}'
    Story(
        series,
        values={("20m", "round(plumbline:output_spread:ratio, 1e-6)"): {coordinate: 1e-4}},
    ).check(tmp_path)


def test_every_verdict_raises_its_alert_and_no_other(tmp_path):
    """One model for each verdict, in one namespace: what withholds sizes also calls somebody."""
    count = 40
    series = scraped(count, namespace="n")
    said = {verdict.value: alert_about(verdict.facts) for verdict in Verdict}
    for verdict in said:
        series |= watched(count, verdict, verdicts=verdict, namespace="n")
        series |= served([10] * (count - 1), verdict, namespace="n")
    raised = [f"{name} namespace=n model={verdict}" for verdict, name in said.items() if name]
    withheld = [verdict.value for verdict in Verdict if not verdict.facts.sized]
    unhealthy = [f"NoHealthyVersion namespace=n model={verdict}" for verdict in withheld]

    assert all(said[verdict] for verdict in withheld)
    Story(series, {"20m": raised, "35m": [*raised, *unhealthy]}).check(tmp_path)


def test_a_replaced_version_says_nothing_and_stays_silent_in_a_pause(tmp_path):
    """Flat, judged collapsed and replaced at 15m; at 20m everybody stops asking for an hour.

    Its counters are still there, a monitor that stands by still has its old word, and the alerts
    end with their hold.
    """
    count = 80
    old = served(
        [20] * 15 + [0] * (count - 16),
        version="old",
        champion=[1.0] * 15 + [0.0] * (count - 15),
        confidence=0.99,
        repeated=0.9,
        **STILL,
    )
    new = served(
        [0] * 15 + [20] * 5 + [0] * (count - 21),
        version="new",
        champion=[None] * 15 + [1.0] * (count - 15),
    )
    late = watched(count, version="old", verdicts="flat", instance="standby")
    late[labelled("plumbline_monitoring_leader", {"instance": "standby", "model": "m"})] = [
        0.0
    ] * count
    said = ["flat" if k < 15 else "" for k in range(count)]
    series = {**scraped(count), **old, **new, **late}
    series |= watched(count, version="old", verdicts=said)
    series |= watched(count, version="new")
    before = ["CollapseEvidence", "Flat", "Saturated", "RepeatedInputs"]
    Story(
        series,
        {
            "14m": [f"{name} model=m" for name in before],
            "26m": [],
            "40m": [],
            "1h18m": [],
        },
    ).check(tmp_path)


def test_a_pause_is_no_fault(tmp_path):
    """No request for an hour and more: nothing is divided by nothing, and nothing fires."""
    rows = [10] * 10 + [0] * 75 + [10] * 5
    series = {**scraped(91), **watched(91), **served(rows, interval=60)}
    Story(series, {"30m": [], "1h15m": [], "1h29m": []}).check(tmp_path)


def test_a_model_that_is_down_is_not_called_collapsed(tmp_path):
    """Its replicas are gone at 10m: one alert says so, and those about its answers wait."""
    count = 30
    known = {k: v[:10] + [None] * 20 for k, v in served([10] * 29, **STILL).items()}
    series = {**watched(count), **known, **scraped(count)}
    (up,) = scraped(count)
    series[up] = [1.0] * 10 + [0.0] * 20
    Story(series, {"9m": ["Flat model=m"], "28m": ["ServiceDown"]}).check(tmp_path)


def test_series_that_are_found_half_way_are_no_jump(tmp_path):
    """Prometheus begins to scrape a service that has answered a billion times, all of them flat."""
    count = 30
    series = {
        name: [None] * 10 + list(values[: count - 10])
        for name, values in served([10] * (count - 1), since=1e9).items()
    }
    Story({**scraped(count), **watched(count), **series}, {"12m": [], "29m": []}).check(tmp_path)


def test_neighbours_do_not_answer_for_each_other(tmp_path):
    """Two models in one namespace, and the same name in another: the one that is flat is named."""
    count = 15
    series: Series = {}
    for namespace, model, still in (("a", "x", True), ("a", "y", False), ("b", "x", False)):
        place = {"namespace": namespace, "service": f"plumbline-service-{model}"}
        series |= scraped(count, **place)
        series |= watched(count, model, namespace=namespace)
        series |= served([10] * (count - 1), model, **place, **(STILL if still else {}))
    Story(series, {"6m": [], "7m": ["Flat namespace=a model=x"]}).check(tmp_path)


FAULTS: dict[str, dict] = {
    "Flat": STILL,
    "OneClass": {"shares": {"HOLD": 1.0}, "mean": HEALTHY},
    "Saturated": {"confidence": 0.99},
    "RepeatedInputs": {"repeated": 0.8},
    "MutualInformationLow": {"entropy": entropy_of(HEALTHY), "spread": 0.3},
    "well": {},
}


@pytest.mark.parametrize(
    ("interval", "step", "before", "after", "window", "models"),
    [
        (HOUR, 1800, "50h", "50h30m", 7 * DAY, tuple(FAULTS)),
        pytest.param(
            *(DAY, 6 * HOUR, "50d", "50d6h", 90 * DAY, ("Flat", "well")), marks=pytest.mark.slow
        ),
    ],
    ids=["hourly", "daily"],
)
def test_a_slow_model_raises_the_alerts_about_its_answers(  # noqa: PLR0917  # a table's columns
    tmp_path, interval, step, before, after, window, models
):
    """One prediction a bar: after fifty bars, for which an alert about minutes waits, too."""
    rows = ([0] * (interval // step - 1) + [1]) * 51
    count = len(rows) + 1
    series = scraped(count)
    for model in models:
        series |= served(rows, model, interval=interval, **FAULTS[model])
        series |= watched(count, model, step=step)
        series |= bands(count, model=model, shares={"HOLD": 0.9}, spread=0.5)
    name = 'plumbline:window:seconds{model="Flat", version="v"}'
    Story(
        series,
        {before: [], after: [f"{model} model={model}" for model in models if model != "well"]},
        {(after, 'plumbline:window:seconds{model="Flat"}'): {name: window}},
        interval=f"{step}s",
    ).check(tmp_path)


@pytest.mark.slow
def test_a_market_that_closes_is_judged_over_the_window_that_its_bars_need(tmp_path):
    """An hourly share has seven bars a day: sixty in a month, and a week never has fifty."""
    rows = ([1] * 7 + [0] * 17) * 9
    count = len(rows) + 1
    series = {
        **scraped(count),
        **watched(count, step=HOUR),
        **served(rows, interval=HOUR, window=30 * DAY, **STILL),
    }
    Story(series, {"7d20h": [], "8d2h": ["Flat model=m"]}, interval="1h").check(tmp_path)


def test_a_replay_of_an_hourly_model_is_judged_by_its_bars(tmp_path):
    """Twenty bars of an hour in a minute: an hour holds enough of them."""
    count = 12
    names = {"instance": "s", "model": "m", "version": "v"}
    newest = "plumbline_service_newest"
    series = {
        **scraped(count),
        **watched(count),
        **served([20] * (count - 1), interval=HOUR, **STILL),
        labelled(f"{newest}_bar_timestamp_seconds", names): [
            1e9 + 20.0 * HOUR * k for k in range(count)
        ],
        labelled(f"{newest}_prediction_timestamp_seconds", names): [
            60.0 * k + 1e-3 for k in range(count)
        ],
    }
    Story(series, {"3m": [], "6m": ["Flat model=m"]}).check(tmp_path)


def test_a_client_that_asks_once_an_hour_is_heard(tmp_path):
    """One failure is none; three in a row are a burn, which no pause ends, but a good answer does.

    So are refusals: three in six hours, a third of what was asked at least.
    """
    hours = 30
    asked = [float(k % 6 == 5) for k in range(6 * hours)]
    missed = [n * ((k + 1) // 6 in (12, 20, 21, 22)) for k, n in enumerate(asked)]
    total, bad = counter(asked), counter(missed)
    requests, seconds = "plumbline_service_requests_total", "plumbline_service_request_seconds"
    series = {
        **scraped(len(total)),
        f'{requests}{{route="/predict", code="200"}}': counter(
            a - b for a, b in zip(asked, missed, strict=True)
        ),
        f'{requests}{{route="/predict", code="503"}}': bad,
        f'{seconds}_count{{route="/predict"}}': total,
        f'{seconds}_bucket{{route="/predict", le="0.1"}}': total,
        'plumbline_service_refused_total{reason="feature_mismatch"}': bad,
    }
    fast, slow = (f"ErrorBudgetBurns{pace} slo=availability" for pace in ("Fast", "Slowly"))
    Story(
        series,
        {
            "12h30m": [],
            "20h50m": [],
            "22h20m": [fast, slow, "PredictionsRefused"],
            "22h50m": [fast, slow, "PredictionsRefused"],
            "23h30m": [slow, "PredictionsRefused"],
            "29h": [],
        },
        interval="10m",
    ).check(tmp_path)
