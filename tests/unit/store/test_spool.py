"""The spool: durable, bounded, in one piece, and handed over."""

from __future__ import annotations

import sqlite3

import pytest

from plumbline.store.errors import SpoolFullError, StoreError
from plumbline.store.outcome import OUTCOMES
from plumbline.store.prediction import PREDICTIONS, SHADOWS
from plumbline.store.spool import ShippingSpool, Spool, SpoolDatabase, spool_folders
from tests.support.rows import outcome_row, prediction_row, prediction_rows, shadow_row


@pytest.fixture
def spool(tmp_path):
    """A spool of a living worker."""
    spool = Spool(tmp_path, "worker")
    yield spool
    spool.close()


def test_both_kinds_of_rows_are_kept_as_they_came(spool):
    """Cells come back equal and in order, nulls and bytes included."""
    rows = prediction_rows(range(5), window=2)
    spool.append([*rows[:3], outcome_row("p-1", label=None), *rows[3:]])
    database = SpoolDatabase(spool.folder)

    assert database.seal(PREDICTIONS, 100) == (5, PREDICTIONS.cells(rows))
    assert database.seal(OUTCOMES, 100) == (1, OUTCOMES.cells([outcome_row("p-1", label=None)]))
    assert spool.pending() == 6
    database.close()


def test_every_commit_is_flushed(spool):
    """Both connections run in write-ahead mode with full synchronisation."""
    run = spool._database._connection.execute

    assert run("PRAGMA journal_mode").fetchone() == ("wal",)
    assert run("PRAGMA synchronous").fetchone() == (2,)


def test_a_seal_is_kept_until_it_is_shipped(spool):
    """Rows that come meanwhile wait for the next seal; shipped rows never come again."""
    spool.append(prediction_rows(range(3)))
    database = SpoolDatabase(spool.folder)
    first = database.seal(PREDICTIONS, 100)
    spool.append(prediction_rows(range(3, 5)))

    assert database.seal(PREDICTIONS, 100) == first
    database.shipped(PREDICTIONS, first[0])
    assert [row[0] for row in database.seal(PREDICTIONS, 100)[1]] == ["p-000003", "p-000004"]
    database.close()


def test_numbers_are_never_reused(spool):
    """After everything was shipped and cleared, new rows are still new."""
    database = SpoolDatabase(spool.folder)
    for number in range(3):
        spool.append([prediction_row(number)])
        last, rows = database.seal(PREDICTIONS, 10)
        database.shipped(PREDICTIONS, last)

        assert (last, len(rows), spool.pending()) == (number + 1, 1, 0)
    database.close()


def test_a_full_spool_refuses_whole_batches_and_recovers_by_shipping(tmp_path):
    """The bound holds on disk, a refused batch leaves nothing behind, and room is used again."""
    spool = Spool(tmp_path, 0, max_bytes=200_000)
    batch = prediction_rows(range(50))

    def fill() -> None:
        for _ in range(1000):
            spool.append(batch)

    with pytest.raises(SpoolFullError, match=r"spool .*0-\d+ is full \(bound 200000 bytes"):
        fill()
    accepted = spool.pending()

    assert accepted > 0
    assert accepted % 50 == 0
    assert (spool.folder / "rows.sqlite").stat().st_size <= 200_000
    database = SpoolDatabase(spool.folder)
    database.shipped(PREDICTIONS, database.seal(PREDICTIONS, accepted)[0])
    spool.append(batch)
    assert spool.pending() == 50
    database.close()
    spool.close()


def test_a_row_that_cannot_be_stored_takes_its_batch_with_it(spool):
    """All or none; the error names the spool."""
    bad = prediction_row(1, prediction_id="x")
    object.__setattr__(bad, "symbol", None)
    with pytest.raises(StoreError, match=r"cannot append to spool .*symbol"):
        spool.append([prediction_row(0), bad])

    assert spool.pending() == 0


def test_two_spools_of_one_process_do_not_share_a_folder(tmp_path):
    """The second finds the first's lock held and takes another name."""
    spools = [Spool(tmp_path, 0), Spool(tmp_path, 0)]

    assert spools[0].folder != spools[1].folder
    for spool in spools:
        spool.close()


def test_a_spool_is_reopened_with_what_is_in_it(tmp_path):
    """A process that gets the same id again, as in a container, goes on where it was."""
    first = Spool(tmp_path, 0)
    first.append(prediction_rows(range(3)))
    first.close()
    again = Spool(tmp_path, 0)

    assert again.folder == first.folder
    assert again.pending() == 3
    again.close()


def test_one_shipper_holds_a_spool(spool):
    """A second one is turned away until the first gives it back."""
    held = ShippingSpool.take(spool.folder)

    assert ShippingSpool.take(spool.folder) is None
    held.release()
    again = ShippingSpool.take(spool.folder)
    assert again is not None
    again.release()


def test_an_empty_spool_goes_with_its_worker_and_not_before(tmp_path):
    """While the worker lives, or rows wait, the folder stays."""
    spool = Spool(tmp_path, 0)
    ShippingSpool.take(spool.folder).release()
    living = spool_folders(tmp_path)
    spool.append([prediction_row(0)])
    spool.close()
    ShippingSpool.take(spool.folder).release()
    waiting = spool_folders(tmp_path)
    held = ShippingSpool.take(spool.folder)
    held.database.shipped(PREDICTIONS, held.database.seal(PREDICTIONS, 10)[0])
    held.release()

    assert living == waiting == [spool.folder]
    assert spool_folders(tmp_path) == []


def test_a_worker_killed_while_it_made_its_spool_leaves_nothing_behind(tmp_path):
    """A folder with half a database is cleared away, not shipped."""
    folder = tmp_path / "0-1"
    folder.mkdir()
    (folder / "owner.lock").touch()
    (folder / "rows.sqlite.new").write_bytes(b"half")

    assert ShippingSpool.take(folder) is None
    assert spool_folders(tmp_path) == []


def test_a_damaged_spool_is_named(tmp_path):
    """A file that is no database is an error of the store, with its folder in the message."""
    folder = tmp_path / "0-1"
    folder.mkdir()
    (folder / "rows.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"cannot open spool .*0-1"):
        ShippingSpool.take(folder)


def test_people_can_read_a_spool_with_sqlite(spool):
    """Columns have the names of the row's fields."""
    spool.append([prediction_row(7)])
    connection = sqlite3.connect(spool.folder / "rows.sqlite")
    found = connection.execute(
        "SELECT prediction_id, model, latency_us FROM predictions"
    ).fetchall()
    connection.close()

    assert found == [("p-000007", "eurusd-1h", 907)]


def test_a_folder_that_cannot_be_one_is_refused(tmp_path):
    """The message says what it must be."""
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"cannot make a spool in .*file.*on a local disk"):
        Spool(tmp_path / "file", 0)


def test_a_spool_of_an_earlier_release_is_taken_up(tmp_path):
    """Process ids repeat: the tables it lacks are made, and a shipper finds no rows in them."""
    old = Spool(tmp_path, "worker")
    old.append(prediction_rows(range(2)))
    old.close()
    connection = sqlite3.connect(old.folder / "rows.sqlite")
    connection.execute("DROP TABLE shadows")
    connection.execute("DELETE FROM progress WHERE name = 'shadows'")
    connection.commit()
    connection.close()
    database = SpoolDatabase(old.folder)

    assert (database.pending(), database.newest(SHADOWS)) == (2, 0)

    database.close()
    again = Spool(tmp_path, "worker")
    again.append([shadow_row(3)])

    assert again.folder == old.folder
    assert again.pending() == 3
    again.close()
