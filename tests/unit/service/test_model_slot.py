"""Hot swap: a new version takes over whole, and any fault keeps the old one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.service.model_slot import ModelSlot, Poller, Serving
from plumbline.service.predictor import Predictor
from plumbline.store.board import Bulletin, verdict_board
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle
from tests.support.served import MODEL, promoted


class Swaps:
    """Remembers what the slot reports."""

    def __init__(self) -> None:
        self.results: list[str] = []
        self.expected: list[str] = []

    def expect_version(self, serving: Serving) -> None:
        """Remember the version."""
        self.expected.append(serving.predictor.version)

    def count_swap(self, model: str, result: str) -> None:
        """Remember the result."""
        assert model == MODEL
        self.results.append(result)


class House:
    """A store, a slot that watches it, and a clock that is moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = folder.as_uri()
        self.objects = Objects(self.url)
        self.registry = ModelRegistry(self.objects, MODEL)
        self.now = 0.0
        self.loads = 0
        self.swaps = Swaps()
        self.slot = ModelSlot(
            self.objects, MODEL, load=self.load, counter=self.swaps, clock=lambda: self.now
        )

    def load(self, bundle):
        """Load and count."""
        self.loads += 1
        return Predictor.load(bundle)

    def spoil(self, version: str, file: str = "model.onnx") -> Path:
        """Flip a bit of a file of a written bundle."""
        path = self.folder / "models" / MODEL / "versions" / version / file
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        return path

    def promote_spoilt(self, seed: int) -> str:
        """Promote a version and spoil it before anybody has loaded it."""
        version = promoted(self.url, seed=seed).version
        self.spoil(version)
        return version

    def publish(self, version: str, verdict: Verdict) -> None:
        """Say something on the verdict board."""
        board = verdict_board(self.objects, MODEL)
        head = board.newest()
        diagnosis = Diagnosis(verdict=verdict, cause="test", n=1)
        bulletin = Bulletin(version=version, diagnosis=diagnosis, time=datetime.now(UTC), rows=1)
        board.advance(bulletin, after=head.number if head else 0)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty house."""
    return House(tmp_path)


def test_without_a_champion_the_slot_says_so(house):
    """Nothing is served, and the reason can be shown at /readyz."""
    house.slot.poll()

    assert house.slot.serving is None
    assert house.slot.reason == "no version has been promoted to champion yet"


def test_promotion_is_followed(house):
    """The next poll after a promotion serves the new version, with its series at zero first."""
    first = promoted(house.url, seed=1)
    house.slot.poll()
    second = promoted(house.url, seed=2)
    house.slot.poll()
    house.slot.poll()

    assert house.slot.serving.predictor.version == second.version
    assert house.slot.serving.generation == 2
    assert house.swaps.expected == [first.version, second.version]
    assert house.swaps.results == ["accepted", "accepted"]
    assert house.loads == 2


def test_corrupt_version_keeps_the_old_one_and_is_counted_once(house):
    """The refusal is reported once, and retried ever more rarely, not at every poll."""
    first = promoted(house.url, seed=1)
    house.slot.poll()
    house.promote_spoilt(seed=2)
    for second in range(100):
        house.now = float(second)
        house.slot.poll()

    assert house.slot.serving.predictor.version == first.version
    assert house.swaps.results == ["accepted", "refused"]
    assert house.slot.reason == ""


def test_retries_of_a_refused_version_become_rare(house):
    """Waits of 1, 2, 4 … up to 60 s between attempts."""
    house.promote_spoilt(seed=2)
    attempts = []
    original = house.registry.open
    house.slot._registry.open = lambda version: attempts.append(house.now) or original(version)
    for second in range(200):
        house.now = float(second)
        house.slot.poll()

    assert attempts == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_refused_version_is_served_once_it_is_whole(house):
    """A fault that passes, like a store that was down, needs no new promotion."""
    version = promoted(house.url, seed=1).version
    house.spoil(version)
    house.slot.poll()
    assert "model.onnx: " in house.slot.reason
    house.spoil(version)
    house.now = 1.0
    house.slot.poll()

    assert house.slot.serving.predictor.version == version


def test_next_promotion_after_a_refusal_is_not_held_up(house):
    """The wait belongs to the refused generation alone."""
    house.promote_spoilt(seed=1)
    house.slot.poll()
    good = promoted(house.url, seed=2)
    house.slot.poll()

    assert house.slot.serving.predictor.version == good.version


def test_half_uploaded_version_is_refused_by_name(house):
    """A missing file is named."""
    promoted(house.url, seed=1)
    bundle = promoted(house.url, seed=2)
    (house.folder / "models" / MODEL / "versions" / bundle.version / "golden.npz").unlink()
    house.slot.poll()

    assert "golden.npz: missing" in house.slot.reason


def test_same_version_promoted_again_is_not_loaded_again(house):
    """Only the generation moves."""
    bundle = promoted(house.url, seed=1)
    house.slot.poll()
    house.registry.promote(bundle.version, actor="test", reason="again")
    house.slot.poll()

    assert (house.slot.serving.generation, house.loads) == (2, 1)


def test_verdict_of_this_version_is_repeated(house):
    """A bulletin about the served version decides whether sizes are suggested."""
    bundle = promoted(house.url)
    house.slot.poll()
    assert (house.slot.serving.verdict, house.slot.serving.sized) == ("insufficient_data", True)
    house.publish(bundle.version, Verdict.DOMINANT_ACTION)
    house.slot.poll()

    assert (house.slot.serving.verdict, house.slot.serving.sized) == ("dominant_action", False)
    assert house.slot.serving.sizes == "held back: dominant_action"


def test_sizes_that_are_withheld_by_policy_are_told_from_those_held_back(house):
    """The verdict stands before the policy; the gate's reason is repeated."""
    manifest, files = small_bundle(MODEL, seed=1)
    policy = manifest.policy.model_copy(update={"withheld": "direction not shown"})
    bundle = house.registry.write(manifest.model_copy(update={"policy": policy}), files)
    house.registry.promote(bundle.version, actor="test", reason="it passed")
    house.slot.poll()

    assert house.slot.serving.sized
    assert house.slot.serving.sizes == "withheld: direction not shown"
    house.publish(bundle.version, Verdict.FLAT)
    house.slot.poll()
    assert house.slot.serving.sizes == "held back: flat"


def test_verdict_of_another_version_says_nothing(house):
    """What was said of the predecessor is not held against its successor."""
    bundle = promoted(house.url, seed=1)
    house.publish(bundle.version, Verdict.FLAT)
    house.slot.poll()
    assert house.slot.serving.verdict is Verdict.FLAT
    promoted(house.url, seed=2)
    house.slot.poll()

    assert house.slot.serving.verdict is Verdict.INSUFFICIENT_DATA


def test_unreadable_bulletin_keeps_the_last_verdict(house):
    """A broken board is no reason to suggest sizes again."""
    bundle = promoted(house.url)
    house.publish(bundle.version, Verdict.FLAT)
    house.slot.poll()
    house.objects.create(f"verdicts/{MODEL}/{2:020d}.json", b"{}")
    house.slot.poll()

    assert house.slot.serving.verdict is Verdict.FLAT


def test_bundle_written_for_another_model_is_refused(house):
    """The name in the manifest must be the one it is served under."""
    manifest, files = small_bundle("other")
    house.registry.write(manifest, files)
    house.registry.promote(manifest.version, actor="test", reason="test")
    house.slot.poll()

    assert house.slot.serving is None
    assert "manifest.json: it is of model other" in house.slot.reason


def test_poller_goes_on_after_a_fault():
    """One task's fault ends neither the others nor the polling."""
    polled = []

    def broken() -> None:
        polled.append("broken")
        raise RuntimeError("fault")

    poller = Poller([broken, lambda: polled.append("whole")], 0.01)
    poller.start(5)
    poller.stop()

    assert polled[:2] == ["broken", "whole"]
