"""The replay's windows, times and quiet stretches."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from plumbline.bundle.replay import Replay
from plumbline.drills.errors import DrillError
from plumbline.drills.replay import Playback, encode

START = datetime(2017, 9, 4, tzinfo=UTC)


def replay_of(labels: list[int], window_length: int = 3) -> Playback:
    n = len(labels) + window_length
    hours = [START + timedelta(hours=i) for i in range(n)]
    return Playback(
        bar_time=np.array([int(hour.timestamp() * 1e6) for hour in hours]),
        features=np.arange(n * 2, dtype=np.float32).reshape(n, 2),
        labels=np.array([-1] * window_length + labels, dtype=np.int8),
        names=("a", "b"),
        forward_return=np.full(n, np.nan),
        closes=np.linspace(1.1, 1.2, n),
        window_length=window_length,
        first=window_length,
    )


def test_window_ends_at_the_bar_it_is_named_for():
    """The window of the first held-out bar holds that bar and those before it."""
    replay = replay_of([1] * 10)

    assert replay.window(0).tolist() == replay.features[1:4].tolist()


@pytest.mark.parametrize("position", [0, 1, 10, 13])
def test_a_late_window_is_that_of_bars_before(position):
    """Also where the replay begins again."""
    replay = replay_of([1] * 10)
    end = replay.first + position % 10

    assert replay.window(position, late=1).tolist() == replay.features[end - 3 : end].tolist()


def test_time_never_runs_backwards_when_the_replay_begins_again():
    """The second pass comes whole weeks later, at the same hour of the week."""
    replay = replay_of([1] * 10)
    times = [replay.time(position) for position in range(25)]

    assert times == sorted(set(times))
    assert (times[10] - times[0]) % timedelta(weeks=1) == timedelta(0)


@pytest.mark.parametrize("seed", range(5))
def test_quiet_stretch_is_the_longest_there_is(seed):
    """No longer run of bars has the share asked for: checked against all runs."""
    labels = np.random.default_rng(seed).choice([0, 1, 2], p=[0.1, 0.8, 0.1], size=120)
    replay = replay_of(labels.tolist())
    runs = [
        (end - start)
        for start in range(120)
        for end in range(start + 1, 121)
        if (labels[start:end] == 1).mean() >= 0.9
    ]

    found = replay.quiet_stretch(1, 0.9, hours=range(24), least=1)

    assert len(found) == max(runs)
    assert (labels[found] == 1).mean() >= 0.9


def test_quiet_stretch_leaves_out_other_hours_and_masked_bars():
    """Only bars of the hours asked for count, and only those with a label."""
    replay = replay_of([1, 1, -1, 0] + [0] * 20 + [1, 1])

    assert replay.quiet_stretch(1, 1.0, hours=range(3, 7), least=1) == [0, 1]


def test_no_quiet_stretch_is_said_with_the_longest_found():
    """A replay without one ends the drill with a clear message."""
    with pytest.raises(DrillError, match="no 5 quiet bars have 90% one label"):
        replay_of([0, 1] * 10).quiet_stretch(1, 0.9, hours=range(24), least=5)


def test_a_missing_replay_says_how_to_make_one(tmp_path: Path):
    """The error names the command that writes the file."""
    with pytest.raises(DrillError, match="plumbline replay-data"):
        Playback.read(tmp_path / "replay.npz")


def test_a_replay_is_read_as_it_was_written(tmp_path: Path):
    """Who writes it and who plays it share one format."""
    replay = replay_of([0, 1, -1, 2])
    path = tmp_path / "replay.npz"
    path.write_bytes(Replay.to_bytes(replay))
    found = Playback.read(path)

    assert len(found) == replay.held_out == 4
    assert found.names == ("a", "b")
    assert found.window(3).tolist() == replay.window(3).tolist()
    assert found.time(9) == replay.time(9)


def test_encoded_numbers_are_the_same_float32():
    """Nothing is lost on the way to the service."""
    window = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    body = json.loads(encode(window, prediction="x", symbol="S", time=START))
    found = np.array(body["instances"][0]["features"], dtype=np.float32)

    assert (found == window).all()


@pytest.mark.parametrize("position", [0, 1, 9, 10, 25])
def test_the_bar_after_a_time_is_the_next_one(position):
    """In every pass; so a later drill goes on where an earlier one stood."""
    replay = replay_of([1] * 10)

    assert replay.after(replay.time(position)) == position + 1
    assert replay.after(START - timedelta(days=1)) == 0


def test_the_true_class_of_a_time_is_its_bars():
    """In every pass, -1 where masked."""
    replay = replay_of([0, 1, 2, -1])

    assert [replay.label(replay.time(position)) for position in range(8)] == 2 * [0, 1, 2, -1]
