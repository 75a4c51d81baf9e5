"""Windows are made again from last steps: exactly, and whatever happens to the log on its way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.spec import BAR_COLUMNS, FeatureSetSpec, InputSpec
from plumbline.monitoring.watching.audit.history import History
from tests.support.bundles import small_bundle
from tests.support.logged import HOUR, Client, in_log_order, later

WINDOW, WIDTH = 8, 5


def made() -> tuple[Manifest, ReferenceProfile]:
    """Return what a history is kept for."""
    manifest, files = small_bundle(features=WIDTH, window=WINDOW, rows=300)
    return manifest, ReferenceProfile.from_bytes(files["reference.npz"])


@pytest.fixture(scope="module")
def known() -> tuple[Manifest, ReferenceProfile]:
    """A manifest and its reference."""
    return made()


def client(bars: int = 300, **how: object) -> Client:
    """Return a sound client."""
    return Client.hourly(bars, WIDTH, WINDOW, **how)  # type: ignore[arg-type]


def test_every_fourth_window_is_made_again_to_the_bit(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """From the first row with a whole window behind it, and it is the one that was sent."""
    asks = client()
    rows = asks.rows(range(WINDOW, 300), ratio=0.0)
    rebuilt = History(*known).take(rows)

    assert rebuilt.rows.tolist() == list(range(8, 292, 4))
    assert rebuilt.exact.all()
    for i, row in enumerate(rebuilt.rows):
        bar = WINDOW + row
        assert (rebuilt.windows["features"][i] == asks.values[bar + 1 - WINDOW : bar + 1]).all()


def test_logged_windows_are_there_from_the_first_row(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """What was logged whole needs no row before it."""
    rows = client().rows(range(WINDOW, 12), ratio=1.0)
    rebuilt = History(*known).take(rows)

    assert rebuilt.rows.tolist() == [0, 1, 2, 3]
    assert rebuilt.exact.all()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_cuts_do_not_matter(known: tuple[Manifest, ReferenceProfile], size: int) -> None:
    """The same rows are made again however the log is cut."""
    rows = in_log_order([client(seed=i, symbol=f"S{i}").rows(range(WINDOW, 150)) for i in range(3)])
    history = History(*known)
    found = [
        history.take(rows.take(slice(start, start + size))).rows + start
        for start in range(0, len(rows), size)
    ]

    assert np.concatenate(found).tolist() == History(*known).take(rows).rows.tolist()


def test_disorder_and_repeats_do_no_harm(known: tuple[Manifest, ReferenceProfile]) -> None:
    """Two workers, one seven rows behind: every window that is asked for is exact."""
    asks = client()
    ahead, behind = asks.rows(range(WINDOW, 300)), asks.rows(range(WINDOW, 290))
    rows = in_log_order([ahead, later(behind, 7 * HOUR + 1)])
    rebuilt = History(*known).take(rows)

    assert rebuilt.exact.all()
    assert len(rebuilt) > len(rows) / 5


def test_a_dropped_row_costs_a_window_length(known: tuple[Manifest, ReferenceProfile]) -> None:
    """Windows across the gap are not what was sent, and say so; those after it are exact."""
    rows = client().rows(range(WINDOW, 300), ratio=0.0)
    kept = np.delete(np.arange(len(rows)), 100)
    rebuilt = History(*known).take(rows.take(kept))
    wrong = rebuilt.rows[~rebuilt.exact]

    assert len(wrong) > 0
    assert wrong.min() >= 100
    assert wrong.max() < 100 + WINDOW


def test_rows_without_a_bar_time_are_made_again(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """They are taken in the order of the log."""
    rows = client().rows(range(WINDOW, 100), ratio=0.0)
    rebuilt = History(*known).take(replace(rows, bar_time=np.full(len(rows), -1)))

    assert rebuilt.exact.all()
    assert len(rebuilt) > 15


def test_clients_of_one_symbol_have_each_their_history(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """Where the log knows who asks, one client's steps are not another's."""
    rows = in_log_order(
        [client(seed=i, name=f"desk-{i}").rows(range(WINDOW, 200)) for i in range(2)]
    )

    assert History(*known).take(rows).exact.all()


def test_inputs_of_several_lengths_are_put_together(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """Each input gets its own columns and as many steps as it takes."""
    manifest, reference = known
    names = manifest.inputs[0].names
    inputs = (
        InputSpec(name="long", shape=(WINDOW, 3), names=names[:3]),
        InputSpec(name="short", shape=(2,), names=names[3:], dtype="float64"),
    )
    asks = client()
    rows = asks.rows(range(WINDOW, 60), ratio=1.0)
    window = np.empty(len(rows), object)
    for i in range(len(rows)):
        steps = asks.values[i + 1 : i + 1 + WINDOW]
        window[i] = steps[:, :3].tobytes() + steps[-1, 3:].astype(np.float64).tobytes()
    manifest = manifest.model_copy(update={"inputs": inputs})
    rebuilt = History(manifest, reference).take(replace(rows, window=window))

    assert rebuilt.exact.all()
    assert rebuilt.windows["long"].shape == (len(rows), WINDOW, 3)
    assert rebuilt.windows["short"].shape == (len(rows), 2)
    assert (rebuilt.windows["short"] == asks.values[WINDOW:60, 3:]).all()


def test_windows_of_bars_are_passed_on_and_accuse_nobody(
    known: tuple[Manifest, ReferenceProfile],
) -> None:
    """A graph that takes bars has no columns in its windows: neither they nor hashes say more."""
    manifest, reference = known
    spec = InputSpec(
        name="bars", shape=(WINDOW, 6), source="bars", names=BAR_COLUMNS, dtype="float64"
    )
    rows = client().rows(range(WINDOW, 300), ratio=0.0)
    bars = np.random.default_rng(0).normal(size=(len(rows), WINDOW, 6))
    window = np.empty(len(rows), object)
    window[::10] = [each.tobytes() for each in bars[::10]]
    columns = FeatureSetSpec.of(manifest.feature_names, kind="own")
    takes_bars = manifest.model_copy(update={"inputs": (spec,), "feature_set": columns})
    history = History(takes_bars, reference)
    rebuilt = history.take(replace(rows, window=window))

    assert rebuilt.rows.tolist() == list(range(0, len(rows), 10))
    assert (rebuilt.windows["bars"] == bars[::10]).all()
    assert history.findings() == []


def test_a_cross_section_is_made_again_whole_or_not_at_all() -> None:
    """Members that joined late are due with the others."""
    manifest, files = small_bundle(features=WIDTH, window=WINDOW, rows=300)
    manifest = manifest.model_copy(update={"unit": "cross_section"})
    reference = ReferenceProfile.from_bytes(files["reference.npz"])
    rows = in_log_order(
        [
            client(seed=i, symbol=f"S{i}").rows(range(WINDOW + 3 * i, 200), ratio=0.0)
            for i in range(3)
        ]
    )
    rebuilt = History(manifest, reference).take(rows)
    times, counts = np.unique(rows.bar_time[rebuilt.rows], return_counts=True)

    assert rebuilt.exact.all()
    assert (counts[times > times[4]] == 3).all()
