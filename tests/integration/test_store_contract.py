"""What the store promises on every backend: disk, memory, and a real S3 server on loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier

import pytest

from plumbline.bundle.errors import IntegrityError
from plumbline.bundle.record import Record
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError, StoreError
from plumbline.store.lease import Lease
from plumbline.store.log import PredictionLog
from plumbline.store.objects import Objects
from plumbline.store.outcome import OutcomeLog
from plumbline.store.pointer import Pointer
from plumbline.store.registry import ModelRegistry
from plumbline.store.report import list_reports, read_report, write_report
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool
from tests.support.bundles import small_bundle
from tests.support.emulator import new_bucket, s3_emulator
from tests.support.rows import NOON, outcome_row, prediction_rows

_numbers = count()


@pytest.fixture(scope="module")
def s3():
    """A running emulator, shared by this module."""
    with s3_emulator() as address:
        yield address


@pytest.fixture(params=["file", "memory", "s3"])
def url(request, tmp_path):
    """The URL of an empty store on each backend."""
    if request.param == "file":
        return (tmp_path / "store").as_uri()
    if request.param == "memory":
        return f"memory://contract-{next(_numbers)}"
    return new_bucket(request.getfixturevalue("s3"))


@pytest.fixture
def objects(url):
    """An empty store."""
    return Objects(url)


class Note(Record):
    """A value of a pointer."""

    text: str


class TestObjects:
    """Objects are created once, and are then what they are."""

    def test_what_is_created_is_read(self, objects):
        """A second handle on the same URL reads the same bytes."""
        objects.create("a/b.bin", b"\x00\xff" * 1000)

        assert Objects(objects.url).read("a/b.bin") == b"\x00\xff" * 1000

    def test_an_existing_key_is_never_overwritten(self, objects):
        """The second creation is refused, and the first content stays."""
        objects.create("a", b"first")
        with pytest.raises(ConflictError, match="a exists already"):
            objects.create("a", b"second")

        assert objects.read("a") == b"first"

    def test_of_many_creators_one_wins(self, objects):
        """Sixteen threads create one key: one succeeds, and its content is what stays."""
        barrier = Barrier(16)

        def attempt(number):
            barrier.wait()
            try:
                objects.create("contested", str(number).encode())
            except ConflictError:
                return None
            return number

        with ThreadPoolExecutor(16) as pool:
            winners = [n for n in pool.map(attempt, range(16)) if n is not None]

        assert [str(n).encode() for n in winners] == [objects.read("contested")]

    def test_a_missing_key_is_named(self, objects):
        """Reading what is not there says what was looked for."""
        with pytest.raises(NotFoundError, match="there is no some/where"):
            objects.read("some/where")

    def test_listing_is_sorted_bounded_and_by_whole_names(self, objects):
        """Keys come in order, after a key if asked, and a prefix ends at a slash."""
        for key in ("x/2", "x/10", "x/y/1", "xx/1"):
            objects.create(key, b"")

        assert objects.keys("x") == ["x/10", "x/2", "x/y/1"]
        assert objects.keys("x", after="x/10") == ["x/2", "x/y/1"]
        assert objects.keys("nothing") == []
        assert objects.folders("x") == ["y"]
        assert objects.folders("nothing") == []

    def test_deleting_twice_is_deleting_once(self, objects):
        """A key that is gone may be deleted again."""
        objects.create("a", b"")
        objects.delete("a")
        objects.delete("a")

        assert objects.keys("") == []

    def test_many_are_read_in_the_order_asked(self, objects):
        """Reading side by side does not mix up the answers."""
        keys = [f"k/{n}" for n in range(20)]
        for key in keys:
            objects.create(key, key.encode())

        assert objects.read_many(keys[::-1]) == [key.encode() for key in keys[::-1]]

    @pytest.mark.parametrize(
        "key", ["", "/", "../x", "a/../b", "a/./b", "a//b", "a\0b", "a b", "%2e%2e/x", "a#1", "ä"]
    )
    def test_keys_that_mean_something_else_somewhere_are_refused(self, objects, key):
        """No key climbs out of the store or changes its name on the way."""
        with pytest.raises(StoreError, match="is no key"):
            objects.create(key, b"")
        with pytest.raises(StoreError, match="is no key"):
            objects.read(key)


class TestPointer:
    """The highest generation is the truth, the rest is history."""

    def test_generations_follow_each_other(self, objects):
        """Each advance becomes the head; nothing of the history is lost."""
        pointer = Pointer(objects, "p", Note)
        for number in range(12):
            pointer.advance(Note(text=str(number)), after=number)

        assert Pointer(objects, "p", Note).newest().value.text == "11"
        assert [g.number for g in pointer.history()] == list(range(1, 13))

    def test_a_long_lived_reader_sees_the_news(self, objects):
        """A head read before an advance by somebody else is not remembered for ever."""
        reader, writer = Pointer(objects, "p", Note), Pointer(objects, "p", Note)
        before = reader.newest()
        writer.advance(Note(text="new"), after=0)

        assert before is None
        assert reader.newest().value.text == "new"

    def test_forgetting_keeps_the_newest(self, objects):
        """Old generations go, the head stays even if it is told to go."""
        pointer = Pointer(objects, "p", Note)
        for number in range(5):
            pointer.advance(Note(text=str(number)), after=number)
        pointer.forget(before=100)

        assert [g.number for g in Pointer(objects, "p", Note).history()] == [5]


class TestRegistry:
    """Bundles are whole or refused, and of two promoters one wins."""

    def test_a_bundle_comes_back_as_it_was_written(self, objects):
        """Writing twice is a no-op, and reading gives every byte."""
        registry = ModelRegistry(objects, "eurusd-1h")
        manifest, files = small_bundle()
        registry.write(manifest, files)
        written = registry.write(manifest, files)
        opened = ModelRegistry(objects, "eurusd-1h").open(written.version)

        assert opened.files == files
        assert opened.version == manifest.version
        assert registry.versions() == [manifest.version]

    def test_a_half_uploaded_bundle_is_no_version(self, objects):
        """Without its manifest it is not listed, and opening it says what is missing."""
        registry = ModelRegistry(objects, "eurusd-1h")
        manifest, files = small_bundle()
        for name, data in files.items():
            objects.create(f"models/eurusd-1h/versions/{manifest.version}/{name}", data)

        assert registry.versions() == []
        assert registry.uploads() == [manifest.version]
        with pytest.raises(IntegrityError, match=r"manifest.json: missing"):
            registry.open(manifest.version)

    def test_of_two_promoters_one_wins_and_the_other_is_told_by_whom(self, objects):
        """Both have read the same head; the loser learns the winner's name and choice."""
        registry = ModelRegistry(objects, "eurusd-1h")
        versions = {}
        for actor, seed in (("anna", 1), ("bert", 2)):
            versions[actor] = registry.write(*small_bundle(seed=seed)).version
        barrier = Barrier(2)

        def promote(actor):
            mine = ModelRegistry(Objects(objects.url), "eurusd-1h")
            barrier.wait()
            try:
                mine.promote(versions[actor], actor=actor, reason="race", expected=0)
            except ConflictError as error:
                return str(error)
            return None

        with ThreadPoolExecutor(2) as pool:
            told = dict(zip(versions, pool.map(promote, versions), strict=True))
        (loser,) = [actor for actor, message in told.items() if message]
        (winner,) = [actor for actor, message in told.items() if not message]

        assert f"{winner} was first, with {versions[winner]}" in told[loser]
        assert registry.alias().value.version == versions[winner]
        assert len(registry.history()) == 1

    def test_a_refused_bundle_is_promoted_by_force_alone(self, objects):
        """The gate's reason is given; force goes on record."""
        registry = ModelRegistry(objects, "eurusd-1h")
        version = registry.write(*small_bundle(passed=False)).version
        with pytest.raises(RefusedError, match="one action holds 99 %"):
            registry.promote(version, actor="anna", reason="hope")
        made = registry.promote(version, actor="anna", reason="hope", force=True)

        assert made.value.reason == "hope (forced: the gate refused it)"

    def test_a_challenger_stands_beside_a_champion_until_it_is_retired(self, objects):
        """Never beside itself or nobody; the alias remembers whom it pointed at, and by whom."""
        registry = ModelRegistry(objects, "eurusd-1h")
        first, second = (registry.write(*small_bundle(seed=seed)).version for seed in range(2))
        how = {"actor": "anna", "reason": "try it", "alias": "challenger"}
        with pytest.raises(RefusedError, match="has no champion whose requests"):
            registry.promote(first, **how)
        registry.promote(first, actor="anna", reason="the first")
        with pytest.raises(RefusedError, match=f"{first} is the champion"):
            registry.promote(first, **how)
        registry.promote(second, **how, incident="i1")
        retired = registry.retire(actor="monitor", reason="flat", incident="i1")
        again = registry.promote(second, **how)
        registry.retire(actor="bert", reason="enough", expected=again.number)
        with pytest.raises(NotFoundError, match="no challenger to retire"):
            registry.retire(actor="bert", reason="enough")
        with pytest.raises(NotFoundError, match="no version or alias 'challenger'"):
            registry.resolve("challenger")
        with pytest.raises(RefusedError, match="replaced, never retired"):
            registry.retire(actor="bert", reason="enough", alias="champion")
        moves = [move.value for move in registry.history("challenger")]

        assert (retired.value.version, retired.value.previous) == (second, second)
        assert [move.retired for move in moves] == [False, True, False, True]
        assert [move.previous for move in moves] == [None, second, None, second]
        assert registry.alias("challenger") is None
        assert registry.alias().value.version == first

    def test_a_retirement_that_came_second_is_refused(self, objects):
        """Somebody put another version there meanwhile: it stays."""
        registry = ModelRegistry(objects, "eurusd-1h")
        a, b, c = (registry.write(*small_bundle(seed=seed)).version for seed in range(3))
        registry.promote(a, actor="anna", reason="the first")
        seen = registry.promote(b, actor="anna", reason="try", alias="challenger")
        registry.promote(c, actor="bert", reason="no, this", alias="challenger")
        with pytest.raises(ConflictError, match=f"bert was first, with {c}"):
            registry.retire(actor="monitor", reason="flat", expected=seen.number)

        assert registry.alias("challenger").value.version == c

    def test_rollbacks_go_back_and_never_to_what_was_rolled_back_from(self, objects):
        """After A, B, C: back to B, back to A, then there is nothing; a promotion starts anew."""
        registry = ModelRegistry(objects, "eurusd-1h")
        a, b, c = (registry.write(*small_bundle(seed=seed)).version for seed in range(3))
        for version in (a, b, c):
            registry.promote(version, actor="anna", reason="better")
        back = [registry.rollback(actor="bert", reason="worse").value.version for _ in range(2)]
        with pytest.raises(NotFoundError, match="no earlier champion"):
            registry.rollback(actor="bert", reason="worse")
        registry.promote(c, actor="anna", reason="again")

        assert back == [b, a]
        assert registry.rollback(actor="bert", reason="no").value.version == a

    def test_a_rollback_goes_to_what_was_there_or_passed_its_gate(self, objects):
        """Anything else is no way back; force goes on record, and is known by a field."""
        registry = ModelRegistry(objects, "eurusd-1h")
        first, second = (registry.write(*small_bundle(seed=seed)).version for seed in range(2))
        was_there, never = (
            registry.write(*small_bundle(seed=seed, passed=False)).version for seed in (2, 3)
        )
        registry.promote(was_there, actor="anna", reason="hope", force=True)
        registry.promote(first, actor="anna", reason="better")
        with pytest.raises(RefusedError, match=f"{never} was never champion and did not pass"):
            registry.rollback(actor="bert", reason="worse", to=never)
        back = [registry.rollback(actor="bert", reason="w", to=to) for to in (was_there, second)]
        forced = registry.rollback(actor="bert", reason="worse", to=never, force=True)

        assert [move.value.forced for move in back] == [False, False]
        assert forced.value.forced
        assert (
            forced.value.reason == "worse (forced: it was never champion and its gate refused it)"
        )


def test_shipped_rows_are_read_once_and_joined(objects, tmp_path):
    """From spool through segments to readers: every row once, in order, with its outcome."""
    spool = Spool(tmp_path / "spool", 0)
    rows = prediction_rows(range(50), window=3)
    spool.append(rows)
    spool.append([outcome_row("p-000007", label="SELL")])
    shipped = Shipper(tmp_path / "spool", objects).ship()
    log = PredictionLog(objects, "eurusd-1h", clock=lambda: NOON / 1e6 + 3600)
    batch = log.read_new()
    joined = OutcomeLog(objects, "eurusd-1h").join(batch, "h6")

    assert shipped == 51
    assert batch.prediction_id.tolist() == [row.prediction_id for row in rows]
    assert len(log.read_new()) == 0
    assert joined.label[joined.known].tolist() == ["SELL"]
    assert {len(each) for each in log.windows(5)[1]} == {3 * 4 * 4}
    spool.close()


def test_a_lease_has_one_holder(objects):
    """Of many takers at once one holds it, and the others are told who."""
    barrier = Barrier(8)

    def take(number):
        lease = Lease(Objects(objects.url), "controller", f"owner-{number}", 60)
        barrier.wait()
        try:
            lease.acquire()
        except ConflictError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(take, range(8)))
    winner = told.index(None)

    assert told.count(None) == 1
    assert all(f"held by owner-{winner} since" in text for text in told if text)


def test_reports_are_listed_newest_first(objects):
    """Each is found by its name again; a name that could be a path is not looked for."""
    day = datetime(2017, 7, 14, tzinfo=UTC)
    for hours in range(3):
        write_report(objects, "eurusd-1h", f"<p>{hours}</p>", day + timedelta(hours=hours))
    write_report(objects, "eurusd-1h", "<p>2</p>", day + timedelta(hours=2))
    found = list_reports(objects, "eurusd-1h")

    assert [report.time.hour for report in found] == [2, 1, 0]
    assert read_report(objects, "eurusd-1h", found[0].name) == "<p>2</p>"
    with pytest.raises(NotFoundError, match="not the name of a report"):
        read_report(objects, "eurusd-1h", "../../models/secret")


def test_a_store_that_is_gone_says_so(s3, monkeypatch):
    """An address where nobody listens is a StoreError within seconds, not a hang."""
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    objects = Objects("s3://nobody")

    with pytest.raises(StoreError, match="cannot read a"):
        objects.read("a")


@pytest.mark.parametrize("url", ["ftp://x/y", "nonsense", "http://"])
def test_a_url_of_no_store_is_refused(url):
    """The message says what is expected."""
    with pytest.raises(StoreError, match="expected file://"):
        Objects(url)
