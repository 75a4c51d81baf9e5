"""The parts of a bundle: what they mean, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.calibration import ChoiceCalibration, softmax
from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.inputs import (
    given,
    input_bytes,
    inputs_hash,
    last_steps,
    parse_inputs,
    with_constants,
)
from plumbline.bundle.manifest import Manifest
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.spec import BAR_COLUMNS, FeatureSetSpec, InputSpec, OutputSpec, names_hash
from plumbline.bundle.validation import ValidationReport
from tests.support.bundles import choice_output, score_output, small_bundle, value_output
from tests.support.graphs import SEVERAL, bars_bundle, several_bundle


@pytest.fixture(scope="module")
def manifest():
    """A manifest in order."""
    return small_bundle()[0]


@pytest.fixture(scope="module")
def reference():
    """A reference in order."""
    return ReferenceProfile.from_bytes(small_bundle()[1]["reference.npz"])


def changed(manifest, **fields):
    """Return a manifest's JSON value with other fields, read again."""
    return Manifest.model_validate({**manifest.model_dump(), **fields})


class TestManifest:
    """The identity card contradicts neither itself nor its files."""

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"outputs": [choice_output(), choice_output()]}, "outputs: names must be unique"),
            ({"inputs": []}, "at least 1 item"),
            ({"outputs": []}, "at least 1 item"),
            ({"primary": "h9"}, "primary: there is no output 'h9'"),
            ({"outputs": [value_output(name="h6")]}, "policy argmax needs a choice"),
            ({"outputs": [choice_output(4)]}, "policy argmax: prior must have 4 shares"),
            ({"policy": {"kind": "roulette"}}, r"policy.kind is 'roulette', expected one of"),
            ({"policy": {"kind": "argmax"}}, "prior"),
            ({"unit": "portfolio"}, "'row' or 'cross_section'"),
            ({"scaler": {"mean": (0.0,), "scale": (1.0,)}}, "one mean and one scale per feature"),
            ({"files": {}}, r"missing=\['calibration.json', "),
            ({"name": "../x"}, "should match pattern"),
            ({"windowlength": 3}, "Extra inputs are not permitted"),
            ({"seed": float("nan")}, "finite"),
            ({"tolerance": 0.0}, "greater than 0"),
        ],
    )
    def test_contradictions_are_refused(self, manifest, fields, message):
        """Each with a message that says which."""
        with pytest.raises(ValueError, match=message):
            changed(manifest, **fields)

    def test_bars_must_say_what_is_computed_of_them(self):
        """Nobody could watch columns without names."""
        with pytest.raises(ValueError, match="a graph that takes bars must say what it computes"):
            changed(bars_bundle()[0], feature_set=None)

    def test_watched_columns_are_named_once(self):
        """Those of one input are its own; of several each carries its input's name."""
        assert small_bundle()[0].feature_names == tuple(f"feature_{i}" for i in range(4))
        assert several_bundle()[0].feature_names == (
            *("window.a", "window.b", "extra.b", "extra.c"),
        )

    def test_actions_are_those_of_the_policy(self):
        """A forecast has none."""
        assert small_bundle()[0].actions == ("SELL", "HOLD", "BUY")
        assert small_bundle(outputs=(value_output(),))[0].actions == ()


class TestSpec:
    """What a model takes and what it gives."""

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"names": ("a", "a")}, "column names must be unique"),
            ({"names": ("a", "b", "c")}, "3 names for 2 columns"),
            ({"source": "bars"}, "raw bars have the columns"),
            ({"source": "bundle"}, "a value is for inputs from the bundle, and only"),
            ({"value": (1.0,) * 6}, "a value is for inputs from the bundle, and only"),
            ({"source": "bundle", "value": (1.0,)}, "value must have 6 numbers"),
            ({"shape": (3, 3, 2)}, "at most 2 items"),
            ({"shape": (0, 2)}, "greater than or equal to 1"),
            ({"name": "Features"}, "should match pattern"),
        ],
    )
    def test_an_input_that_contradicts_itself_is_refused(self, fields, message):
        """By its name."""
        whole = {"name": "x", "shape": (3, 2), "names": ("a", "b"), **fields}

        with pytest.raises(ValueError, match=message):
            InputSpec(**whole)

    @pytest.mark.parametrize(
        ("spec", "fields", "message"),
        [
            (choice_output(), {"choices": ("a", "a", "b")}, "choices must be unique"),
            (choice_output(), {"positions": (0.0,)}, "one number per choice"),
            (choice_output(), {"positions": (-2.0, 0.0, 1.0)}, "greater than or equal to -1"),
            (choice_output(), {"members": 0}, "greater than or equal to 1"),
            (value_output(), {"horizon_seconds": 0}, "greater than 0"),
        ],
    )
    def test_an_output_that_contradicts_itself_is_refused(self, spec, fields, message):
        """Before its head is asked."""
        with pytest.raises(ValueError, match=message):
            OutputSpec(**{**spec.model_dump(), **fields})

    @pytest.mark.parametrize(
        ("spec", "fields", "message"),
        [
            (choice_output(), {"width": 1}, "width 1 for 3 choices"),
            (choice_output(), {"choices": (), "positions": ()}, "needs two choices or more"),
            (value_output(), {"width": 3}, "a value has one number, its mean, or two"),
            (score_output(), {"width": 2}, "a score is one number a row"),
            (value_output(), {"kind": "mood"}, r"kind 'mood', expected one of \['choice'"),
        ],
    )
    def test_an_output_that_its_head_cannot_read_is_refused(self, manifest, spec, fields, message):
        """The manifest asks the head."""
        output = OutputSpec(**{**spec.model_dump(), **fields})

        with pytest.raises(ValueError, match=message):
            changed(manifest, outputs=[output], primary=output.name)

    def test_a_permutation_of_features_is_another_specification(self):
        """The hash is of the names in their order."""
        a, b = (FeatureSetSpec.of(names, kind="own") for names in (("c", "v"), ("v", "c")))

        assert a.sha256 != b.sha256
        with pytest.raises(ValueError, match="not that of the names in this order"):
            FeatureSetSpec(kind="own", version=1, names=b.names, sha256=a.sha256)
        with pytest.raises(ValueError, match="must be unique"):
            FeatureSetSpec.of(("close", "close"), kind="own")

    def test_steps_and_hash_of_an_input(self):
        """A moment is one step."""
        bars = InputSpec(name="bars", shape=(9, 6), source="bars", names=BAR_COLUMNS)
        moment = InputSpec(name="x", shape=(2,), names=("a", "b"))

        assert (bars.steps, moment.steps) == (9, 1)
        assert moment.sha256 == names_hash(("a", "b"))


class TestInputs:
    """Rows of all inputs: their bytes, their hash, their last step."""

    ROWS = 3

    @pytest.fixture
    def inputs(self):
        """Numbers for every input that is given."""
        rng = np.random.default_rng(0)
        return {
            spec.name: rng.normal(size=(self.ROWS, *spec.shape)).astype(spec.dtype)
            for spec in given(SEVERAL)
        }

    def test_bytes_make_the_same_arrays_again(self, inputs):
        """In the manifest's order and types, whatever the order of the dictionary."""
        backwards = dict(reversed(inputs.items()))
        rows = [input_bytes(SEVERAL, backwards, i) for i in range(self.ROWS)]
        found = parse_inputs(SEVERAL, rows)

        assert list(found) == ["window", "extra", "past"]
        for name, array in found.items():
            assert array.dtype == inputs[name].dtype
            np.testing.assert_array_equal(array, inputs[name])

    def test_equal_rows_have_equal_hashes_and_others_have_not(self, inputs):
        """Every input counts."""
        before = inputs_hash(input_bytes(SEVERAL, inputs, 0))
        again = inputs_hash(input_bytes(SEVERAL, inputs, 0))
        inputs["past"][0, 0, 0] += 1

        assert before == again != inputs_hash(input_bytes(SEVERAL, inputs, 0))
        assert len(before) == 16

    def test_bytes_of_another_length_are_refused(self):
        """Rows of another version's inputs are not guessed at."""
        with pytest.raises(FormatError, match="logged inputs: expected 56 bytes, found 3"):
            parse_inputs(SEVERAL, [b"abc"])

    def test_the_bundles_own_is_the_same_for_every_row(self, inputs):
        """And does not count as given."""
        whole = with_constants(SEVERAL, inputs, self.ROWS)

        assert whole["goal"].tolist() == [[2.0]] * self.ROWS
        assert "goal" not in {spec.name for spec in given(SEVERAL)}

    def test_last_steps_are_those_of_feature_inputs(self, inputs):
        """Of a moment all of it; the past is not watched."""
        expected = np.hstack([inputs["window"][:, -1], inputs["extra"]])

        np.testing.assert_allclose(last_steps(SEVERAL, inputs), expected, rtol=1e-6)
        with pytest.raises(ValueError, match="no input has columns of its own"):
            last_steps(SEVERAL[2:], inputs)


class TestCalibration:
    """Logits to probabilities, whatever the logits."""

    def test_each_parameter_does_its_part(self):
        """``softmax((z + correction) / temperature + bias)``, by hand."""
        made = ChoiceCalibration(
            temperature=2, bias=(0.0, np.log(2)), prior_correction=(1.0, 0.0), rows=0
        )

        assert made.apply(np.array([[1.0, 2.0]])) == pytest.approx(np.array([[1 / 3, 2 / 3]]))

    def test_the_identity_is_a_softmax(self):
        """And a softmax does not overflow."""
        logits = np.array([[0.0, 1.0, 2.0], [1e300, 0.0, -1e300]])

        assert np.array_equal(ChoiceCalibration.identity(3).apply(logits), softmax(logits))
        assert softmax(logits)[1].tolist() == [1.0, 0.0, 0.0]

    def test_having_been_applied_does_not_change_what_it_is(self):
        """It is compared and written by its numbers alone."""
        made, other = ChoiceCalibration.identity(3), ChoiceCalibration.identity(3)
        made.apply(np.zeros((1, 3)))

        assert made == other
        assert made.to_json() == other.to_json()

    @pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf"), 1e-9, 1e9])
    def test_a_temperature_that_makes_nonsense_is_refused(self, temperature):
        """Zero, negative, undefined, or beyond what floats can bear."""
        with pytest.raises(ValueError, match="temperature"):
            ChoiceCalibration(temperature=temperature, bias=(0.0,), prior_correction=(0.0,), rows=0)

    def test_offsets_of_two_lengths_are_refused(self):
        """One of each per choice."""
        with pytest.raises(ValueError, match="one number per choice"):
            ChoiceCalibration(temperature=1, bias=(0.0,), prior_correction=(0.0, 0.0), rows=0)


class TestGolden:
    """What a loaded graph must reproduce."""

    def test_the_largest_error_counts(self):
        """Any difference in any output, and anything that is no number or missing."""
        zeros = np.zeros((2, 2), np.float32)
        golden = GoldenRows({"x": np.zeros((2, 1, 1))}, {"a": zeros, "b": zeros}, np.arange(2))

        off, undefined = np.array([[0, 0.5], [-0.25, 0]]), np.array([[0, np.nan], [0, 0]])

        assert golden.largest_error({"a": zeros, "b": off}) == 0.5
        assert golden.largest_error({"a": zeros, "b": undefined}) == np.inf
        assert golden.largest_error({"a": zeros, "b": np.zeros((2, 3))}) == np.inf
        assert golden.largest_error({"a": zeros}) == np.inf

    def test_an_error_of_small_numbers_is_a_share_of_them(self):
        """Returns of 1e-4 that come out as zero are wholly wrong, not off by 1e-4."""
        small, large = np.full((2, 1), 1e-4), np.array([[3.0], [-1.0]])
        golden = GoldenRows({"x": np.zeros((2, 1))}, {"r": small, "z": large}, np.arange(2))

        assert golden.largest_error({"r": 0 * small, "z": large}) == 1
        assert golden.largest_error({"r": small, "z": large + 0.1}) == pytest.approx(0.1)
        assert golden.units(("z", "r")).tolist() == [1, 1e-4]

    def test_rows_that_do_not_belong_together_are_refused(self):
        """As many of each input and output as of groups."""
        with pytest.raises(FormatError, match="golden: a has 3 rows, expected 2"):
            GoldenRows({"x": np.zeros((2, 1))}, {"a": np.zeros((3, 2))}, np.arange(2))
        with pytest.raises(FormatError, match="at least one input and one output"):
            GoldenRows({}, {"a": np.zeros((2, 2))}, np.arange(2))


class TestReference:
    """The healthy stream."""

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"truth": np.zeros((3, 1))}, "truth has another length"),
            ({"features": np.zeros(300, np.float32)}, r"expected features \(n, …\)"),
            ({"raw": np.zeros(300, np.float32)}, r"expected raw \(n, …\)"),
            ({"action": np.full(300, -2, np.int8)}, "action must be integers, -1 or more"),
            ({"action": np.zeros(300)}, "action must be integers"),
        ],
    )
    def test_columns_that_contradict_each_other_are_refused(self, reference, fields, message):
        """Each with a message that says which."""
        with pytest.raises(FormatError, match=message):
            replace(reference, **fields)

    def test_shares_are_those_of_actions_taken(self, reference):
        """Rows without one are not counted; without any there are none."""
        half = replace(reference, action=np.array([-1, 2] * 150, np.int8))
        none = replace(reference, action=np.full(300, -1, np.int8))

        assert half.action_shares(3).tolist() == [0.0, 0.0, 1.0]
        assert none.action_shares(0).tolist() == []

    def test_a_short_stream_gives_no_guarantee(self, reference):
        """Fewer than 12,000 rows give no bound on false alarms."""
        assert not reference.guaranteed


class TestVerdict:
    """Of a report."""

    def test_the_failing_half_of_a_report_decides(self):
        """A candidate that is fine on validation and dominant on live windows is dominant."""
        report = ValidationReport.from_json(small_bundle()[1]["validation.json"])
        bad = report.validation.model_copy(update={"verdict": Verdict.DOMINANT_ACTION})

        assert report.verdict is Verdict.HEALTHY
        assert report.model_copy(update={"live": bad}).verdict is Verdict.DOMINANT_ACTION
