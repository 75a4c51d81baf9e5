"""What is written is read back, and nothing else is accepted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plumbline.bundle.archive import digest_of, open_bundle
from plumbline.bundle.array import read_arrays, write_arrays
from plumbline.bundle.calibration import Calibration
from plumbline.bundle.errors import BundleError, FormatError
from plumbline.bundle.manifest import MANIFEST, Manifest, version_of
from plumbline.bundle.policy import DecisionPolicy
from tests.support.bundles import small_bundle

MODEL, FILES = small_bundle()
ALL = {**FILES, MANIFEST: MODEL.to_json()}
RELAXED = settings(deadline=None)
DTYPES = st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.bool_, "U5"])
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0)))
FINITE = st.floats(-1e3, 1e3)


def open_with(files):
    """Open the bundle of this module with other files."""
    return open_bundle(MODEL.version, lambda name: files[name])


def required(schema, at=()):
    """Return the path of every field a manifest must have, nested ones included."""
    fields = schema.model_fields.items()
    for name, field in fields:
        if field.is_required():
            yield (*at, name)
        if hasattr(field.annotation, "model_fields"):
            yield from required(field.annotation, (*at, name))


@RELAXED
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), ARRAYS, max_size=4))
def test_arrays_survive_a_round_trip(arrays):
    """Values, shapes and types come back, and equal arrays make equal bytes."""
    data = write_arrays(arrays)
    found = read_arrays(data, tuple(arrays), source="x.npz")

    assert write_arrays(found) == data
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


@settings(RELAXED, max_examples=300)
@given(data=st.data())
def test_a_damaged_array_archive_is_a_format_error_or_the_same(data):
    """Whatever bytes are changed, no other exception comes out and nothing is executed."""
    original = write_arrays({"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "yz"])})
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_arrays(bytes(changed), ("a", "b"), source="x.npz")
    except FormatError as error:
        assert "x.npz" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert set(found) == {"a", "b"}


@RELAXED
@given(st.binary(max_size=200))
def test_noise_is_no_array_archive(noise):
    """Random bytes are refused by name."""
    with pytest.raises(FormatError, match=r"x\.npz"):
        read_arrays(noise, ("a",), source="x.npz")


@RELAXED
@given(
    st.floats(1e-3, 1e3),
    st.lists(st.tuples(FINITE, FINITE), min_size=2, max_size=5),
    st.integers(0, 10**9),
)
def test_a_calibration_survives_a_round_trip_and_gives_probabilities(temperature, offsets, rows):
    """Every calibration that can be written gives finite rows that sum to one."""
    bias, correction = zip(*offsets, strict=True)
    made = Calibration(temperature=temperature, bias=bias, prior_correction=correction, rows=rows)
    logits = np.array([[3e38, -3e38] + [0.0] * (len(bias) - 2), [0.0] * len(bias)], np.float32)
    probabilities = made.apply(logits)

    assert Calibration.from_json(made.to_json()) == made
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1)


@RELAXED
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(0, 1)),
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.floats(0, 5),
    st.floats(0, 0.99),
)
def test_sizes_are_bounded_and_only_for_a_direction(raw, prior, tau, cost):
    """Between zero and the cap, zero for HOLD and for a losing bet."""
    probabilities = (raw + 1e-9) / (raw + 1e-9).sum(axis=1, keepdims=True)
    shares = np.array(prior) / np.sum(prior)
    policy = DecisionPolicy(tau=tau, prior=tuple(shares.tolist()), cost=cost)
    actions = policy.decide(probabilities)
    sizes = policy.size(probabilities, actions)

    assert ((sizes >= 0) & (sizes <= policy.size_cap)).all()
    assert (sizes[actions == 1] == 0).all()
    assert (sizes[(actions == 2) & (probabilities[:, 2] <= probabilities[:, 0])] == 0).all()


@pytest.mark.parametrize("path", sorted(required(Manifest)), ids=".".join)
def test_a_manifest_without_any_one_field_is_refused(path):
    """Each required field, at any depth, is missed by name."""
    value = json.loads(MODEL.to_json())
    parent = value
    for name in path[:-1]:
        parent = parent[name]
    del parent[path[-1]]
    data = json.dumps(value).encode()

    with pytest.raises(FormatError, match=rf"{MANIFEST}.*{path[-1]}"):
        open_bundle(version_of(data), lambda name: {**FILES, MANIFEST: data}[name])


@pytest.mark.parametrize("name", sorted(ALL))
@settings(RELAXED, max_examples=60)
@given(data=st.data())
def test_any_flipped_byte_of_any_file_is_refused(name, data):
    """The file is named, whichever byte it is."""
    changed = bytearray(ALL[name])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(BundleError, match=rf"^{name}: .*changed"):
        open_with({**ALL, name: bytes(changed)})


@pytest.mark.parametrize("name", sorted(ALL))
@settings(RELAXED, max_examples=60)
@given(data=st.data())
def test_any_truncation_of_any_file_is_refused(name, data):
    """However much is left, down to nothing."""
    cut = ALL[name][: data.draw(st.integers(0, len(ALL[name]) - 1))]

    with pytest.raises(BundleError, match=rf"^{name}: truncated"):
        open_with({**ALL, name: cut})


@pytest.mark.parametrize("name", sorted(FILES))
@RELAXED
@given(noise=st.binary(max_size=64))
def test_a_bundle_sealed_over_noise_is_refused(name, noise):
    """Right digests do not make a right file; the graph alone is judged by its runtime."""
    files = {**FILES, name: noise}
    value = json.loads(MODEL.to_json())
    value["files"][name] = json.loads(digest_of(noise).to_json())
    data = json.dumps(value).encode()

    def open_noise():
        return open_bundle(version_of(data), lambda asked: {**files, MANIFEST: data}[asked])

    if name == "model.onnx":
        assert open_noise().files[name] == noise
        return
    with pytest.raises(FormatError, match=name):
        open_noise()
