"""A week of an hourly model, told in seconds: each alert fires when it should, and none else.

Monday 00:00 to Sunday 24:00 of a currency that is closed from Friday 22:00 to Sunday 22:00. One
client asks once an hour. A version is promoted, collapses and is replaced; the feed stands still
and comes back; the service is down for an hour; a monitor is restarted; the weekend passes.
"""

from __future__ import annotations

import pytest

from tests.support.promtool import Story
from tests.support.scripted import Series, labelled, scraped, served, watched

MINUTES = 20
HOUR = 60 // MINUTES
COUNT = 7 * 24 * HOUR + 1

PROMOTED, COLLAPSED, JUDGED, REPLACED = 24.0, 40.0, 52.0, 52 + 1 / 3
FROZEN, NOTICED, REPAIRED = 70.0, 76.0, 80.0
RESTARTED, DOWN, UP, CLOSED, REOPENED = 90.0, 100.0, 101.0, 118.0, 166.0

STEP = 1 / HOUR
"""Between two evaluations: an alert that waits fires one later, and its hold ends at the next."""

FIRING = {
    # At once; ten minutes of hold after the version was replaced.
    "CollapseEvidence model=m": [(JUDGED, REPLACED + STEP)],
    # A minute of waiting; five of hold.
    "InputBroken model=m": [(NOTICED + STEP, REPAIRED + STEP)],
    # Unhealthy for half an hour: the retrain took less, the repair of the feed took more.
    "NoHealthyVersion model=m": [(NOTICED + 2 * STEP, REPAIRED)],
    # The last bar began at 68h: late after 71h, a third moment 20 minutes later, one more to wait.
    # It ends
    # when half an hour holds no late one, and its hold.
    "ErrorBudgetBurnsFast model=m slo=freshness": [(FROZEN + 1 + 4 * STEP, REPAIRED + 2 * STEP)],
    # A hundredth of all that was, two more to wait; it ends when six hours hold no late one.
    "ErrorBudgetBurnsSlowly model=m slo=freshness": [(FROZEN + 2 + STEP, REPAIRED + 6)],
    "ServiceDown": [(DOWN + STEP, UP)],
}
"""From when until when, in hours, each fires; none else does, and these at no other time."""


def hours() -> list[float]:
    """Return the hour of each moment."""
    return [k / HOUR for k in range(COUNT)]


def asked(hour: float) -> bool:
    """Whether the client asks at this hour: on the full one, while the market is open."""
    return hour == int(hour) > 0 and not (CLOSED < hour <= REOPENED) and not DOWN <= hour < UP


def rows(since: float, until: float) -> list[float]:
    """Return the predictions of a version between each moment and the next."""
    return [float(asked(hour) and since < hour <= until) for hour in hours()[1:]]


def versions() -> Series:
    """Return what the service counts: v1, v2, which stops following its inputs, and v3."""
    series: Series = {}
    healthy, still = served, {"spread": 0.0, "shift": 2.0, "entropy": 0.05}
    for name, since, until in (
        ("v1", 0.0, PROMOTED),
        ("v2", PROMOTED, COLLAPSED),
        ("v3", REPLACED, COUNT),
    ):
        end = REPLACED if name == "v2" else until
        champion = [float(since <= hour < end) for hour in hours()]
        series |= healthy(rows(since, until), version=name, interval=3600, champion=champion)
    collapsed = served(rows(COLLAPSED, REPLACED), version="v2", interval=3600, **still)
    for name, values in collapsed.items():
        if "_total{" in name or "_sum{" in name:
            before = series.get(name, [0.0] * COUNT)
            series[name] = [a + b for a, b in zip(before, values, strict=True)]
    return series


def freshness() -> Series:
    """Return the newest bar, which begins an hour before it is asked about, and prediction."""
    bar, prediction = 1e-3, 1e-3
    bars, predictions = [], []
    for hour in hours():
        if asked(hour):
            prediction = 3600 * hour
            if not FROZEN <= hour < REPAIRED:
                bar = 3600 * (hour - 1) + 1e-3
        bars.append(bar)
        predictions.append(prediction)
    names = {"instance": "s", "model": "m", "version": "v"}
    newest = "plumbline_service_newest"
    return {
        labelled(f"{newest}_bar_timestamp_seconds", names): bars,
        labelled(f"{newest}_prediction_timestamp_seconds", names): predictions,
    }


def verdicts() -> Series:
    """Return what the monitor says of the version that serves, hour by hour."""
    series: Series = {}
    for name, since, until in (
        ("v1", 0.0, PROMOTED),
        ("v2", PROMOTED, REPLACED),
        ("v3", REPLACED, COUNT),
    ):
        said = []
        for hour in hours():
            if not since <= hour < until:
                said.append("")
            elif name == "v2" and hour >= JUDGED:
                said.append("dominant_action")
            elif NOTICED <= hour < REPAIRED:
                said.append("frozen_feed")
            else:
                said.append("insufficient_data" if hour < since + 50 else "healthy")
        series |= watched(COUNT, version=name, verdicts=said, step=60 * MINUTES)
    lag = labelled("plumbline_monitoring_lag_seconds", {"instance": "w", "model": "m"})
    series[lag] = [3000.0 if RESTARTED <= hour < RESTARTED + 1 else 2.0 for hour in hours()]
    return series


def up() -> Series:
    """Return whether the service was found up."""
    (name,) = scraped(COUNT)
    return {name: [float(not DOWN <= hour < UP) for hour in hours()]}


@pytest.mark.slow
@pytest.mark.tools
def test_a_week_of_an_hourly_model(tmp_path):
    """At each of its thousand moments exactly the alerts of the table fire."""
    firing = {
        f"{k * MINUTES}m": [
            alert
            for alert, spans in FIRING.items()
            if any(since - 1e-6 <= hour < until - 1e-6 for since, until in spans)
        ]
        for k, hour in enumerate(hours())
    }
    series = {**versions(), **freshness(), **verdicts(), **up()}

    assert {name for alerts in firing.values() for name in alerts} == set(FIRING)
    Story(series, firing, interval=f"{MINUTES}m").check(tmp_path)
