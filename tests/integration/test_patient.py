"""A store that is away for a while: what took long to make waits for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from plumbline.store.errors import ConflictError, StoreError
from plumbline.store.objects import Objects
from plumbline.store.patient import PatientObjects
from plumbline.store.registry import ModelRegistry
from plumbline.store.run import RunEnd, RunRecord, Runs
from plumbline.training.config import read_experiment
from plumbline.training.record import Recorder
from plumbline.training.run import train
from tests.support.bundles import small_bundle
from tests.support.emulator import new_bucket, s3_emulator
from tests.support.experiments import small_experiment
from tests.support.losing import losing
from tests.support.markets import walk, write_csv

AWAY_SECONDS = 1.0


def told(url: str, **more: float) -> tuple[PatientObjects, list[str]]:
    """Return a store that is waited for, and what is said of its outages."""
    said: list[str] = []
    return PatientObjects(url, tell=said.append, **more), said


@pytest.mark.slow  # a whole training
def test_a_training_that_ends_while_the_store_is_away_writes_its_bundle(tmp_path: Path) -> None:
    """And its record; one sentence tells of the outage."""
    folder, away = tmp_path / "store", tmp_path / "away"
    objects, said = told(folder.as_uri())
    timers: list[threading.Timer] = []

    def progress(what: str, _share: float) -> None:
        if what == "writing the bundle":
            folder.rename(away)
            timers.append(threading.Timer(AWAY_SECONDS, lambda: away.rename(folder)))
            timers[0].start()

    bars = write_csv(tmp_path / "walk.csv", walk(900, symbol="default"))
    (tmp_path / "walk.toml").write_text(small_experiment(str(bars)))
    experiment = read_experiment(str(tmp_path / "walk.toml"))
    result = train(
        experiment, objects, "walk", progress=progress, recorder=Recorder(objects, "walk")
    )
    plain = Objects(folder.as_uri())
    record = Runs(plain, "walk").read(result.run)

    assert ModelRegistry(plain, "walk").open(result.version).version == result.version
    assert isinstance(record, RunRecord)
    assert record.end in (RunEnd.FINISHED, RunEnd.REFUSED)
    assert result.gate_seconds >= AWAY_SECONDS
    assert len(timers) == len(said) == 1
    assert said[0].startswith("the store is away, waiting up to 180 s: cannot write models/walk/")


def test_a_bundle_is_written_when_the_store_is_back(tmp_path: Path) -> None:
    """Whole, under its own version, and the outage is told once."""
    folder, away = tmp_path / "store", tmp_path / "away"
    said: list[str] = []

    def tell(what: str) -> None:
        said.append(what)
        threading.Timer(AWAY_SECONDS / 2, lambda: away.rename(folder)).start()

    objects = PatientObjects(folder.as_uri(), tell=tell)
    registry = ModelRegistry(objects, "walk")
    objects.create("walk/begun", b"")
    folder.rename(away)
    version = registry.write(*small_bundle("walk")).version

    assert registry.open(version).version == version
    assert len(said) == 1


@pytest.mark.slow  # the client of S3 tries for some seconds by itself
def test_a_bucket_that_is_away_is_waited_for() -> None:
    """The server is stopped, and another one with the same buckets takes its port."""
    from moto.server import ThreadedMotoServer

    with s3_emulator() as address:
        url = new_bucket(address)
        port = int(address.rsplit(":", 1)[1])
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        said: list[str] = []

        def tell(what: str) -> None:
            said.append(what)
            threading.Timer(AWAY_SECONDS, server.start).start()

        objects = PatientObjects(url, tell=tell)
        registry = ModelRegistry(objects, "walk")
        objects.create("walk/begun", b"")
    try:
        version = registry.write(*small_bundle("walk")).version

        assert registry.open(version).version == version
        assert len(said) == 1
    finally:
        server.stop()


def test_an_answer_that_was_lost_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The object was created, and nobody said so: these bytes are ours, others are not."""
    with s3_emulator() as address, losing(address, answers=0) as proxy:
        url = new_bucket(address)
        monkeypatch.setenv("AWS_ENDPOINT", proxy.url)
        objects, _ = told(url)
        objects.create("one", b"first")
        proxy.lose = 1
        objects.create("two", b"ours")

        assert len(proxy.lost) == 1
        assert objects.read("two") == b"ours"
        with pytest.raises(ConflictError, match="one exists already"):
            objects.create("one", b"somebody else's")


def test_an_outage_that_lasts_too_long_is_an_error(tmp_path: Path) -> None:
    """After as many seconds as it was to wait."""
    folder = tmp_path / "store"
    objects, said = told(folder.as_uri(), seconds=0.6)
    objects.create("begun", b"")
    folder.rename(tmp_path / "away")
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"its folder .* is not there"):
        objects.create("ended", b"")

    assert 0.2 < time.monotonic() - began < 5.0
    assert len(said) == 1
    assert not folder.exists()


def test_a_store_that_never_answered_is_not_waited_for(tmp_path: Path) -> None:
    """Its name may be wrong."""
    folder = tmp_path / "store"
    objects, said = told(folder.as_uri())
    folder.rmdir()
    began = time.monotonic()
    with pytest.raises(StoreError):
        objects.create("begun", b"")

    assert time.monotonic() - began < 1.0
    assert said == []


def test_a_folder_that_is_away_is_no_empty_store(tmp_path: Path) -> None:
    """A disk that was unmounted holds what it held: nothing is found missing, nothing made anew."""
    folder = tmp_path / "store"
    objects = Objects(folder.as_uri())
    objects.create("a/b", b"")
    folder.rename(tmp_path / "away")

    for ask in (objects.read, objects.keys, objects.folders, lambda key: objects.create(key, b"")):
        with pytest.raises(StoreError, match="not there"):
            ask("a/c")
    assert not folder.exists()
