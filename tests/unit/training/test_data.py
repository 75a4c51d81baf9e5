"""Reading bars: formats, names of columns, times, and what is said of a file that does not fit."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.store.objects import Objects
from plumbline.training.bars import as_datetime
from plumbline.training.data import DATASETS, Source, read_bars, resolve
from plumbline.training.errors import DataError
from tests.support.markets import HOUR, walk, write_csv


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
    with pytest.raises(DataError, match=r"no bars of \['C'\], found \['A', 'B'\]"):
        read_bars(source, symbols=("C",))


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
    with pytest.raises(DataError, match="times are not in ISO 8601"):
        read(path)
    with pytest.raises(DataError, match="times are not in the format '%Y'"):
        read(path, time_format="%Y")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time,open,high,low,close\n", r"lacks the columns \['volume'\], found \['time'"),
        ("when,open,high,low,close,volume\n", r"lacks the columns \['a time"),
        ("time,open,high,low,close,volume\n", "no bars of any symbol"),
        (
            "time,open,high,low,close,volume\n2020-01-01T00:00:00,1,1,1,cheap,1\n",
            "close is not a number everywhere",
        ),
        ("time,open\n1\n", "not a readable .csv file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name(tmp_path, text, reason):
    """The message names the file and what is wrong with it."""
    path = tmp_path / "bars.csv"
    path.write_text(text)

    with pytest.raises(DataError, match=rf"bars\.csv.*{reason}"):
        read(path)


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
