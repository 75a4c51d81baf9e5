"""Operations on the store are told to whoever counts them."""

from __future__ import annotations

import pytest

from plumbline.store.errors import ConflictError, NotFoundError, StoreError
from plumbline.store.observed import OPERATIONS, ObservedObjects


class Notes:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    def record_operation(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Remember one operation."""
        assert seconds >= 0
        self.told.append((operation, failed))


def test_every_operation_is_told():
    """Whatever does the work: the result is the store's own."""
    notes = Notes()
    objects = ObservedObjects("memory://observed", notes)
    objects.create("a/b", b"1")
    found = objects.read("a/b"), objects.read_many(["a/b", "a/b"])
    listed = objects.keys("a"), objects.folders("")
    objects.delete("a/b")

    assert found == (b"1", [b"1", b"1"])
    assert listed == (["a/b"], ["a"])
    assert [each for each, _ in notes.told] == ["create", *["read"] * 3, "list", "list", "delete"]
    assert {each for each, _ in notes.told} == set(OPERATIONS)
    assert not any(failed for _, failed in notes.told)


def test_an_answer_is_no_failure_and_a_failure_is(tmp_path):
    """A missing key and a lost race are answers; what lies there and cannot be read is a fault."""
    notes = Notes()
    objects = ObservedObjects(tmp_path.as_uri(), notes)
    objects.create("a", b"1")
    with pytest.raises(ConflictError, match="exists already"):
        objects.create("a", b"2")
    with pytest.raises(NotFoundError, match="no b"):
        objects.read("b")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StoreError, match="cannot read loop"):
        objects.read("loop")

    assert [failed for _, failed in notes.told] == [False, False, False, True]
