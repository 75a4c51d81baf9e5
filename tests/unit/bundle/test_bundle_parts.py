"""The parts of a bundle: what they mean, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.bundle.calibration import Calibration, softmax
from plumbline.bundle.errors import FormatError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import FeatureSpec, Manifest
from plumbline.bundle.policy import DecisionPolicy
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport
from tests.support.bundles import small_bundle

PRIOR = (0.16, 0.65, 0.19)


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
            ({"classes": ("SELL", "HOLD")}, "one number per class"),
            ({"classes": ("BUY", "BUY", "SELL")}, "classes must be unique"),
            ({"scaler": {"mean": (0.0,), "scale": (1.0,)}}, "one mean and one scale per feature"),
            ({"files": {}}, r"missing=\['calibration.json', "),
            ({"name": "../x"}, "should match pattern"),
            ({"windowlength": 3}, "Extra inputs are not permitted"),
            ({"window_length": 0}, "greater than or equal to 1"),
            ({"seed": float("nan")}, "finite"),
            ({"tolerance": 0.0}, "greater than 0"),
        ],
    )
    def test_contradictions_are_refused(self, manifest, fields, message):
        """Each with a message that says which."""
        with pytest.raises(ValueError, match=message):
            changed(manifest, **fields)

    def test_a_permutation_of_features_is_another_specification(self):
        """The hash is of the names in their order."""
        a, b = FeatureSpec.of(("close", "volume")), FeatureSpec.of(("volume", "close"))

        assert a.sha256 != b.sha256
        with pytest.raises(ValueError, match="not that of the names in this order"):
            FeatureSpec(names=b.names, sha256=a.sha256)

    def test_repeated_features_are_refused(self):
        """A column of one name is one column."""
        with pytest.raises(ValueError, match="must be unique"):
            FeatureSpec.of(("close", "close"))


class TestCalibration:
    """Logits to probabilities, whatever the logits."""

    def test_each_parameter_does_its_part(self):
        """``softmax((z + correction) / temperature + bias)``, by hand."""
        made = Calibration(
            temperature=2, bias=(0.0, np.log(2)), prior_correction=(1.0, 0.0), rows=0
        )

        assert made.apply(np.array([[1.0, 2.0]])) == pytest.approx(np.array([[1 / 3, 2 / 3]]))

    def test_the_identity_is_a_softmax(self):
        """And a softmax does not overflow."""
        logits = np.array([[0.0, 1.0, 2.0], [1e300, 0.0, -1e300]])

        assert np.array_equal(Calibration.identity(3).apply(logits), softmax(logits))
        assert softmax(logits)[1].tolist() == [1.0, 0.0, 0.0]

    @pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf"), 1e-9, 1e9])
    def test_a_temperature_that_makes_nonsense_is_refused(self, temperature):
        """Zero, negative, undefined, or beyond what floats can bear."""
        with pytest.raises(ValueError, match="temperature"):
            Calibration(temperature=temperature, bias=(0.0,), prior_correction=(0.0,), rows=0)

    def test_offsets_of_two_lengths_are_refused(self):
        """One of each per class."""
        with pytest.raises(ValueError, match="one number per class"):
            Calibration(temperature=1, bias=(0.0,), prior_correction=(0.0, 0.0), rows=0)


class TestPolicy:
    """Probabilities are one thing, the action another."""

    def test_tau_takes_the_prior_out(self):
        """The prior itself speaks for no class; a little more BUY than usual is BUY."""
        plain, policy = DecisionPolicy(tau=0, prior=PRIOR), DecisionPolicy(prior=PRIOR)
        row = np.array([[0.16, 0.60, 0.24]])

        assert plain.decide(row).tolist() == [1]
        assert policy.decide(row).tolist() == [2]

    def test_a_size_is_a_fraction_of_kelly(self):
        """Win 60, lose 20, neither 20: full Kelly (0.6-0.2)/0.8 = 0.5, a tenth of it 0.05."""
        policy = DecisionPolicy(prior=PRIOR, kelly_fraction=0.1)
        rows = np.array([[0.2, 0.2, 0.6], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2]])

        assert policy.size(rows, np.array([2, 0, 1])) == pytest.approx([0.05, 0.05, 0.0])

    def test_costs_shrink_a_size_and_the_cap_bounds_it(self):
        """No cost makes a bet larger."""
        row, action = np.array([[0.0, 0.0, 1.0]]), np.array([2])
        free = DecisionPolicy(prior=PRIOR, kelly_fraction=0.05)
        dear = DecisionPolicy(prior=PRIOR, kelly_fraction=0.05, cost=0.5)

        assert dear.size(row, action)[0] < free.size(row, action)[0] <= free.size_cap

    @pytest.mark.parametrize("prior", [(0.0, 0.5, 0.5), (0.5, 0.6, 0.2), (-0.5, 0.5, 1.0)])
    def test_a_prior_that_is_none_is_refused(self, prior):
        """Its logarithm would be taken."""
        with pytest.raises(ValueError, match="prior"):
            DecisionPolicy(prior=prior)


class TestGolden:
    """What a loaded graph must reproduce."""

    def test_the_largest_error_counts(self):
        """Any difference, and anything that is no number."""
        golden = GoldenRows(np.zeros((2, 1, 1), np.float32), np.zeros((2, 2), np.float32))

        assert golden.largest_error(np.array([[0, 0.5], [-0.25, 0]])) == 0.5
        assert golden.largest_error(np.array([[0, np.nan], [0, 0]])) == np.inf
        assert golden.largest_error(np.zeros((2, 3))) == np.inf

    def test_rows_that_do_not_belong_together_are_refused(self):
        """As many inputs as outputs."""
        with pytest.raises(FormatError, match="golden: expected inputs"):
            GoldenRows(np.zeros((2, 1, 1)), np.zeros((3, 2)))


class TestReference:
    """The healthy stream."""

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"labels": np.zeros(3, np.int8)}, "labels has another length"),
            ({"features": np.zeros(300, np.float32)}, r"expected features \(n, f\)"),
            ({"probabilities": np.zeros((300, 2), np.float32)}, "differ in shape"),
            ({"actions": np.full(300, 3, np.int8)}, r"actions must lie in 0..2, found 3..3"),
            ({"labels": np.full(300, -2, np.int8)}, r"labels must lie in -1..2"),
            ({"actions": np.zeros(300)}, "signed integers"),
        ],
    )
    def test_columns_that_contradict_each_other_are_refused(self, reference, fields, message):
        """Each with a message that says which."""
        with pytest.raises(FormatError, match=message):
            replace(reference, **fields)

    def test_a_short_stream_gives_no_guarantee(self, reference):
        """Fewer than 12,000 rows are too few."""
        assert not reference.guaranteed


class TestVerdict:
    """Of a report."""

    def test_the_failing_half_of_a_report_decides(self):
        """A candidate that is fine on validation and dominant on live windows is dominant."""
        report = ValidationReport.from_json(small_bundle()[1]["validation.json"])
        bad = report.validation.model_copy(update={"verdict": Verdict.DOMINANT_ACTION})

        assert report.verdict is Verdict.HEALTHY
        assert report.model_copy(update={"live": bad}).verdict is Verdict.DOMINANT_ACTION
