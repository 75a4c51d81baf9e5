"""Which other versions a fault of answers is held against."""

from __future__ import annotations

import uuid

import pytest

from plumbline.bundle.archive import Bundle
from plumbline.monitoring.watching.audit.others import MOST, other_versions
from plumbline.monitoring.watching.audit.replay import Replay
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.answered import answered
from tests.support.bundles import small_bundle

MODEL = "eurusd-1h"


@pytest.fixture
def objects() -> Objects:
    return Objects(f"memory://{uuid.uuid4()}")


def promoted(registry: ModelRegistry, *seeds: int) -> list[Bundle]:
    """Return versions that were champion one after the other."""
    made = [registry.write(*small_bundle(seed=seed)) for seed in seeds]
    for bundle in made:
        registry.promote(bundle.version, actor="test", reason="test")
    return made


def test_the_champion_before_is_named_when_it_still_answers(objects: Objects) -> None:
    """A worker that missed the promotion gives the answers of the version before."""
    registry = ModelRegistry(objects, MODEL)
    before, champion = promoted(registry, 1, 0)
    rows = answered(champion)
    theirs = answered(before, windows=rows.windows).right
    replay = Replay(champion, others=other_versions(registry, champion))

    (_, fault), *_ = rows.saying(theirs, 133).feed(replay)

    assert fault.version == f"version {before.version}"


def test_the_newest_champions_come_first_and_few_are_opened(objects: Objects) -> None:
    """The version itself is never among them."""
    registry = ModelRegistry(objects, MODEL)
    made = promoted(registry, *range(7))

    found = other_versions(registry, made[-1])()

    newest = [f"version {bundle.version}" for bundle in made[-2::-1]]
    assert list(found) == newest[:MOST]


def test_a_version_that_cannot_be_opened_is_left_out(objects: Objects) -> None:
    """What is wrong with it is another matter."""
    registry = ModelRegistry(objects, MODEL)
    first, second, third = promoted(registry, 0, 1, 2)
    objects.delete(f"models/{MODEL}/versions/{second.version}/golden.npz")

    assert list(other_versions(registry, third)()) == [f"version {first.version}"]
