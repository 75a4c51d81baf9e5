"""The spool: rows on the local disk, durable before the caller is answered, until they are shipped.

A spool is a folder ``<slot>-<pid>/`` with a SQLite database in write-ahead mode and two locks. The
worker holds ``owner.lock`` for as long as it lives and appends. Whoever holds ``shipper.lock``
(this worker, another one, or the next start) turns rows into segments of the store.

Row numbers only grow, and two of them per table say how far things are::

    ... rows ≤ shipped ...  ... shipped < rows ≤ sealed ...   ... sealed < rows ...
    in the store, garbage   chosen for the present segments   waiting

`seal` commits its choice before anything is uploaded. So after a crash at any instant the same rows
make the same segments under the same names, which the store then refuses as already there.

The disk must be a local one: neither `flock` nor a SQLite write-ahead log works over NFS.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self, TypeAlias

from plumbline.store.disk import FileLock, fsync_folder
from plumbline.store.errors import SpoolFullError, StoreError
from plumbline.store.outcome import OUTCOMES, OutcomeRow
from plumbline.store.prediction import PREDICTIONS, SHADOWS, PredictionRow, ShadowRow
from plumbline.store.table import Cells, LogTable

Row: TypeAlias = PredictionRow | ShadowRow | OutcomeRow

TABLES = (PREDICTIONS, OUTCOMES, SHADOWS)
MAX_BYTES = 2**30
_DATABASE = "rows.sqlite"
_OWNER_LOCK = "owner.lock"
_SHIPPER_LOCK = "shipper.lock"
_SQLITE_TYPES = {
    "int8": "INTEGER",
    "int32": "INTEGER",
    "int64": "INTEGER",
    "double": "REAL",
    "string": "TEXT",
}
_BUSY_SECONDS = 30.0


class SpoolDatabase:
    """The rows of one spool; used by its worker and by its shipper, each with its own connection.

    Parameters
    ----------
    folder
        Of this one spool; it exists.
    max_bytes
        Bound on the database file, for a connection that appends.
    """

    def __init__(self, folder: Path, *, max_bytes: int | None = None) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._mutex = threading.Lock()
        self._inserts = {table.kind: (table, _insert(table)) for table in TABLES}
        with self._errors("open"):
            self._connection = _connect(folder / _DATABASE)
            run = self._connection.execute
            if max_bytes is None:
                run("PRAGMA wal_autocheckpoint = 0")  # the worker's connection alone checkpoints
            else:
                (page_bytes,) = run("PRAGMA page_size").fetchone()
                run(f"PRAGMA max_page_count = {max_bytes // page_bytes}")

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; they are on the disk on return, all of them or none."""
        with self._errors("append to"), self._transaction():
            for kind, (table, insert) in self._inserts.items():
                mine = [row for row in rows if type(row) is kind]
                if mine:
                    self._connection.executemany(insert, table.cells(mine))

    def pending(self) -> int:
        """Return the number of rows that are not yet in the store."""
        with self._errors("read"), self._mutex:
            return sum(self._last(table) - self._progress(table)[1] for table in TABLES)

    def size(self) -> tuple[int, int]:
        """Return the bytes in use, without pages that are free again, and their bound."""
        with self._errors("read"), self._mutex:
            names = ("page_size", "page_count", "freelist_count", "max_page_count")
            page, count, free, most = (
                self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names
            )
        return page * (count - free), page * most

    def newest(self, table: LogTable) -> int:
        """Return the number of the row appended last; 0 if there never was one."""
        with self._errors("read"), self._mutex:
            return self._last(table)

    def seal(self, table: LogTable, max_rows: int) -> tuple[int, list[Cells]]:
        """Choose the next rows to ship, the same ones again until `shipped` is told.

        Returns
        -------
        int, list
            The number of the last row, for `shipped`, and the rows in the order they were appended.
        """
        with self._errors("seal"):
            with self._transaction():
                sealed, shipped = self._progress(table)
                if sealed == shipped:
                    sealed = min(shipped + max_rows, self._last(table))
                    self._set(table, "sealed", sealed)
            columns = _columns(table)
            with self._mutex:
                rows = self._connection.execute(
                    f"SELECT {columns} FROM {table.name} "  # noqa: S608 - names are ours
                    "WHERE number > ? AND number <= ? ORDER BY number",
                    (shipped, sealed),
                ).fetchall()
            return sealed, rows

    def shipped(self, table: LogTable, last: int) -> None:
        """Record that all rows up to ``last`` are in the store, and clear them away.

        The record is one small commit; the clearing goes in steps that do not hold up the worker.
        """
        with self._errors("clear"):
            with self._transaction():
                self._set(table, "shipped", last)
            self._clear(table, last)

    def close(self) -> None:
        """Close this connection."""
        with self._mutex:
            self._connection.close()

    def _clear(self, table: LogTable, last: int, step: int = 1000) -> None:
        query = f"SELECT min(number) FROM {table.name}"  # noqa: S608 - our name
        first = self._connection.execute(query).fetchone()[0]
        for bound in range((first or last) + step - 1, last + step, step):
            with self._transaction():
                self._connection.execute(
                    f"DELETE FROM {table.name} WHERE number <= ?",  # noqa: S608 - our name
                    (min(bound, last),),
                )

    def _progress(self, table: LogTable) -> tuple[int, int]:
        query = "SELECT sealed, shipped FROM progress WHERE name = ?"
        found = self._connection.execute(query, (table.name,)).fetchone()
        # A spool that an earlier release left behind may lack a table: it has no rows to ship.
        sealed, shipped = found or (0, 0)
        return sealed, shipped

    def _set(self, table: LogTable, column: str, value: int) -> None:
        self._connection.execute(
            f"UPDATE progress SET {column} = ? WHERE name = ?",  # noqa: S608 - our name
            (value, table.name),
        )

    def _last(self, table: LogTable) -> int:
        """Return the number of the newest row ever appended; numbers are never reused."""
        query = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?"
        number: int = self._connection.execute(query, (table.name,)).fetchone()[0]
        return number

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._mutex:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        """Turn SQLite's errors into the store's."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise SpoolFullError(
                    f"spool {self.folder} is full (bound {self._max_bytes} bytes, or the disk): "
                    "its rows do not reach the store; see that it answers, or raise the bound"
                ) from error
            raise StoreError(f"cannot {verb} spool {self.folder}: {error}") from error


class Spool:
    """The spool of one worker process.

    Parameters
    ----------
    folder
        Common folder of all spools of a service; made if need be.
    slot
        Which worker this is, for people; the process id is added.
    max_bytes
        Bound on the disk used; beyond it `append` raises `SpoolFullError`.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path | str, slot: str | int, *, max_bytes: int = MAX_BYTES) -> None:
        try:
            self.folder, self._lock = _own(Path(folder), f"{slot}-{os.getpid()}")
            _make_database(self.folder)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"cannot make a spool in {folder}: {error}; it must be a folder on a local disk "
                "that this user may write"
            ) from error
        self._database = SpoolDatabase(self.folder, max_bytes=max_bytes)

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows; durable on return.

        Raises
        ------
        SpoolFullError
            If the bound is reached or the disk is full; nothing was added.
        StoreError
            If the disk failed; nothing was added.
        """
        self._database.append(rows)

    def pending(self) -> int:
        """Return the number of rows that are not yet in the store."""
        return self._database.pending()

    def size(self) -> tuple[int, int]:
        """Return the bytes in use and their bound."""
        return self._database.size()

    def close(self) -> None:
        """Give the spool up; what is in it is shipped by whoever ships next."""
        self._database.close()
        self._lock.release()


class ShippingSpool:
    """Any spool, held for shipping: its worker may be alive and appending, or gone."""

    def __init__(self, database: SpoolDatabase, lock: FileLock) -> None:
        self.database = database
        self._lock = lock

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Hold a spool for shipping; None where another shipper does or there is nothing yet."""
        lock = FileLock(folder / _SHIPPER_LOCK)
        if not lock.acquire():
            return None
        try:
            if (folder / _DATABASE).exists():
                return cls(SpoolDatabase(folder), lock)
            _remove_if_orphan(folder)
        except StoreError:
            lock.release()
            raise
        lock.release()
        return None

    def release(self) -> None:
        """Give it back; a spool that is empty and whose worker is gone is removed."""
        pending = self.database.pending()
        self.database.close()
        if pending == 0:
            _remove_if_orphan(self.database.folder)
        self._lock.release()


def spool_folders(folder: Path) -> list[Path]:
    """Return the spools below a common folder, of living and dead workers alike."""
    return sorted(path for path in folder.glob("*") if path.is_dir())


def _own(folder: Path, name: str) -> tuple[Path, FileLock]:
    """Make or reopen a spool's folder; process ids repeat, so the name may be held by a shipper."""
    for attempt in range(1, 1000):
        own = folder / (name if attempt == 1 else f"{name}-{attempt}")
        own.mkdir(parents=True, exist_ok=True)
        lock = FileLock(own / _OWNER_LOCK)
        if lock.acquire():
            return own, lock
    raise StoreError(f"cannot own a spool named {name} in {folder}: all of them are held")


def _remove_if_orphan(folder: Path) -> None:
    """Remove a spool whose worker is gone; it holds no rows, and the caller its shipper's lock.

    The owner's lock goes last: a worker that reopens the folder meanwhile finds it held, or makes a
    new one and keeps the folder.
    """
    owner = FileLock(folder / _OWNER_LOCK)
    if not owner.acquire():
        return
    for path in folder.iterdir():
        if path.name != _OWNER_LOCK:
            path.unlink()
    (folder / _OWNER_LOCK).unlink()
    with suppress(OSError):
        folder.rmdir()
    owner.release()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = OFF")
    return connection


def _make_database(folder: Path) -> None:
    """Make the database under another name first, so that a shipper never sees half of one.

    One that is there already gets the tables that the release that made it did not know.
    """
    path = folder / _DATABASE
    if path.exists():
        with closing(_connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            _make_tables(connection)
            connection.execute("COMMIT")
        return
    draft = folder / f"{_DATABASE}.new"
    for leftover in folder.glob(f"{draft.name}*"):
        leftover.unlink()
    connection = _connect(draft)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE progress (name TEXT PRIMARY KEY, sealed INT, shipped INT)")
    _make_tables(connection)
    connection.execute("COMMIT")
    connection.close()
    draft.rename(path)
    for parent in (folder, folder.parent):
        fsync_folder(parent)


def _make_tables(connection: sqlite3.Connection) -> None:
    for table in TABLES:
        connection.execute(_create(table))
        connection.execute("INSERT OR IGNORE INTO progress VALUES (?, 0, 0)", (table.name,))


def _create(table: LogTable) -> str:
    columns = []
    for field in table.schema:
        sqlite_type = _SQLITE_TYPES.get(str(field.type))
        if sqlite_type is None:
            sqlite_type = "INTEGER" if str(field.type).startswith("timestamp") else "BLOB"
        columns.append(f'"{field.name}" {sqlite_type}{"" if field.nullable else " NOT NULL"}')
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} "
        f"(number INTEGER PRIMARY KEY AUTOINCREMENT, {', '.join(columns)})"
    )


def _insert(table: LogTable) -> str:
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks})"  # noqa: S608 - our names


def _columns(table: LogTable) -> str:
    """Quoted, since `group` is a word of SQL."""
    return ", ".join(f'"{name}"' for name in table.columns)
