"""Rows, windows and the account of both."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.spec import BAR_COLUMNS, InputSpec
from plumbline.training.dataset import WINDOW_BATCH, build_dataset
from plumbline.training.errors import LabelError, TrainingError
from plumbline.training.feature_table import (
    bar_array,
    build_table,
    compute,
    mirrored,
    resolve_feature_set,
)
from plumbline.training.labels import LABELS
from plumbline.training.labels.cross_section import CrossSection, CrossSectionParams
from plumbline.training.labels.forward_return import ForwardReturn, ForwardReturnParams
from plumbline.training.labels.returns import Returns, ReturnsParams
from plumbline.training.split import PARTS, Part, Split, SplitParams, split_bars
from plumbline.training.target import measure_targets
from tests.support.markets import HOUR, walk

LENGTH = 16
LABEL = ForwardReturn(ForwardReturnParams(horizon_seconds=6 * 3600, threshold=0.002))
GAPPY = walk(1400).take(np.array([row for row in range(1400) if row % 120 > 1]))
BARS = [GAPPY, walk(500, seed=1, symbol="OTHER")]
FEATURES = resolve_feature_set("intraday_31", {}, BARS)
DATA = build_dataset(BARS, FEATURES, LABEL, LENGTH)
MIRROR = np.concatenate([build_table(FEATURES, mirrored(bars)) for bars in BARS])
SPLIT_PARAMS = SplitParams(
    train=0.4, calibration=0.2, validation=0.2, test=0.2, embargo_seconds=7200
)
SPLIT = split_bars(DATA.time, SPLIT_PARAMS, horizon=LABEL.horizon)


def test_a_window_is_the_newest_rows_oldest_first():
    """The last step is the row itself."""
    rows = np.array([200, 700])
    windows = DATA.windows(rows)

    assert windows.shape == (2, LENGTH, DATA.features.shape[1])
    assert np.array_equal(windows[0], DATA.features[200 - LENGTH + 1 : 201])
    assert np.array_equal(windows[1, -1], DATA.features[700])


def test_batches_are_the_rows_in_order():
    """However many there are, never too many at once."""
    rows = np.flatnonzero(DATA.complete)
    batches = list(DATA.batches(rows))

    assert len(rows) > WINDOW_BATCH
    assert max(len(batch) for batch in batches) == WINDOW_BATCH
    assert np.array_equal(np.concatenate(batches), rows)


def test_a_graph_is_given_what_its_inputs_ask_for():
    """Windows of features, or the bars they are computed from: the same rows of either."""
    rows = np.array([200, 700, len(DATA) - 1])
    needed = DATA.bars_needed
    bars = InputSpec(name="bars", shape=(needed, 6), source="bars", names=BAR_COLUMNS)
    features = InputSpec(name="features", shape=DATA.window_shape, names=DATA.names)
    given = DATA.inputs(rows, (bars, features))

    assert np.array_equal(given["features"], DATA.windows(rows))
    assert np.array_equal(given["bars"][0], bar_array(GAPPY)[200 - needed + 1 : 201])
    found = compute(FEATURES, given["bars"])
    assert np.abs((found - given["features"]) / DATA.windows(rows).std()).max() < 1e-3


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
        assert np.isfinite(DATA.truth[DATA.rows(SPLIT, part)]).all()
    stream = DATA.stream(SPLIT, "calibration", "validation")
    assert np.isnan(DATA.truth[stream]).any()


def test_a_row_that_knows_one_of_its_outputs_is_used():
    """Before a weekend the hour ahead is known and the day ahead is not."""
    label = Returns(ReturnsParams(horizons_seconds=(3600, 36 * 3600)))
    data = build_dataset(BARS, FEATURES, label, LENGTH)
    one, other = np.isfinite(data.truth).T
    rows = data.rows(split_bars(data.time, SPLIT_PARAMS, horizon=label.horizon), "train")

    assert (one & ~other).sum() > 50
    assert np.isin(np.flatnonzero(one & ~other & data.complete)[:6], rows).all()
    assert (one | other)[rows].all()


def test_a_row_whose_truth_is_known_in_a_later_part_teaches_nothing():
    """Bars are counted: over a holiday the outcome lies further ahead than the purge."""
    time = DATA.time[DATA.symbol == "OTHER"]
    holiday = BARS[1].take((time < time[200]) | (time > time[320]))
    label = CrossSection(CrossSectionParams(horizon_bars=6, bar_seconds=3600))
    data = build_dataset([holiday], FEATURES, label, LENGTH)
    border = int(time[200]) + 50 * HOUR
    parts = (Part("train", int(time[0]), border), Part("calibration", border, int(time[-1]) + 1))
    split = Split(parts, purge=label.horizon, embargo=0)
    clear, rows = data.clear(split, "train"), data.rows(split, "train")

    assert clear[-7:].tolist() == [193, 194, 195, 196, 197, 198, 199]
    assert rows[-1] == 193
    assert (data.known_at[rows] < border).all()


def test_rows_of_one_moment_are_one_cross_section():
    """Of labels that rank; for others each row is its own."""
    label = CrossSection(CrossSectionParams(horizon_bars=2, bar_seconds=3600))
    data = build_dataset(BARS, FEATURES, label, LENGTH)
    shared = np.intersect1d(*(data.time[data.symbol == name] for name in ("WALK", "OTHER")))

    assert len(np.unique(data.group)) == len(np.unique(data.time))
    for moment in shared[:5]:
        assert len(np.unique(data.group[data.time == moment])) == 1
    assert len(np.unique(DATA.group)) == len(DATA)


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
    both = DATA.with_mirror(MIRROR, LABEL)
    n = len(DATA)
    known = np.isfinite(DATA.truth[:, 0])

    assert len(both) == 2 * n
    assert np.array_equal(both.time[n:], DATA.time)
    assert np.array_equal(both.truth[n:][known], 2 - DATA.truth[known])
    assert np.isnan(both.truth[n:][~known]).all()
    assert np.array_equal(both.features[n:], MIRROR, equal_nan=True)
    assert np.array_equal(both.complete[n:], DATA.complete)
    assert not np.isin(both.group[n:], both.group[:n]).any()
    growth = (1 + both.forward_return[n:]) * (1 + DATA.forward_return)
    assert np.allclose(growth[known], 1)


def test_a_graph_that_takes_bars_is_shown_those_of_the_mirror():
    """Else a refit would hold what it says of the market against the truths of the other one."""
    both = DATA.with_mirror(MIRROR, LABEL)
    other = np.concatenate([bar_array(mirrored(bars)) for bars in BARS])
    needed = DATA.bars_needed
    spec = InputSpec(
        name="bars", shape=(needed, 6), source="bars", names=BAR_COLUMNS, dtype="float64"
    )
    row = len(DATA) + 700

    assert np.array_equal(both.bars[len(DATA) :], other)
    shown = both.inputs(np.array([row]), (spec,))["bars"][0]
    assert np.array_equal(shown, other[700 - needed + 1 : 701])


def test_the_mirror_is_the_market_it_says_it_is():
    """Turned round by hand and labelled anew: the same truths, but for a hair at the threshold."""
    other = build_dataset([mirrored(bars) for bars in BARS], FEATURES, LABEL, LENGTH)
    both = DATA.with_mirror(MIRROR, LABEL)
    known = np.isfinite(other.truth[:, 0])

    assert np.array_equal(known, np.isfinite(both.truth[len(DATA) :, 0]))
    same = both.truth[len(DATA) :][known] == other.truth[known]
    assert same.mean() > 0.99
    assert np.allclose(
        both.forward_return[len(DATA) :][known], other.forward_return[known], atol=1e-12
    )


def test_a_label_without_a_mirror_image_says_so():
    """Which ranks would be turned round depends on the quote of each symbol."""
    kind = LABELS["cross_section"]
    label = kind(kind.Params(horizon_bars=2))
    with pytest.raises(TrainingError, match=r"no mirror image: set data\.mirror to false"):
        build_dataset(BARS, FEATURES, label, LENGTH).with_mirror(MIRROR, label)


def test_a_row_and_its_mirror_image_lie_in_the_same_part():
    """So that nothing of a later part is learnt through the mirror."""
    both = DATA.with_mirror(MIRROR, LABEL)
    for part in PARTS:
        rows = DATA.rows(SPLIT, part)

        assert np.array_equal(both.rows(SPLIT, part), np.concatenate([rows, rows + len(DATA)]))


def test_targets_are_measured_on_what_is_known():
    """Shares of a choice, mean and deviation of a value; masked rows count nowhere."""
    rows = DATA.rows(SPLIT, "train")
    (choice,) = measure_targets(LABEL.outputs, DATA.truth[rows], "train")
    returns = Returns(ReturnsParams(horizons_seconds=(3600,)))
    (value,) = measure_targets(returns.outputs, np.array([[0.01], [np.nan], [0.03]]), "train")

    assert sum(choice.prior) == pytest.approx(1)
    assert choice.prior[1] == pytest.approx((DATA.truth[rows] == 1).mean())
    assert (value.centre, value.scale) == (pytest.approx(0.02), pytest.approx(0.01))
    assert value.prior is None


def test_truths_that_cannot_teach_are_refused():
    """No rows, none of a class, none known, or always the same; the message says which."""
    truth = DATA.truth[DATA.rows(SPLIT, "train")]
    returns = Returns(ReturnsParams(horizons_seconds=(3600, 7200))).outputs
    with pytest.raises(TrainingError, match="no rows are left in the train part"):
        measure_targets(LABEL.outputs, truth[:0], "train")
    with pytest.raises(
        LabelError, match=r"the test part lacks a class \(SELL 0, HOLD \d+, BUY 0\)"
    ):
        measure_targets(LABEL.outputs, truth[truth[:, 0] == 1], "test")
    with pytest.raises(LabelError, match="the train part has no row whose return_2h is known"):
        measure_targets(returns, np.array([[0.1, np.nan], [0.2, np.nan]]), "train")
    with pytest.raises(LabelError, match="the train part's return_1h never changes"):
        measure_targets(returns, np.array([[0.1, 0.1], [0.1, 0.2]]), "train")
