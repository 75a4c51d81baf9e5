"""Opening a bundle: whole, right, of a known format, or refused by name."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of, open_bundle
from plumbline.bundle.errors import FormatError, IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import MANIFEST, version_of
from tests.support.bundles import small_bundle


@pytest.fixture(scope="module")
def made():
    """A bundle that is in order."""
    return small_bundle()


def reseal(made, **files):
    """Return a bundle whose manifest fits changed files, keyed by name up to the dot."""
    manifest, old = made
    names = {name.split(".")[0]: name for name in old}
    new = {**old, **{names[stem]: data for stem, data in files.items()}}
    digests = {name: digest_of(data) for name, data in new.items()}
    return manifest.model_copy(update={"files": digests}), new


def open_made(manifest, files, version=None):
    """Open a bundle from memory."""
    data = manifest if isinstance(manifest, bytes) else manifest.to_json()
    stored = {**files, MANIFEST: data}

    def read(name):
        if name not in stored:
            raise IntegrityError(f"{name}: missing")
        return stored[name]

    return open_bundle(version or version_of(data), read)


def test_a_bundle_in_order_opens_under_its_version(made):
    """Every part is parsed and of the manifest's shape."""
    manifest, files = made
    bundle = open_made(manifest, files)

    assert bundle.version == manifest.version
    assert bundle.golden.inputs.shape[1:] == (manifest.window_length, len(manifest.features.names))
    assert bundle.reference.action_shares.sum() == pytest.approx(1)
    assert bundle.validation.passed


def test_an_older_writers_bundle_keeps_its_version(made):
    """A manifest laid out in another way is another address, and stays it."""
    manifest, files = made
    data = json.dumps(json.loads(manifest.to_json())).encode()
    bundle = open_made(data, files)

    assert bundle.version == version_of(data) != manifest.version


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_an_unknown_format_is_refused_before_anything_else(made, number):
    """Its fields may mean anything, so the number alone is read."""
    value = {"format": number, "new": "field"}

    with pytest.raises(FormatError, match=r"manifest.json: format .* is unknown.* reads 1"):
        open_made(json.dumps(value).encode(), made[1])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_manifest_is_refused(made, data):
    """Even where the address fits."""
    with pytest.raises(FormatError, match=r"manifest.json: not a manifest"):
        open_made(data, made[1])


def test_another_versions_manifest_is_refused(made):
    """A swapped folder is not the version asked for."""
    with pytest.raises(IntegrityError, match=rf"it makes version {made[0].version}, not 0{{16}}"):
        open_made(*made, version="0" * 16)


@pytest.mark.parametrize("name", sorted(small_bundle()[1]))
def test_each_missing_file_is_named(made, name):
    """A bundle is all of its files."""
    manifest, files = made

    with pytest.raises(IntegrityError, match=f"{name}: missing"):
        open_made(manifest, {other: data for other, data in files.items() if other != name})


def test_golden_rows_of_another_shape_are_refused(made):
    """The message says what was expected and what came."""
    other = small_bundle(window=5)[1]["golden.npz"]

    with pytest.raises(
        FormatError, match=r"golden.npz: expected rows of \(3, 4\) and 3 logits, .*\(5, 4\)"
    ):
        open_made(*reseal(made, golden=other))


def test_no_golden_rows_prove_nothing(made):
    """An empty check would pass on any graph."""
    empty = GoldenRows(np.zeros((0, 3, 4), np.float32), np.zeros((0, 3), np.float32))

    with pytest.raises(FormatError, match=r"golden.npz: expected at least one row"):
        open_made(*reseal(made, golden=empty.to_bytes()))


@pytest.mark.parametrize("how", [{"features": 5}, {"classes": 4}])
def test_a_reference_of_another_shape_is_refused(made, how):
    """Detectors would compare apples with pears."""
    with pytest.raises(FormatError, match=r"reference.npz: expected \(4, 3\), found"):
        open_made(*reseal(made, reference=small_bundle(**how)[1]["reference.npz"]))


def test_a_calibration_of_another_shape_is_refused(made):
    """One bias per class."""
    other = small_bundle(classes=4)[1]["calibration.json"]

    with pytest.raises(FormatError, match=r"calibration.json: expected 3 biases, found 4"):
        open_made(*reseal(made, calibration=other))


def test_a_bundle_that_was_just_made_has_its_manifests_version(made):
    """Before it was ever opened."""
    assert Bundle(*made).version == made[0].version
