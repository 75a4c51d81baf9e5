"""Heads: raw numbers to readings, what they are worth, and what a client is told."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.calibration import ChoiceCalibration, ScoreCalibration, ValueCalibration
from plumbline.bundle.heads import build_head
from plumbline.bundle.heads.choice import clr
from plumbline.bundle.heads.score import normal_scores
from plumbline.bundle.heads.value import crps
from plumbline.bundle.outputs import read_calibrations, write_calibrations
from tests.support.bundles import choice_output, score_output, small_bundle, value_output

SPECS = {
    "choice": choice_output(),
    "five classes": choice_output(5),
    "binary": choice_output(2),
    "choice of eight": choice_output(members=8),
    "value": value_output(),
    "value with deviation": value_output(width=2, members=3),
    "score": score_output(),
    "score of three": score_output(members=3),
}


@pytest.fixture(params=SPECS)
def head(request):
    """The head of each kind of output."""
    return build_head(SPECS[request.param])


def material(head, n=400, seed=0):
    """Return raw numbers, truths that they half know, and groups of ten."""
    rng = np.random.default_rng(seed)
    spec = head.spec
    raw = rng.normal(size=(n, spec.members, spec.width))
    if spec.kind == "value" and spec.width == 2:
        raw[:, :, 1] = np.exp(raw[:, :, 1] / 4)
    if spec.kind == "choice":
        chances = np.exp(raw.mean(axis=1))
        chances /= chances.sum(axis=1, keepdims=True)
        truth = (rng.random((n, 1)) > chances.cumsum(axis=1)).sum(axis=1).astype(float)
    else:
        truth = raw[:, :, 0].mean(axis=1) + rng.normal(size=n)
    return raw, truth, np.arange(n) // 10


def fitted(head, n=400):
    """Return raw numbers, truth, group and the calibration fitted on them."""
    raw, truth, group = material(head, n)
    return raw, truth, group, head.fit(raw, truth, group)


def test_a_reading_is_restored_from_what_is_logged(head):
    """Coordinates need only the centre, so that a logged row can be judged again."""
    raw, _, group, calibration = fitted(head)
    reading = head.read(raw, calibration, group)

    np.testing.assert_allclose(
        head.coordinates(reading.centre, calibration, group), reading.coordinates
    )
    assert len(reading) == len(raw)
    assert reading.centre.shape == (len(raw), head.spec.width)


def test_members_that_agree_are_one_member(head):
    """Epistemic spread is zero exactly where nobody disagrees."""
    raw, _, group, calibration = fitted(head)
    same = np.repeat(raw[:, :1], head.spec.members, axis=1)
    agreed = head.read(same, calibration, group)

    np.testing.assert_allclose(agreed.epistemic, 0, atol=1e-12)
    if head.spec.members > 1:
        assert head.read(raw, calibration, group).epistemic.mean() > 0.01


def test_a_fit_knows_more_than_a_constant_and_is_written_whole(head):
    """The gain on its own rows is positive, and the file gives the same calibration back."""
    raw, truth, group, calibration = fitted(head)
    gain = head.gain(head.read(raw, calibration, group), truth, calibration, group)
    data = write_calibrations({head.spec.name: calibration})

    assert gain.mean() > 0
    assert calibration.fitted
    assert calibration.rows == len(raw)
    assert read_calibrations(data, (head.spec,)) == {head.spec.name: calibration}
    assert head.misfit(calibration) is None


def test_masked_rows_count_for_nothing(head):
    """They are left out of the fit, and have no gain."""
    raw, truth, group = material(head)
    masked = np.where(np.arange(len(truth)) % 3 == 0, np.nan, truth)
    calibration = head.fit(raw, masked, group)
    gain = head.gain(head.read(raw, calibration, group), masked, calibration, group)

    assert calibration.rows == np.isfinite(masked).sum()
    np.testing.assert_array_equal(np.isnan(gain), np.isnan(masked))
    with pytest.raises(ValueError, match="no row has a truth"):
        head.fit(raw, np.full(len(raw), np.nan), group)


def test_what_is_not_finite_is_not_fitted(head):
    """A single undefined number would spoil all of them."""
    raw, truth, group = material(head)
    raw[3, 0, 0] = np.inf

    with pytest.raises(ValueError, match="not finite"):
        head.fit(raw, truth, group)


def test_spread_tells_flat_from_alive(head):
    """1e-4 is flat, whatever the kind; one row says nothing."""
    raw, _, group, calibration = fitted(head)
    alive = head.spread(head.read(raw, calibration, group))
    still = np.repeat(raw[:1], len(raw), axis=0)

    assert alive > 0.05
    assert head.spread(head.read(still, calibration, group)) < 1e-4
    assert head.spread(head.read(raw[:1], calibration, group[:1])) is None


def test_a_client_is_told_the_kind_first_and_plain_numbers(head):
    """What JSON can hold."""
    raw, _, group, calibration = fitted(head)
    wire = head.to_wire(head.read(raw, calibration, group), 3, calibration)

    assert next(iter(wire)) == "kind"
    assert wire["kind"] == head.spec.kind
    for value in wire.values():
        inner = value.values() if isinstance(value, dict) else value
        parts = [inner] if isinstance(inner, str | float) else list(inner)
        assert all(type(part) in (str, float) for part in parts)


def test_the_unfitted_calibration_changes_nothing_that_matters(head):
    """Order is kept, and nobody claims that rows stand behind it."""
    raw, _, group = material(head)
    calibration = head.unfitted(raw)
    reading = head.read(raw, calibration, group)

    assert not calibration.fitted
    assert np.isfinite(reading.coordinates).all()
    np.testing.assert_array_equal(
        reading.centre[:, 0].argsort(),
        head.read(raw, head.identity(), group).centre[:, 0].argsort(),
    )


class TestChoice:
    """Classes."""

    def test_probabilities_are_the_members_average(self):
        """And their disagreement is mutual information, by hand."""
        head = build_head(choice_output(2, members=2))
        raw = np.log(np.array([[[0.9, 0.1], [0.1, 0.9]]]))
        reading = head.read(raw, ChoiceCalibration.identity(2))
        own = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))

        assert reading.centre[0].tolist() == pytest.approx([0.5, 0.5])
        assert reading.epistemic[0] == pytest.approx(np.log(2) - own)

    def test_a_known_temperature_and_bias_are_found(self):
        """From rows drawn with them."""
        rng = np.random.default_rng(1)
        head = build_head(choice_output(5))
        raw = rng.normal(size=(20_000, 1, 5)) * 2
        made = ChoiceCalibration(
            temperature=2.0, bias=(0.4, 0.2, 0.0, -0.2, -0.4), prior_correction=(0.0,) * 5, rows=1
        )
        chances = made.apply(raw[:, 0])
        truth = (rng.random((len(raw), 1)) > chances.cumsum(axis=1)).sum(axis=1).astype(float)
        found = head.fit(raw, truth)

        assert found.temperature == pytest.approx(2.0, rel=0.08)
        assert found.bias == pytest.approx(made.bias, abs=0.08)

    def test_coordinates_are_log_ratios(self):
        """They sum to zero, and a probability of nothing is still a number."""
        found = clr(np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]]))

        assert np.isfinite(found).all()
        np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)
        assert found[1, 2] - found[1, 0] == pytest.approx(np.log(2.5))

    def test_direction_is_the_expected_position(self):
        """Five classes from -1 to 1."""
        head = build_head(choice_output(5))
        raw = np.log(np.array([[[0.1, 0.1, 0.1, 0.1, 0.6]]]))
        reading = head.read(raw, head.identity())

        assert head.direction(reading)[0] == pytest.approx(-0.1 - 0.05 + 0.05 + 0.6)
        assert head.confidence(reading)[0] == pytest.approx(0.6)


class TestValue:
    """Forecasts."""

    def test_members_are_mixed_by_total_variance(self):
        """Means 1 and 3, deviations 1 and 1: a mean of 2, a deviation of √2, a spread of 1."""
        head = build_head(value_output(width=2, members=2))
        reading = head.read(np.array([[[1.0, 1.0], [3.0, 1.0]]]), head.identity())

        assert reading.centre[0].tolist() == pytest.approx([2.0, np.sqrt(2)])
        assert reading.epistemic[0] == pytest.approx(1.0)

    def test_a_known_line_is_found_and_never_turned_round(self):
        """Truth = 0.5 + 2·forecast; one that falls with the truth keeps its slope of one."""
        rng = np.random.default_rng(0)
        head = build_head(value_output())
        x = rng.normal(size=5000)
        noise = rng.normal(0, 0.3, 5000)
        found = head.fit(x[:, None, None], 0.5 + 2 * x + noise)
        against = head.fit(x[:, None, None], -x)

        assert (found.intercept, found.slope) == pytest.approx((0.5, 2.0), abs=0.02)
        assert found.noise == pytest.approx(0.3, rel=0.05)
        assert found.spread == pytest.approx(2.0, rel=0.05)
        assert against.slope == 1.0

    def test_the_interval_holds_nine_in_ten(self):
        """Of what really comes."""
        head = build_head(value_output(width=2))
        rng = np.random.default_rng(0)
        raw = np.stack([rng.normal(size=4000), np.exp(rng.normal(size=4000) / 3)], axis=1)[:, None]
        truth = raw[:, 0, 0] + 2 * raw[:, 0, 1] * rng.normal(size=4000)
        calibration = head.fit(raw, truth)
        reading = head.read(raw, calibration)
        bounds = np.array([head.to_wire(reading, i, calibration)["interval"] for i in range(4000)])

        assert calibration.noise == pytest.approx(2.0, rel=0.05)
        within = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
        assert within.mean() == pytest.approx(0.9, abs=0.02)

    def test_crps_of_a_sure_forecast_is_its_distance(self):
        """And a standard normal at its mean costs (√2 - 1)/√π."""
        assert crps(np.array([3.0]), np.array([1.0]), np.array([0.0]))[0] == pytest.approx(2.0)
        at_mean = crps(np.zeros(1), np.zeros(1), np.ones(1))[0]
        assert at_mean == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi))

    def test_coordinates_are_in_units_of_the_spread(self):
        """Whatever the value is measured in."""
        head = build_head(value_output())
        calibration = ValueCalibration(spread=0.002, rows=1)

        assert head.read(np.array([[[0.004]]]), calibration).coordinates.tolist() == [[2.0]]


class TestScore:
    """Rankings."""

    def test_normal_scores_are_blom_s(self):
        """Three different values; ties share; NaN is not ranked."""
        three = normal_scores(np.array([5.0, -1.0, 7.0]))
        tied = normal_scores(np.array([1.0, 1.0, np.nan, 1.0]))

        assert three.tolist() == pytest.approx([0.0, -0.8694, 0.8694], abs=1e-4)
        assert tied[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]
        assert np.isnan(tied[2])

    def test_groups_are_ranked_apart(self):
        """Whatever their level, and in whatever order they come."""
        values = np.array([1.0, 101.0, 2.0, 102.0])
        group = np.array(["a", "b", "a", "b"])

        assert normal_scores(values, group).tolist() == pytest.approx(
            normal_scores(np.array([1.0, 2.0])).repeat(2).tolist()
        )

    def test_only_the_order_counts(self):
        """A monotone change of the score changes neither rank nor gain."""
        head = build_head(score_output())
        raw, truth, group = material(head)
        calibration = ScoreCalibration(slope=0.1, rows=1)
        plain, bent = (head.read(each, calibration, group) for each in (raw, np.exp(raw)))

        np.testing.assert_array_equal(plain.coordinates, bent.coordinates)
        np.testing.assert_array_equal(
            head.gain(plain, truth, calibration, group), head.gain(bent, truth, calibration, group)
        )


def test_outputs_lie_beside_each_other_and_are_found_again():
    """Read, centred, logged and restored, each output gets its own numbers."""
    specs = (choice_output(members=2), value_output(width=2), value_output(name="r24"))
    bundle = Bundle(*small_bundle(outputs=specs))
    outputs, reference = bundle.outputs, bundle.reference
    read = outputs.read(reference.raw, reference.group)
    restored = outputs.restore(outputs.centres(read), outputs.epistemics(read), reference.group)

    assert outputs.raw_slices == {"h6": slice(0, 6), "r6": slice(6, 8), "r24": slice(8, 9)}
    assert outputs.centre_slices == {"h6": slice(0, 3), "r6": slice(3, 5), "r24": slice(5, 6)}
    for name, reading in read.items():
        np.testing.assert_allclose(restored[name].centre, reading.centre)
        np.testing.assert_allclose(restored[name].coordinates, reading.coordinates)
        np.testing.assert_allclose(restored[name].epistemic, reading.epistemic)


@pytest.mark.parametrize("width", [1, 2])
def test_members_that_disagree_are_not_counted_as_noise_again(width):
    """Nine in ten truths lie in the interval, however far members are apart."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=4_000)
    truth = signal + rng.normal(0, 0.5, 4_000)
    raw = np.full((4_000, 4, width), 0.7)
    raw[:, :, 0] = signal[:, None] + rng.normal(size=(4_000, 4))
    head = build_head(value_output(width=width, members=4))
    calibration = head.fit(raw, truth)
    reading = head.read(raw, calibration)
    off = np.abs(truth - reading.centre[:, 0]) / head.deviation(reading, calibration)

    assert (off < 1.645).mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("fit", [True, False])
def test_what_32_bits_round_is_no_movement(fit):
    """A forecast that is one number, give or take its last bit, is flat on its coordinates."""
    head = build_head(value_output())
    last = np.spacing(np.float32(0.3))
    raw = 0.3 + last * np.random.default_rng(0).integers(-3, 4, (400, 1, 1))
    truth = np.random.default_rng(1).normal(size=400)
    calibration = head.fit(raw, truth) if fit else head.unfitted(raw)

    assert len(np.unique(raw)) > 1
    assert head.spread(head.read(raw, calibration)) < 1e-4
