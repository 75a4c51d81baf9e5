"""Rows a stranger's model is measured on, as they come from files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plumbline.training.errors import DataError
from plumbline.training.packing.rows import Rows, read_rows

HOURS = 1_700_000_000 // 3600 * 3600 + 3600 * np.arange(6)


def rows(folder: Path, time: object, **columns: object) -> Rows:
    """Write a file, and read it."""
    path = folder / "rows.parquet"
    pq.write_table(pa.table({"time": time, "x": np.arange(6.0), **columns}), path)
    return read_rows(path)


@pytest.mark.parametrize("factor", [1, 10**3, 10**6, 10**9])
def test_a_time_in_numbers_tells_its_unit_by_its_size(tmp_path: Path, factor: int) -> None:
    """Seconds, milliseconds, microseconds, nanoseconds."""
    found = rows(tmp_path, HOURS * factor)

    assert np.array_equal(found.time, HOURS * 1_000_000)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (pa.array([*HOURS[:5], None]), "row 6 has no time"),
        (pa.array(["soon"] * 6), "row 1, time: found 'soon', expected a time in ISO 8601"),
        (pa.array([[1]] * 6), "expected a time, but the column's type is list"),
    ],
)
def test_a_time_that_is_none_is_said(tmp_path: Path, times: pa.Array, message: str) -> None:
    """With what stands there."""
    with pytest.raises(DataError, match=message):
        rows(tmp_path, times)


def test_texts_may_say_their_zone(tmp_path: Path) -> None:
    """As ISO 8601 has it; without one they are UTC."""
    moments = [f"2026-01-02T{hour:02d}:00:00" for hour in range(6)]
    zoned = rows(tmp_path, [f"{each}+02:00" for each in moments]).time
    plain = rows(tmp_path, moments).time

    assert np.array_equal(plain - zoned, np.full(6, 2 * 3600 * 1_000_000))
    assert np.array_equal(rows(tmp_path, [f"{each}Z" for each in moments]).time, plain)
    large = pa.array(moments, pa.large_string())
    assert np.array_equal(rows(tmp_path, large).time, plain)


def test_nanoseconds_are_rounded_down(tmp_path: Path) -> None:
    """A file's clock may be finer than ours."""
    exact = pa.array(HOURS * 10**9 + 7, pa.timestamp("ns", tz="UTC"))

    assert np.array_equal(rows(tmp_path, exact).time, HOURS * 10**6)


def test_rows_of_another_interval_than_was_said_are_refused(tmp_path: Path) -> None:
    """The commonest distance counts: a weekend is none."""
    weekend = rows(tmp_path, HOURS + np.where(HOURS[3] < HOURS, 48 * 3600, 0))
    weekend.refuse_interval(3600)
    with pytest.raises(
        DataError, match="stand 3600 s apart, and the description says bar_interval = 900 s"
    ):
        weekend.refuse_interval(900)


def test_distances_are_those_of_each_symbol(tmp_path: Path) -> None:
    """Two symbols row by row are hours of each."""
    found = rows(tmp_path, HOURS[[0, 0, 1, 1, 2, 2]], symbol=["a", "b"] * 3)
    found.refuse_interval(3600)

    assert list(found.symbol) == ["a", "a", "a", "b", "b", "b"]
