"""What every feature set promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.spec import BAR_COLUMNS, FEATURES, InputSpec
from plumbline.training.data import read_bars, resolve
from plumbline.training.export import export_network
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.feature_promises import check_feature_set
from plumbline.training.feature_sets import FEATURE_SETS
from plumbline.training.feature_table import (
    bar_array,
    build_table,
    mirrored,
    refuse_standing,
    resolve_feature_set,
)
from plumbline.training.fit import seeded
from plumbline.training.network import BarNetwork, Network, ServedNetwork, fit_scaler
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.readout import Readout
from plumbline.training.target import Target
from tests.support.bundles import choice_output
from tests.support.markets import HOUR, walk

LENGTH = 12


@pytest.fixture(params=FEATURE_SETS)
def kind(request):
    """The name of each registered feature set."""
    return request.param


def real_bars():
    """EUR/USD hours, weekends and all."""
    (bars,) = read_bars(resolve("eurusd-1h", symbol="EURUSD", time_format=None))
    return bars


def shares():
    """Seven hours a day on five days a week."""
    bars = walk(24 * 120)
    return bars.take((bars.time // HOUR % 24 < 7) & (bars.time // (24 * HOUR) % 7 < 5))


def standing():
    """A market in which nothing moves or trades for two days, twice."""
    bars = walk(700)
    values = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    volume = bars.volume.copy()
    for start in (250, 500):
        for each in values.values():
            each[start : start + 48] = values["close"][start - 1]
        volume[start : start + 48] = 0
    return replace(bars, **values, volume=volume)


MARKETS = {"currency": real_bars, "shares": shares, "coin": lambda: walk(700), "standing": standing}


@pytest.mark.parametrize("market", MARKETS)
def test_it_keeps_its_promises(kind, market):
    """Names, shape, type, finite rows, no future, finite memory, windows, exported graph."""
    bars = MARKETS[market]().take(slice(-700, None))

    check_feature_set(resolve_feature_set(kind, {}, [bars]), bars, window_length=LENGTH)


def test_its_parameters_can_be_recorded(kind):
    """What was found in the bars is written down, and gives the same set without the bars."""
    bars = shares()
    found = resolve_feature_set(kind, {}, [bars])
    again = FEATURE_SETS[kind](FEATURE_SETS[kind].Params.model_validate(found.recorded_parameters))

    assert again.names == found.names
    assert again.memory == found.memory
    assert np.array_equal(build_table(again, bars), build_table(found, bars), equal_nan=True)


def test_no_column_stands_still_in_a_real_market(kind):
    """A standing column always means a broken client."""
    bars = real_bars()
    found = resolve_feature_set(kind, {}, [bars])

    refuse_standing(found.names, build_table(found, bars))


def test_the_price_level_does_not_matter(kind):
    """The same market in another currency has the same columns."""
    bars = walk(600)
    dear = replace(
        bars, **{name: getattr(bars, name) * 150 for name in ("open", "high", "low", "close")}
    )
    found = resolve_feature_set(kind, {}, [bars])

    assert np.allclose(
        build_table(found, bars), build_table(found, dear), atol=1e-5, equal_nan=True
    )


def test_the_market_turned_upside_down_differs_in_signs_alone(kind):
    """One over the price: what rises falls, and each column is itself or minus itself."""
    bars = walk(600)
    found = resolve_feature_set(kind, {}, [bars])
    table = build_table(found, bars)[found.memory :]
    other = build_table(found, mirrored(bars))[found.memory :]
    same = np.isclose(table, other, atol=1e-5).all(axis=0)
    turned = np.isclose(table, -other, atol=1e-5).all(axis=0)

    assert (same ^ turned).all()
    assert 8 < turned.sum() < len(found.names) - 8


def test_a_model_that_takes_bars_answers_as_one_that_takes_features(kind):
    """Feature set, scaler and network in one graph: the same logits, and the features beside."""
    bars = real_bars().take(slice(-600, None))
    feature_set = resolve_feature_set(kind, {}, [bars])
    table = build_table(feature_set, bars)
    needed, names = feature_set.bars_needed(LENGTH), feature_set.names
    tfa = FAMILIES["tfa"]
    with seeded(0, threads=1):
        core = tfa(tfa.Params(layers=1)).build(Shape(LENGTH, len(names), 3)).eval()
    spec, scaler = choice_output(), fit_scaler(table[feature_set.memory :])
    network = Network(core, scaler, Readout([Target(spec)])).eval()
    takes_bars = InputSpec(
        name="bars", shape=(needed, 6), source="bars", names=BAR_COLUMNS, dtype="float64"
    )
    takes_features = InputSpec(name="features", shape=(LENGTH, len(names)), names=names)
    ends = np.array([needed, 400, 555, 600])
    raw = np.stack([bar_array(bars)[end - needed : end] for end in ends])
    windows = np.stack([table[end - LENGTH : end] for end in ends])
    one = export_network(BarNetwork(feature_set, network), (takes_bars,), raw)
    other = export_network(ServedNetwork(network), (takes_features,), windows)
    found = OnnxModel(one.onnx, (takes_bars,), (spec,)).by_output({"bars": raw})
    expected = OnnxModel(other.onnx, (takes_features,), (spec,))({"features": windows})

    assert np.abs(found[spec.name] - expected).max() < 1e-4
    assert (np.abs(found[FEATURES] - windows[:, -1]) / scaler.scale).max() < 1e-4
