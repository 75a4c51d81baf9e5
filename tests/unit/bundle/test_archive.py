"""Opening a bundle: whole, right, of a known format, or refused by name."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of, open_bundle
from plumbline.bundle.errors import FormatError, IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import MANIFEST, version_of
from plumbline.bundle.reference import ReferenceProfile
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.graphs import bars_bundle, several_bundle


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
    (spec,) = manifest.inputs
    assert bundle.golden.inputs["features"].shape[1:] == spec.shape
    assert bundle.reference.action_shares(3).sum() == pytest.approx(1)
    assert bundle.validation.passed


def test_an_older_writers_bundle_keeps_its_version(made):
    """A manifest laid out in another way is another address, and stays it."""
    manifest, files = made
    data = json.dumps(json.loads(manifest.to_json())).encode()
    bundle = open_made(data, files)

    assert bundle.version == version_of(data) != manifest.version


@pytest.mark.parametrize("number", [0, 1, 3, "2", None])
def test_an_unknown_format_is_refused_before_anything_else(made, number):
    """Its fields may mean anything, so the number alone is read."""
    value = {"format": number, "new": "field"}

    with pytest.raises(FormatError, match=r"manifest.json: format .* is unknown.* reads 2"):
        open_made(json.dumps(value).encode(), made[1])


def test_a_bundle_of_format_1_is_refused_with_what_to_do(made):
    """Nothing of it is guessed at."""
    value = {"format": 1, "name": "eurusd-1h", "task": "action", "classes": ["SELL", "HOLD", "BUY"]}
    sentence = (
        "manifest.json: format 1 is unknown, this version reads 2: train or pack the model again"
    )

    with pytest.raises(FormatError) as refused:
        open_made(json.dumps(value).encode(), made[1])
    assert str(refused.value) == sentence


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

    wider = small_bundle(classes=4)[1]["golden.npz"]

    with pytest.raises(
        FormatError, match=r"golden.npz: expected inputs {'features': \(3, 4\)}, found .*\(5, 4\)"
    ):
        open_made(*reseal(made, golden=other))
    with pytest.raises(
        FormatError, match=r"golden.npz: expected outputs {'h6': \(3,\)}, found {'h6': \(4,\)}"
    ):
        open_made(*reseal(made, golden=wider))


def test_no_golden_rows_prove_nothing(made):
    """An empty check would pass on any graph."""
    empty = GoldenRows(
        {"features": np.zeros((0, 3, 4), np.float32)},
        {"h6": np.zeros((0, 3), np.float32)},
        np.zeros(0, np.int64),
    )

    with pytest.raises(FormatError, match=r"golden.npz: expected at least one row"):
        open_made(*reseal(made, golden=empty.to_bytes()))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"features": 5}, r"features \(n, 4\), found \(n, 5\)"),
        ({"classes": 4}, r"raw \(n, 3\), found \(n, 4\)"),
        ({"outputs": (choice_output(members=2),)}, r"raw \(n, 3\), found \(n, 6\)"),
    ],
)
def test_a_reference_of_another_shape_is_refused(made, how, message):
    """Detectors would compare apples with pears."""
    with pytest.raises(FormatError, match=rf"reference.npz: expected {message}"):
        open_made(*reseal(made, reference=small_bundle(**how)[1]["reference.npz"]))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("action", np.full(300, 3, np.int8), r"action must lie in -1..2, found 3"),
        ("truth", np.full((300, 1), 0.5), "truth of h6: expected places 0 to 2"),
        ("truth", np.full((300, 1), 3.0), "truth of h6: expected places 0 to 2"),
    ],
)
def test_a_reference_of_what_cannot_be_is_refused(made, column, value, message):
    """Actions the policy does not have, truths that are no choices."""
    reference = ReferenceProfile.from_bytes(made[1]["reference.npz"])
    other = replace(reference, **{column: value}).to_bytes()

    with pytest.raises(FormatError, match=rf"reference.npz: {message}"):
        open_made(*reseal(made, reference=other))


KINDS = {
    "binary": (choice_output(2),),
    "five classes": (choice_output(5),),
    "members": (choice_output(members=8),),
    "forecast": (value_output(width=2, members=3),),
    "cross-section": (score_output(members=2),),
    "several": (choice_output(), value_output(), value_output(name="r24")),
}


@pytest.mark.parametrize("outputs", KINDS.values(), ids=KINDS)
def test_a_bundle_of_any_kind_opens(outputs):
    """Whatever it gives, its parts agree."""
    bundle = open_made(*small_bundle(outputs=outputs))

    assert bundle.outputs.names == tuple(spec.name for spec in outputs)
    assert bundle.reference.raw.shape == (300, bundle.manifest.raw_width)


@pytest.mark.parametrize("made_of", [bars_bundle, several_bundle])
def test_a_bundle_of_other_inputs_opens(made_of):
    """Bars, several inputs, constants of its own."""
    bundle = open_made(*made_of())

    assert set(bundle.golden.inputs) == {
        spec.name for spec in bundle.manifest.inputs if spec.source != "bundle"
    }


def test_a_calibration_of_another_shape_is_refused(made):
    """One bias per class."""
    other = small_bundle(classes=4)[1]["calibration.json"]
    foreign = small_bundle(outputs=(value_output(name="h6"),))[1]["calibration.json"]
    renamed = small_bundle(outputs=(choice_output(name="h9"),))[1]["calibration.json"]

    with pytest.raises(FormatError, match=r"calibration.json: h6: expected 3 biases, found 4"):
        open_made(*reseal(made, calibration=other))
    with pytest.raises(FormatError, match=r"calibration.json: h6: temperature: Field required"):
        open_made(*reseal(made, calibration=foreign))
    with pytest.raises(FormatError, match=r"one calibration for each of \['h6'\], found \['h9'\]"):
        open_made(*reseal(made, calibration=renamed))


def test_a_bundle_that_was_just_made_has_its_manifests_version(made):
    """Before it was ever opened."""
    assert Bundle(*made).version == made[0].version
