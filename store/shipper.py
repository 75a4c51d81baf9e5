"""The shipper: rows from spools into segments of the store, each row exactly once.

One round for one table of one spool::

    seal      the spool commits which rows come next
    upload    one create-only object per model and hour; "already there" is success
    shipped   the spool commits that they are in the store, then clears them away

A crash after any of these steps repeats the round with the same rows, and so with the same names.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from plumbline.store.errors import ConflictError, StoreError
from plumbline.store.objects import Objects
from plumbline.store.segment import build_segments
from plumbline.store.spool import TABLES, ShippingSpool, SpoolDatabase, spool_folders
from plumbline.store.table import LogTable

SEGMENT_ROWS = 20_000
"""Rows sealed at a time: bounds memory, and how long a worker may wait for the shipper."""


class Shipper:
    """Ships all spools of a folder, those of dead workers included.

    Any number of shippers may run on one folder, in one process or many: each spool is held by one
    of them at a time, by a lock that dies with its process.

    Parameters
    ----------
    folder
        The common folder of the spools.
    objects
        The store.
    """

    def __init__(self, folder: Path | str, objects: Objects) -> None:
        self._folder = Path(folder)
        self._objects = objects
        self.shipped: Counter[str] = Counter()
        """Rows this shipper has shipped, by table."""

    def ship(self) -> int:
        """Ship every row that is in a spool now; return how many.

        Raises
        ------
        StoreError
            If the store or a spool failed; what was not shipped stays where it is.
        """
        before = self.shipped.total()
        failures: list[StoreError] = []
        for folder in spool_folders(self._folder):
            try:
                self._ship_spool(folder)
            except StoreError as error:
                failures.append(error)  # one broken spool does not hold up the others
            except OSError as error:
                failures.append(StoreError(f"cannot ship spool {folder}: {error}"))
        if failures:
            raise failures[0]
        return self.shipped.total() - before

    def _ship_spool(self, folder: Path) -> None:
        spool = ShippingSpool.take(folder)
        if spool is None:
            return
        try:
            for table in TABLES:
                self._ship_table(spool.database, table)
        finally:
            spool.release()

    def _ship_table(self, database: SpoolDatabase, table: LogTable) -> None:
        """Ship until everything that was there at the start has gone; more may have come since."""
        target, last = database.newest(table), 0
        while last < target:
            last, rows = database.seal(table, SEGMENT_ROWS)
            if not rows:
                return
            for segment in build_segments(table, rows):
                try:
                    self._objects.create(segment.name.key, segment.data)
                except ConflictError:
                    continue  # created before a crash, by the same rows under the same name
            database.shipped(table, last)
            self.shipped[table.name] += len(rows)
