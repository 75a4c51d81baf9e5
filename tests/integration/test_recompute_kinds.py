"""Recomputation of models that take raw bars, and of models of several symbols."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.inputs import input_bytes
from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.bars import Bars
from plumbline.training.config import read_experiment
from plumbline.training.feature_table import bar_array, build_table, resolve_feature_set
from plumbline.training.recompute import recompute
from plumbline.training.run import train
from tests.support.bar_files import with_symbol
from tests.support.control import MODEL
from tests.support.experiments import small_experiment
from tests.support.markets import walk, write_csv
from tests.support.recomputed import SYMBOL, WALK
from tests.support.sent import log_inputs

MARKETS = {name: walk(900, seed=seed, symbol=name) for seed, name in enumerate("ABCD")}


def table_of(bars: Bars) -> np.ndarray:
    """What training computes of every bar."""
    return build_table(resolve_feature_set("intraday_31", {}, [bars]), bars)


def trained(folder: Path, text: str) -> Bundle:
    """Train on a configuration."""
    (folder / "model.toml").write_text(text)
    objects = Objects((folder / "store").as_uri())
    made = train(read_experiment(str(folder / "model.toml")), objects, MODEL)
    return ModelRegistry(objects, MODEL).open(made.version)


@pytest.fixture(scope="module")
def on_bars(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A model that takes raw bars, and their file."""
    folder = tmp_path_factory.mktemp("bars")
    path = write_csv(folder / "walk.csv", WALK)
    text = 'input = "bars"\n' + small_experiment(str(path), symbol=SYMBOL)
    return trained(folder, text), path


@pytest.fixture(scope="module")
def on_four(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A model of four symbols, and the file that has them."""
    folder = tmp_path_factory.mktemp("four")
    path = folder / "four.csv"
    path.write_bytes(with_symbol(*MARKETS.values()))
    return trained(folder, small_experiment(str(path))), path


def asked(tmp_path: Path, made: tuple[Bundle, Path], sent: Bars, every: int = 10) -> Recomputed:
    """Send whole windows of bars as some client has them, one in ten kept, and recompute."""
    bundle, path = made
    objects = Objects((tmp_path / "store").as_uri())
    (spec,) = bundle.manifest.inputs
    raw = bar_array(sent)
    ends = range(len(sent) - 60, len(sent))
    windows = np.stack([raw[end + 1 - spec.shape[0] : end + 1] for end in ends])
    kept = [
        input_bytes([spec], {spec.name: windows}, i) if i % every == 0 else None
        for i in range(len(windows))
    ]
    log_inputs(
        objects,
        bundle,
        table_of(WALK)[-60:],
        [int(sent.time[end]) for end in ends],
        symbol=SYMBOL,
        windows=kept,
    )
    return recompute(objects, bundle, str(path))


def test_right_bars_are_equal(tmp_path: Path, on_bars: tuple[Bundle, Path]) -> None:
    """Each bar of the kept windows once, however many windows have it."""
    found = asked(tmp_path, on_bars, WALK)
    length = on_bars[0].manifest.inputs[0].shape[0]

    assert found.compared == length + 50
    assert (found.wrong, found.open) == ((), ())


@pytest.mark.parametrize(
    ("sent", "said", "columns"),
    [
        (replace(WALK, volume=WALK.volume / 100), "volume", {"volume"}),
        (replace(WALK, open=WALK.close, close=WALK.open), "close", {"open", "close"}),
        (replace(WALK, time=WALK.time + 3_600_000_000), "before the one", {"open", "volume"}),
    ],
    ids=["lots", "swapped", "stamped"],
)
def test_bars_that_are_not_the_file_s_are_named(
    tmp_path: Path, on_bars: tuple[Bundle, Path], sent: Bars, said: str, columns: set[str]
) -> None:
    """By the columns of a bar."""
    found = asked(tmp_path, on_bars, sent)

    assert columns <= {each.column for each in found.wrong}
    assert said in found.verdict


def test_a_revised_bar_accuses_no_client_of_bars(
    tmp_path: Path, on_bars: tuple[Bundle, Path]
) -> None:
    """Five of two hundred."""
    high = WALK.high.copy()
    high[-40:-35] *= 1.1

    assert asked(tmp_path, on_bars, replace(WALK, high=high)).wrong == ()


def test_without_whole_windows_the_columns_of_the_graph_are_compared(
    tmp_path: Path, on_bars: tuple[Bundle, Path]
) -> None:
    """They are logged with every row."""
    found = asked(tmp_path, on_bars, WALK, every=1_000_000)
    bundle, path = on_bars
    objects = Objects((tmp_path / "other").as_uri())
    log_inputs(objects, bundle, table_of(WALK)[-60:], WALK.time[-60:].tolist(), symbol=SYMBOL)
    alone = recompute(objects, bundle, str(path))

    assert found.compared == bundle.manifest.inputs[0].shape[0]
    assert (alone.compared, alone.wrong) == (60, ())


def interleaved(tables: dict[str, np.ndarray], rows: int) -> tuple[np.ndarray, list[int], list]:
    """Return the newest rows of every symbol as they come: bar by bar."""
    features, times, symbols = [], [], []
    for back in range(rows, 0, -1):
        for name, table in tables.items():
            features.append(table[-back])
            times.append(int(MARKETS[name].time[-back]))
            symbols.append(name)
    return np.array(features), times, symbols


def ask_four(
    tmp_path: Path, made: tuple[Bundle, Path], tables: dict[str, np.ndarray], rows: int
) -> Recomputed:
    """Send rows of four symbols and recompute."""
    objects = Objects((tmp_path / "store").as_uri())
    features, times, symbols = interleaved(tables, rows)
    log_inputs(objects, made[0], features, times, symbol=symbols)
    return recompute(objects, made[0], str(made[1]))


def test_four_right_symbols_are_equal(tmp_path: Path, on_four: tuple[Bundle, Path]) -> None:
    """Each against its own bars."""
    tables = {name: table_of(bars) for name, bars in MARKETS.items()}
    found = ask_four(tmp_path, on_four, tables, 60)

    assert (found.compared, found.wrong, found.open) == (240, (), ())


def test_a_symbol_s_rows_alone_can_be_wrong(tmp_path: Path, on_four: tuple[Bundle, Path]) -> None:
    """Three of four are right, and are not accused with it."""
    tables = {name: table_of(bars) for name, bars in MARKETS.items()}
    tables["C"] = np.roll(tables["C"], 2, axis=0)
    found = ask_four(tmp_path, on_four, tables, 60)

    assert (found.symbols, found.rows) == (("C",), 60)
    assert "The inputs of C are not what training computes" in found.verdict
    assert "of 2 bars before" in found.verdict


def test_symbols_that_are_exchanged_are_named(tmp_path: Path, on_four: tuple[Bundle, Path]) -> None:
    """A's rows under B's name, and the other way round."""
    tables = {name: table_of(bars) for name, bars in MARKETS.items()}
    tables["A"], tables["B"] = tables["B"], tables["A"]
    found = ask_four(tmp_path, on_four, tables, 60)

    assert found.symbols == ("A", "B")
    assert "of B" in found.verdict


def test_a_factor_in_every_symbol_is_no_revised_bar(
    tmp_path: Path, on_four: tuple[Bundle, Path]
) -> None:
    """Thirty rows of each reach no further than a memory, but four markets were not revised."""
    tables = {name: table_of(bars) for name, bars in MARKETS.items()}
    for table in tables.values():
        table[:, 0] *= 100
    found = ask_four(tmp_path, on_four, tables, 30)

    assert [each.kind for each in found.wrong] == ["unit"]
    assert found.symbols == ()
