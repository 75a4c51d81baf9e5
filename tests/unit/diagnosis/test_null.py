"""Bounds on events, given the recent past."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.diagnosis.e_process import peaks
from plumbline.diagnosis.null import (
    ALWAYS,
    LEVELS,
    NEVER,
    NO_EVENT,
    UNSEEN,
    bound,
    count_contexts,
    fit_null,
)


def persistent(rows: int, stay: float, seed: int) -> np.ndarray:
    """Return an event that stays on, and stays off, with this probability: ``(rows, 1) int8``."""
    rng = np.random.default_rng(seed)
    events = np.zeros((rows, 1), np.int8)
    for i in range(1, rows):
        events[i] = events[i - 1] if rng.random() < stay else 1 - events[i - 1]
    return events


def unbroken(rows: int) -> np.ndarray:
    """Return no breaks."""
    return np.zeros(rows, bool)


def test_bound_is_above_the_estimate_and_never_above_one() -> None:
    """An event not seen in a thousand rows gets the rule of three."""
    assert bound(np.array([0.0]), np.array([1000.0])) == pytest.approx([0.003])
    assert bound(np.array([50.0]), np.array([1000.0]))[0] > 0.05
    assert bound(np.array([10.0]), np.array([10.0])) == pytest.approx([1.0])


def test_contexts_hold_the_last_event_and_how_often_it_occurred_lately() -> None:
    """Rows without an event are not counted and change nothing."""
    events = np.array([[1], [NO_EVENT], [1], [0]], np.int8)
    found = count_contexts(events, unbroken(4))
    rows, on = found.rows, found.on

    assert rows.sum() == 3
    assert on.sum() == 2
    assert rows[0, 0, 0] == 1
    assert rows[0, 1].sum() == 2


def test_a_break_forgets_the_past() -> None:
    """Another symbol begins without a last event."""
    events = np.ones((40, 1), np.int8)
    breaks = unbroken(40)
    breaks[20] = True
    rows = count_contexts(events, breaks).rows

    assert rows[0, 0, 0] == 2


def test_thin_cells_take_the_larger_of_their_neighbours_the_pool_and_the_recent_past() -> None:
    """A rare event whose persistence was hardly seen may persist, as often as it lately did."""
    events = np.zeros((2000, 1), np.int8)
    events[[100, 900]] = 1
    upper = fit_null(events, unbroken(2000))

    assert upper.shape == (1, 2, LEVELS)
    assert upper[0, 0, 0] < 0.01
    assert upper[0, 1, :3] == pytest.approx(UNSEEN)
    assert upper[0, 1, 3:] == pytest.approx([0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, ALWAYS])


def test_an_event_that_never_occurred_is_not_expected_to_go_on() -> None:
    """Unless it is a part of one that did: then no sooner than that does it end."""
    events = np.hstack([persistent(4000, 0.9, 0), np.zeros((4000, 1), np.int8)])
    alone = fit_null(events, unbroken(4000))
    part = fit_null(events, unbroken(4000), wider=[-1, 0])

    assert alone[1, 1] == pytest.approx(NEVER)
    assert (part[1, 1] >= 0.89).all()
    assert part[1, 0, 0] == alone[1, 0, 0]


def test_what_is_known_of_an_event_otherwise_counts() -> None:
    """An event that lasts for reasons of its own is not bet to end."""
    events = np.zeros((2000, 1), np.int8)
    upper = fit_null(events, unbroken(2000), lasting=[0.7])

    assert (upper[0, 1] == 0.7).all()


def test_a_rate_that_wanders_is_bounded_where_it_is_highest() -> None:
    """The mean of quiet and loud stretches says nothing about a loud one."""
    rng = np.random.default_rng(0)
    rate = np.where(np.arange(6000) // 600 % 2, 0.02, 0.08)
    wandering = fit_null((rng.random((6000, 1)) < rate[:, None]).astype(np.int8), unbroken(6000))
    steady = fit_null((rng.random((6000, 1)) < 0.05).astype(np.int8), unbroken(6000))

    assert wandering[0, 0, 0] > 0.08
    assert steady[0, 0, 0] < 0.08


def test_an_independent_null_would_accuse_a_healthy_persistent_stream() -> None:
    """Why there are contexts: held against its marginal rate, every run is a scandal."""
    reference, live = persistent(4000, 0.97, 0), persistent(4000, 0.97, 1)
    contextual = fit_null(reference, unbroken(4000))
    marginal = np.full_like(contextual, bound(reference.sum(), np.array(4000)).item())

    assert peaks(marginal, live[None], unbroken(4000)[None]).item() > 13.8
    assert peaks(contextual, live[None], unbroken(4000)[None]).item() < 13.8
