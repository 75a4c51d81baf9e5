"""Rows, windows and the account of both."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.training.dataset import WINDOW_BATCH, build_dataset, class_shares
from plumbline.training.errors import LabelError, TrainingError
from plumbline.training.feature_table import build_table, mirrored, resolve_feature_set
from plumbline.training.labels import MASKED
from plumbline.training.labels.forward_return import ForwardReturn, ForwardReturnParams
from plumbline.training.split import PARTS, SplitParams, split_bars
from tests.support.markets import HOUR, walk

LENGTH = 16
LABEL = ForwardReturn(ForwardReturnParams(horizon_seconds=6 * 3600, threshold=0.002))
GAPPY = walk(1400).take(np.array([row for row in range(1400) if row % 120 > 1]))
BARS = [GAPPY, walk(500, seed=1, symbol="OTHER")]
FEATURES = resolve_feature_set("intraday_31", {}, BARS)
DATA = build_dataset(BARS, FEATURES, LABEL, LENGTH)
MIRROR = np.concatenate([build_table(FEATURES, mirrored(bars)) for bars in BARS])
SPLIT = split_bars(
    DATA.time,
    SplitParams(train=0.4, calibration=0.2, validation=0.2, test=0.2, embargo_seconds=7200),
    horizon=LABEL.horizon,
)


def test_a_window_is_the_newest_rows_oldest_first():
    """The last step is the row itself."""
    rows = np.array([200, 700])
    windows = DATA.windows(rows)

    assert windows.shape == (2, LENGTH, DATA.features.shape[1])
    assert np.array_equal(windows[0], DATA.features[200 - LENGTH + 1 : 201])
    assert np.array_equal(windows[1, -1], DATA.features[700])


def test_batches_are_the_windows_in_order():
    """However many there are."""
    rows = np.flatnonzero(DATA.complete)

    assert len(rows) > WINDOW_BATCH
    assert np.array_equal(np.concatenate(list(DATA.batches(rows))), DATA.windows(rows))


def test_no_window_reaches_into_another_symbol_or_the_warm_up():
    """Each symbol starts with its own warm-up, and every window of a whole row is finite."""
    first = np.flatnonzero(DATA.symbol == "OTHER")[0]

    assert not DATA.complete[: 120 + LENGTH - 1].any()
    assert not DATA.complete[first : first + 120 + LENGTH - 1].any()
    assert DATA.complete[first + 120 + LENGTH - 1]
    assert np.isfinite(DATA.windows(np.flatnonzero(DATA.complete))).all()


def test_the_account_adds_up():
    """Every row is read, and is warm-up, masked, used once, or kept free."""
    account = DATA.account(SPLIT)

    assert account["read"] == len(DATA) == sum(account.values()) - account["read"]
    assert account["masked"] > 0
    assert account["purged"] > 0


def test_masked_rows_are_never_used():
    """They are in the stream, but neither teach nor judge."""
    for part in PARTS:
        assert (DATA.labels[DATA.rows(SPLIT, part)] != MASKED).all()
    stream = DATA.stream(SPLIT, "calibration", "validation")
    assert (DATA.labels[stream] == MASKED).any()


def test_the_stream_has_no_hole_where_two_parts_meet():
    """Purge and embargo between them are rows of the stream."""
    stream = DATA.stream(SPLIT, "calibration", "validation")
    border = SPLIT.part("validation").start
    near = DATA.time[stream][np.abs(DATA.time[stream] - border) < 12 * HOUR]

    used = np.concatenate([DATA.rows(SPLIT, part) for part in ("calibration", "validation")])
    assert len(near) > np.isin(near, DATA.time[used]).sum()
    assert (DATA.time[stream] >= SPLIT.part("calibration").start + SPLIT.embargo).all()


def test_the_mirror_turns_everything_that_has_a_direction():
    """SELL and BUY change places, the features are those of the mirror; times and masks stay."""
    both = DATA.with_mirror(MIRROR)
    n = len(DATA)
    known = DATA.labels != MASKED

    assert len(both) == 2 * n
    assert np.array_equal(both.time[n:], DATA.time)
    assert np.array_equal(both.labels[n:][known], 2 - DATA.labels[known])
    assert (both.labels[n:][~known] == MASKED).all()
    assert np.array_equal(both.features[n:], MIRROR, equal_nan=True)
    assert np.array_equal(both.complete[n:], DATA.complete)
    growth = (1 + both.forward_return[n:]) * (1 + DATA.forward_return)
    assert np.allclose(growth[known], 1)


def test_a_row_and_its_mirror_image_lie_in_the_same_part():
    """So that nothing of a later part is learnt through the mirror."""
    both = DATA.with_mirror(MIRROR)
    for part in PARTS:
        rows = DATA.rows(SPLIT, part)

        assert np.array_equal(both.rows(SPLIT, part), np.concatenate([rows, rows + len(DATA)]))


def test_class_shares_refuse_what_cannot_teach():
    """No rows, or none of a class; the message counts them."""
    rows = DATA.rows(SPLIT, "train")

    assert sum(class_shares(DATA, rows, "train")) == pytest.approx(1)
    with pytest.raises(TrainingError, match="no rows are left in the train part"):
        class_shares(DATA, rows[:0], "train")
    with pytest.raises(
        LabelError, match=r"the test part lacks a class \(SELL 0, HOLD \d+, BUY 0\)"
    ):
        class_shares(DATA, rows[DATA.labels[rows] == 1], "test")
