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
from plumbline.bundle.calibration import ChoiceCalibration
from plumbline.bundle.errors import BundleError, FormatError
from plumbline.bundle.heads import build_head
from plumbline.bundle.inputs import given as given_inputs
from plumbline.bundle.inputs import input_bytes, parse_inputs
from plumbline.bundle.manifest import MANIFEST, Manifest, version_of
from plumbline.bundle.policies.argmax import ArgmaxParams, ArgmaxPolicy
from plumbline.bundle.policies.kelly import KellyParams, KellyPolicy
from plumbline.bundle.policies.rank import RankParams, RankPolicy
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.graphs import SEVERAL

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
    made = ChoiceCalibration(
        temperature=temperature, bias=bias, prior_correction=correction, rows=rows
    )
    logits = np.array([[3e38, -3e38] + [0.0] * (len(bias) - 2), [0.0] * len(bias)], np.float32)
    probabilities = made.apply(logits)

    assert ChoiceCalibration.from_json(made.to_json()) == made
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1)


SPECS = st.sampled_from(
    [choice_output(k, members=m) for k in (2, 3, 5) for m in (1, 4)]
    + [value_output(width=w, members=m) for w in (1, 2) for m in (1, 4)]
    + [score_output(members=m) for m in (1, 4)]
)


@st.composite
def raw_numbers(draw):
    """An output, raw numbers for it, and which rows are one cross-section."""
    spec = draw(SPECS)
    n = draw(st.integers(1, 20))
    shape = (n, spec.members, spec.width)
    raw = draw(hnp.arrays(np.float32, shape, elements=st.floats(-1e6, 1e6, width=32)))
    group = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))
    return spec, raw, group


@RELAXED
@given(raw_numbers())
def test_any_finite_numbers_make_a_finite_reading(drawn):
    """Whatever the kind: probabilities that sum to one, spreads of zero or more, coordinates."""
    spec, raw, group = drawn
    head = build_head(spec)
    reading = head.read(raw, head.identity(), group)

    for array in (reading.centre, reading.epistemic, reading.coordinates):
        assert len(array) == len(raw)
        assert np.isfinite(array).all()
    assert (reading.epistemic >= 0).all()
    if spec.choices:
        assert np.allclose(reading.centre.sum(axis=1), 1)
        assert (reading.epistemic <= np.log(spec.width) + 1e-9).all()


@RELAXED
@given(raw_numbers(), st.randoms())
def test_the_order_of_rows_and_of_members_says_nothing(drawn, random):
    """A shuffled batch gets shuffled readings, and members are a set."""
    spec, raw, group = drawn
    head = build_head(spec)
    rows, members = list(range(len(raw))), list(range(spec.members))
    random.shuffle(rows)
    random.shuffle(members)
    plain = head.read(raw, head.identity(), group)
    mixed = head.read(raw[rows][:, members], head.identity(), group[rows])

    np.testing.assert_allclose(mixed.centre, plain.centre[rows], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mixed.epistemic, plain.epistemic[rows], rtol=1e-6, atol=1e-6)
    if spec.kind != "score" or spec.members == 1:  # a mean of members may tie in one order alone
        np.testing.assert_allclose(mixed.coordinates, plain.coordinates[rows], atol=1e-6)


@RELAXED
@given(
    st.integers(2, 6).flatmap(
        lambda k: st.tuples(
            hnp.arrays(np.float64, (10, k), elements=st.floats(0, 1)),
            st.lists(st.floats(0.01, 1), min_size=k, max_size=k),
        )
    ),
    st.floats(0, 5),
    st.floats(0, 0.99),
)
def test_sizes_are_bounded_and_only_for_a_direction(drawn, tau, cost):
    """Between zero and the cap, zero where nothing is bet on and for a losing bet."""
    raw, prior = drawn
    k = raw.shape[1]
    probabilities = (raw + 1e-9) / (raw + 1e-9).sum(axis=1, keepdims=True)
    shares = np.array(prior) / np.sum(prior)
    params = ArgmaxParams(tau=tau, prior=tuple(shares.tolist()), cost=cost)
    policy = ArgmaxPolicy(params, choice_output(k))
    positions = np.array(policy.output.positions)[policy.choose(probabilities)]
    sizes = policy.size(probabilities, positions)
    up = probabilities[:, np.array(policy.output.positions) > 0].sum(axis=1)
    down = probabilities[:, np.array(policy.output.positions) < 0].sum(axis=1)

    assert ((sizes >= 0) & (sizes <= params.size_cap)).all()
    assert (sizes[positions == 0] == 0).all()
    assert (sizes[(positions > 0) & (up <= down - 1e-12)] == 0).all()


@RELAXED
@given(
    hnp.arrays(np.float64, (12, 2), elements=st.floats(-1e3, 1e3)),
    hnp.arrays(np.int64, 12, elements=st.integers(0, 2)),
)
def test_forecasts_and_ranks_hold_bounded_sizes(raw, group):
    """Directions of -1, 0 and 1, and nothing where there is none."""
    value, score = value_output(width=2), score_output()
    for policy in (
        KellyPolicy(KellyParams(), value),
        RankPolicy(RankParams(share=0.3, size_cap=1.0), score),
    ):
        head = build_head(policy.output)
        reading = head.read(raw[:, None, : policy.output.width], head.identity(), group)
        name = policy.output.name
        decision = policy.decide({name: reading}, {name: head.identity()}, group)

        assert decision.action is None
        assert set(decision.position.tolist()) <= {-1.0, 0.0, 1.0}
        assert ((decision.size >= 0) & (decision.size <= 1)).all()
        assert (decision.size[decision.position == 0] == 0).all()


@RELAXED
@given(st.data())
def test_logged_inputs_survive_a_round_trip(data):
    """Any finite or other numbers of several inputs, in their own types, bit for bit."""
    n = data.draw(st.integers(1, 4))
    inputs = {
        spec.name: data.draw(hnp.arrays(np.dtype(spec.dtype), (n, *spec.shape)))
        for spec in given_inputs(SEVERAL)
    }
    rows = [input_bytes(SEVERAL, inputs, i) for i in range(n)]

    assert {k: v.tobytes() for k, v in parse_inputs(SEVERAL, rows).items()} == {
        name: array.tobytes() for name, array in inputs.items()
    }


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
