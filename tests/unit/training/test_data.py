"""Reading bars: formats, names of columns, times, and what is said of a file that does not fit."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.store.objects import Objects
from plumbline.training.bars import COLUMNS, as_datetime
from plumbline.training.data import DATASETS, Source, read_bars, resolve
from plumbline.training.errors import DataError
from tests.support.bar_files import MS, US, klines, with_symbol, yfinance_levels
from tests.support.markets import HOUR, walk, write_csv

CHEAP = r"row 4 \(2020-01-01 01:00\), close: found 'cheap', expected a number: correct the cell"


def read(path, **options):
    return read_bars(Source(str(path), **options))


def test_a_csv_file_gives_back_its_bars(tmp_path):
    """Every number and time survives; the column names' case does not matter."""
    bars = walk(50)
    (found,) = read(write_csv(tmp_path / "bars.csv", bars), symbol="WALK")

    assert found.symbol == "WALK"
    assert np.array_equal(found.time, bars.time)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(found, name), getattr(bars, name))
    assert found.interval == HOUR


def parquet(bars, symbols):
    return pa.table(
        {
            "timestamp": pa.array(bars.time, pa.timestamp("us", tz="UTC")),
            "symbol": symbols,
            **{name: getattr(bars, name) for name in ("open", "high", "low", "close")},
            "volume": (bars.volume * 1000).astype(np.int64),
        }
    )


def test_a_parquet_file_may_hold_several_symbols(tmp_path):
    """One `Bars` per symbol, those asked for, in the order asked for."""
    bars = walk(40)
    pq.write_table(parquet(bars, ["A"] * 15 + ["B"] * 25), tmp_path / "bars.parquet")
    source = Source(str(tmp_path / "bars.parquet"))
    both = read_bars(source, symbols=("B", "A"))

    assert [(one.symbol, len(one)) for one in both] == [("B", 25), ("A", 15)]
    assert [one.symbol for one in read_bars(source)] == ["A", "B"]
    with pytest.raises(DataError, match=r"no bars of \['C'\] .* there are A, B"):
        read_bars(source, symbols=("C",))


def test_a_symbol_chooses_among_those_of_the_file(tmp_path):
    """One of 60 is read alone; without a column the symbol is the name of the bars."""
    every = [walk(5, seed=seed, symbol=f"COIN{seed}/USDT") for seed in range(60)]
    path = tmp_path / "bars.csv"
    path.write_bytes(with_symbol(*every))

    assert len(read(path)) == 60
    (one,) = read(path, symbol="COIN7/USDT")
    assert np.array_equal(one.close, every[7].close)
    (named,) = read(write_csv(tmp_path / "alone.csv", every[7]), symbol="ANY")
    assert named.symbol == "ANY"


def test_a_symbol_that_is_not_there_is_told_from_near_ones(tmp_path):
    """Another spelling comes first; without a column that is what to add."""
    path = tmp_path / "bars.csv"
    path.write_bytes(with_symbol(*(walk(5, symbol=name) for name in ("ETHUSDT", "BTCUSDT"))))

    with pytest.raises(DataError, match=r"no bars of \['BTC/USDT'\].*the nearest are BTCUSDT"):
        read(path, symbol="BTC/USDT")
    with pytest.raises(DataError, match=r"there are ETHUSDT, BTCUSDT: give one of them as symbol"):
        read(path, symbol="XAU")
    alone = write_csv(tmp_path / "alone.csv", walk(5))
    with pytest.raises(DataError, match=r"the file has no column symbol.*taken for default's"):
        read_bars(Source(str(alone)), symbols=("BTCUSDT", "ETHUSDT"))


def test_symbols_side_by_side_are_read_apart(tmp_path):
    """Where one has no bar, its cells are empty, and the row is not its own."""
    first, second = walk(30, symbol="AAPL"), walk(30, seed=1, symbol="MSFT").take(slice(3, None))
    path = tmp_path / "bars.csv"
    path.write_bytes(yfinance_levels(first, second))
    found = read(path)

    assert [one.symbol for one in found] == ["AAPL", "MSFT"]
    assert [len(one) for one in found] == [30, 27]
    assert np.array_equal(found[1].time, second.time)
    assert np.array_equal(found[1].high, second.high)
    (alone,) = read(path, symbol="MSFT")
    assert len(alone) == 27


def test_months_may_change_their_unit(tmp_path):
    """Binance's klines count milliseconds until the end of 2024 and microseconds from then on."""
    bars = walk(30)
    path = tmp_path / "joined.csv"
    path.write_bytes(klines(bars.take(slice(0, 20)), MS) + klines(bars.take(slice(20, 30)), US))
    (found,) = read(path)

    assert np.array_equal(found.time, bars.time)


def test_pandas_writes_two_levels_to_parquet_as_text(tmp_path):
    """A table as yfinance returns it, written with `to_parquet`."""
    bars = walk(10)
    columns = {f"('{name.title()}', 'SPY')": getattr(bars, name) for name in COLUMNS}
    table = pa.table({**columns, "Date": pa.array(bars.time, pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "bars.parquet")
    (found,) = read(tmp_path / "bars.parquet")

    assert found.symbol == "SPY"
    assert np.array_equal(found.open, bars.open)
    assert np.array_equal(found.time, bars.time)


def test_a_store_url_is_read_like_a_path(tmp_path):
    """The same bytes behind `memory://` and `file://` give the same bars."""
    path = write_csv(tmp_path / "bars.csv", walk(30))
    Objects("memory://market").create("bars.csv", path.read_bytes())

    (remote,) = read("memory://market/bars.csv")
    (local,) = read(path.as_uri())
    assert np.array_equal(remote.close, local.close)


def test_times_may_have_a_format_of_their_own(tmp_path):
    """Times in a format of strptime are UTC; in another one they are refused."""
    path = tmp_path / "bars.csv"
    path.write_text("time,open,high,low,close,volume\n01.02.2017 22:00:00.000,1,1,1,1,5\n")
    (bars,) = read(path, time_format="%d.%m.%Y %H:%M:%S.%f")

    assert as_datetime(int(bars.time[0])) == datetime(2017, 2, 1, 22, tzinfo=UTC)
    with pytest.raises(
        DataError, match=r"row 2, time: found '01.02.2017 22.*expected a time in ISO 8601"
    ):
        read(path)
    with pytest.raises(DataError, match=r"row 2, time: .*a time in the format '%Y'"):
        read(path, time_format="%Y")


HEAD = "time,open,high,low,close,volume\n"
SOUND = "2020-01-01T00:00:00Z,1,1,1,1,1\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("time,open,high,low,close\n", r"lacks volume; found the columns \['time', .*rename"),
        ("when,open,high,low,close,volume\n", r"lacks the time; found .*open_time, timestamp"),
        (
            "time,open,high,low,close,Close,volume\n",
            "columns 5 and 6, 'close' and 'Close', are both",
        ),
        (HEAD, "no bars of any symbol, only a header"),
        ("time open high low close volume\n", "row 1 has a single cell, .*semicolon or a tab"),
        (f"{HEAD}\n{SOUND}2020-01-01T01:00:00Z,1,1,1,cheap,1\n", CHEAP),
        (
            HEAD.replace(",", ";") + "2020-01-01;1,5;2;1;1;1\n",
            "open: found '1,5', .*a decimal point",
        ),
        (f"{HEAD}{SOUND}1\n", "row 3 has another number of cells, 1, than the first row, 6: '1'"),
        (f"{HEAD}{SOUND}{HEAD}", "row 3, time: found 'time', .* it is the header again"),
        (
            f"{HEAD}{SOUND}2020-01-01 01:00,1,1,1,1,1\n",
            "row 3, time: .*expected an offset, as in",
        ),
        (f"{HEAD}01.02.2017,1,1,1,1,1\n", r"row 2, time: found '01.02.2017', .*time_format ="),
        (f"{HEAD}0,1,1,1,1,1\n", "row 2, time: found '0', expected seconds, milliseconds"),
        (f"{HEAD}1577836800,1,1,1,1,1\nx,1,1,1,1,1\n", "row 3, time: found 'x', expected a number"),
        (f"{HEAD}20200101,1,1,1,1,1\n", "row 2, time: found '20200101', .*time_format"),
        (f"{HEAD}202001010930,1,1,1,1,1\n", "found '202001010930', .*like year, month and day"),
        ("1577836800,1,1,1,1,1,1\n", "row 1 has no header, .* 7 columns.* 12 .*Binance"),
        (f"symbol,{HEAD} ,{SOUND}", "row 2, symbol: the cell is empty"),
        (
            "Price,Close,High,Low,Open\nTicker,A,A,A,A\nDate,,,,\n2020-01-01,1,1,1,1\n",
            "volume of 'A'",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path, text, reason):
    """The message names the file and what is wrong with it."""
    path = tmp_path / "bars.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=rf"bars\.csv: .*{reason}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("bars.zip", b"not a zip", r"bars\.zip: cannot be unpacked .*fetch it again"),
        ("bars.csv.gz", b"not gzip", r"bars\.csv\.gz: cannot be unpacked"),
        ("bars.parquet", b"PAR1", r"bars\.parquet: not a readable Parquet file"),
        ("bars.csv", "time;größe".encode("latin-1"), r"bars\.csv: the text is not UTF-8"),
        ("bars.xlsx", b"", r"expected a file whose name ends in \.csv"),
    ],
)
def test_bytes_that_are_no_file_of_bars_are_refused(tmp_path, name, data, reason):
    """The message names the file and says what to do."""
    (tmp_path / name).write_bytes(data)

    with pytest.raises(DataError, match=reason):
        read(tmp_path / name)


def test_a_parquet_cell_is_named_by_its_row(tmp_path):
    """Parquet has no header: the first bar is row 1."""
    bars = walk(3)
    columns = {name: getattr(bars, name) for name in COLUMNS}
    columns["close"] = pa.array(["1", "2", "three"])
    table = pa.table({"date": pa.array(bars.time, pa.timestamp("us")), **columns})
    pq.write_table(table, tmp_path / "bars.parquet")

    with pytest.raises(DataError, match=r"row 3 \(2020-01-01 02:00\), close: found 'three'"):
        read(tmp_path / "bars.parquet")


def test_a_missing_file_is_named(tmp_path):
    """So is a file of a kind that cannot be read, with the data sets there are."""
    with pytest.raises(DataError, match=r"cannot read bars from .*absent\.csv"):
        read(tmp_path / "absent.csv")
    with pytest.raises(DataError, match=r"one of the data sets \['eurusd-1h'\]"):
        read("eurusd-1hour")
    with pytest.raises(DataError, match=r"cannot read bars from memory://nowhere/bars\.csv"):
        read("memory://nowhere/bars.csv")


def test_the_named_data_set_is_read_without_importing_its_package():
    """6,225 hourly bars of 2017, although gym-anytrading cannot be imported here."""
    import sys

    assert set(DATASETS) == {"eurusd-1h"}
    (bars,) = read_bars(resolve("eurusd-1h", symbol="ignored", time_format=None))

    assert (bars.symbol, len(bars), bars.interval) == ("EURUSD", 6225, HOUR)
    assert as_datetime(int(bars.time[0])) == datetime(2017, 1, 1, 22, tzinfo=UTC)
    assert as_datetime(int(bars.time[-1])) == datetime(2017, 12, 29, 21, tzinfo=UTC)
    assert bars.close[-1] == 1.20075
    assert "gym_anytrading" not in sys.modules


def test_only_closed_bars_exist_at_a_moment():
    """A bar that is still open at the moment is not there yet."""
    bars = walk(10)
    third_close = int(bars.time[2]) + HOUR

    assert len(bars.until(third_close)) == 3
    assert len(bars.until(third_close - 1)) == 2


def test_one_bar_has_no_interval():
    """The message counts the bars."""
    with pytest.raises(DataError, match="1 bars are too few"):
        _ = walk(1).interval
