"""Acceptances: append-only, by version, and cheap to ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.store.acceptance import Acceptance, Acceptances
from plumbline.store.objects import Objects


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """A store on disk."""
    return Objects((tmp_path / "store").as_uri())


def accepting(version: str, **more: object) -> Acceptance:
    """Return what a person says of a version."""
    return Acceptance(
        version=version, time=datetime.now(UTC), actor="a person", reason="an upgrade", **more
    )


def test_a_reader_is_told_of_each_once(objects: Objects) -> None:
    """By asking for what came after the last number it knows."""
    reader, writer = Acceptances(objects, "m"), Acceptances(objects, "m")
    before = reader.since("v1")
    first = writer.accept(accepting("v1"))
    seen = reader.since("v1")
    second = writer.accept(accepting("v1", symbols=("A",)))

    assert before == ()
    assert seen == (first,)
    assert reader.since("v1", after=first.number) == (second,)
    assert reader.since("v1", after=second.number) == ()


def test_versions_are_kept_apart(objects: Objects) -> None:
    """What was said of one version says nothing of its successor."""
    acceptances = Acceptances(objects, "m")
    made = [acceptances.accept(accepting(version)) for version in ("v1", "v2", "v1")]

    assert acceptances.since("v1") == (made[0], made[2])
    assert acceptances.since("v2") == (made[1],)
    assert Acceptances(objects, "other").since("v1") == ()
    assert [each.number for each in acceptances.history()] == [1, 2, 3]


def test_two_people_at_once_are_both_heard(objects: Objects) -> None:
    """The one who was second takes the next number."""
    one, other = Acceptances(objects, "m"), Acceptances(objects, "m")
    one.accept(accepting("v1"))
    other.accept(accepting("v1", clients=("b",)))

    assert [each.value.clients for each in one.since("v1")] == [(), ("b",)]


@pytest.mark.parametrize(
    ("said", "symbol", "client", "covered"),
    [
        ({}, "A", "x", True),
        ({"symbols": ("A",)}, "A", "x", True),
        ({"symbols": ("A",)}, "B", "x", False),
        ({"symbols": ("A", "B"), "clients": ("y",)}, "B", "x", False),
        ({"clients": ("x",)}, "B", "x", True),
    ],
)
def test_it_covers_what_it_names(
    said: dict[str, object], symbol: str, client: str, covered: bool
) -> None:
    """Nothing named is everybody."""
    assert accepting("v1", **said).covers(symbol=symbol, client=client) is covered
