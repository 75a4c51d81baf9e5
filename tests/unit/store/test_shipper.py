"""The shipper: each row once, whatever fails on the way."""

from __future__ import annotations

import pytest

from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.segment import SegmentName
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool, spool_folders
from tests.support.rows import NOON, outcome_row, prediction_row, prediction_rows


@pytest.fixture
def objects(tmp_path):
    """An empty store."""
    return Objects((tmp_path / "store").as_uri())


@pytest.fixture
def spool(tmp_path):
    """A spool of a living worker."""
    spool = Spool(tmp_path / "spools", 0)
    yield spool
    spool.close()


def segments(objects):
    """Return what the names of all segments say."""
    return [SegmentName.parse(key) for key in objects.keys("")]


def test_rows_are_sealed_by_model_and_hour(tmp_path, spool, objects):
    """The folder says table, model, date and hour; the name says from when to when and how many."""
    spool.append(
        [
            prediction_row(0),
            prediction_row(1),
            prediction_row(2, time=NOON + 3_600_000_000),
            prediction_row(3, model="gold-1d"),
            outcome_row("p-000000", received=NOON + 5),
        ]
    )
    shipper = Shipper(tmp_path / "spools", objects)

    assert shipper.ship() == 5
    assert dict(shipper.shipped) == {"predictions": 4, "outcomes": 1}
    assert [(name.folder, name.rows) for name in segments(objects)] == [
        ("outcomes/eurusd-1h/date=2017-07-14/hour=12", 1),
        ("predictions/eurusd-1h/date=2017-07-14/hour=12", 2),
        ("predictions/eurusd-1h/date=2017-07-14/hour=13", 1),
        ("predictions/gold-1d/date=2017-07-14/hour=12", 1),
    ]


def test_nothing_to_ship_writes_nothing(tmp_path, spool, objects):
    """An idle round leaves the store alone; so does a folder that does not exist."""
    assert Shipper(tmp_path / "spools", objects).ship() == 0
    assert Shipper(tmp_path / "nowhere", objects).ship() == 0
    assert objects.keys("") == []


def test_more_rows_than_one_seal_takes_are_shipped_in_one_round(
    tmp_path, spool, objects, monkeypatch
):
    """Sealing is bounded, shipping is not."""
    monkeypatch.setattr("plumbline.store.shipper.SEGMENT_ROWS", 10)
    spool.append(prediction_rows(range(35)))

    assert Shipper(tmp_path / "spools", objects).ship() == 35
    assert [name.rows for name in segments(objects)] == [10, 10, 10, 5]


@pytest.mark.parametrize("written", [True, False])
def test_a_store_that_fails_gets_the_same_segment_again(tmp_path, spool, objects, written):
    """Whether or not the failed upload had arrived, the rows lie there once in the end."""
    spool.append(prediction_rows(range(5)))
    failing = Failing(objects, written=written)
    with pytest.raises(StoreError, match="out of order"):
        Shipper(tmp_path / "spools", failing).ship()
    spool.append(prediction_rows(range(5, 8)))

    assert spool.pending() == 8
    assert Shipper(tmp_path / "spools", objects).ship() == 8
    assert sorted(name.rows for name in segments(objects)) == [3, 5]


def test_a_broken_spool_does_not_hold_up_the_others(tmp_path, spool, objects):
    """The others are shipped first, then the broken one is reported."""
    broken = tmp_path / "spools" / "0-0"
    broken.mkdir()
    (broken / "rows.sqlite").write_bytes(b"not a database" * 100)
    spool.append(prediction_rows(range(5)))
    with pytest.raises(StoreError, match=r"spool .*0-0"):
        Shipper(tmp_path / "spools", objects).ship()

    assert [name.rows for name in segments(objects)] == [5]


def test_the_spool_of_a_dead_worker_is_adopted(tmp_path, objects):
    """Any shipper on the folder takes it over, and clears it away."""
    dead = Spool(tmp_path / "spools", 0)
    dead.append(prediction_rows(range(5)))
    dead.close()
    living = Spool(tmp_path / "spools", 1)

    assert Shipper(tmp_path / "spools", objects).ship() == 5
    assert spool_folders(tmp_path / "spools") == [living.folder]
    living.close()


class Failing(Objects):
    """A store that fails once per key, before or after it has written."""

    def __init__(self, objects: Objects, *, written: bool) -> None:
        super().__init__(objects.url)
        self._written = written

    def create(self, key: str, data: bytes) -> None:
        """Fail."""
        if self._written:
            super().create(key, data)
        raise StoreError("the store is out of order")
