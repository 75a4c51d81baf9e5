"""Whatever is appended, in whatever order things fail, the store ends up with each row once."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from plumbline.store.errors import StoreError
from plumbline.store.objects import Objects
from plumbline.store.prediction import PREDICTIONS
from plumbline.store.segment import SegmentName, read_segment
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool, spool_folders
from tests.support.rows import prediction_row

_names = count()


class Unreliable(Objects):
    """A store that may fail at the next upload, before or after it has arrived."""

    fault = ""

    def create(self, key: str, data: bytes) -> None:
        """Create, and fail if so told."""
        fault, self.fault = self.fault, ""
        if fault != "before":
            super().create(key, data)
        if fault:
            raise StoreError("the store failed")


class SpoolAndStore(RuleBasedStateMachine):
    """Workers append and die, shippers ship and fail."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._objects = Unreliable(f"memory://spools-{next(_names)}")
        self._shipper = Shipper(self._folder.name, self._objects)
        self._spool = Spool(self._folder.name, 0)
        self._appended: list[str] = []

    @rule(rows=st.integers(1, 5), hours=st.integers(0, 1))
    def append(self, rows: int, hours: int) -> None:
        """Append rows of one hour."""
        for _ in range(rows):
            row = prediction_row(len(self._appended) + hours * 3600)
            self._spool.append([row])
            self._appended.append(row.prediction_id)

    @rule(fault=st.sampled_from(["", "before", "after"]))
    def ship(self, fault: str) -> None:
        """Ship, and perhaps fail at the first upload."""
        self._objects.fault = fault
        with suppress(StoreError):
            self._shipper.ship()
        self._objects.fault = ""

    @rule()
    def replace_the_worker(self) -> None:
        """One worker dies, another begins; the old spool is left to whoever ships next."""
        self._spool.close()
        self._spool = Spool(self._folder.name, 0)

    @invariant()
    def nothing_is_in_the_store_twice(self) -> None:
        """Nor anything that was never appended."""
        assert not self._stored() - Counter(self._appended)

    def teardown(self) -> None:
        """In the end everything has arrived, once, and no spool is left."""
        self._spool.close()
        self._shipper.ship()

        assert self._stored() == Counter(self._appended)
        assert spool_folders(Path(self._folder.name)) == []
        self._folder.cleanup()

    def _stored(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for key in self._objects.keys("predictions"):
            name = SegmentName.parse(key)
            rows = read_segment(
                PREDICTIONS, name, self._objects.read(key), columns=["prediction_id"]
            )
            found.update(rows.column("prediction_id").to_pylist())
        return found


TestSpoolAndStore = SpoolAndStore.TestCase
TestSpoolAndStore.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
