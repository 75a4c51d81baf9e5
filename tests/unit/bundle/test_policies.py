"""Policies: readings are one thing, what is done another."""

from __future__ import annotations

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle
from plumbline.bundle.heads import build_head
from plumbline.bundle.policies import POLICIES
from plumbline.bundle.policies.argmax import ArgmaxParams, ArgmaxPolicy
from plumbline.bundle.policies.kelly import KellyParams, KellyPolicy
from plumbline.bundle.policies.rank import RankParams, RankPolicy
from plumbline.bundle.record import Record
from tests.support.bundles import choice_output, score_output, small_bundle, value_output

PRIOR = (0.16, 0.65, 0.19)


def argmax(choices=3, **params):
    """Return an argmax policy over so many choices."""
    prior = params.pop("prior", PRIOR if choices == 3 else (1 / choices,) * choices)
    return ArgmaxPolicy(ArgmaxParams(prior=prior, **params), choice_output(choices))


def decide(policy, raw, group=None):
    """Return what a policy makes of raw numbers ``(n, w)`` under the identity."""
    head = build_head(policy.output)
    calibration = head.identity()
    name = policy.output.name
    reading = head.read(np.asarray(raw, float)[:, None, :], calibration, group)
    return policy.decide({name: reading}, {name: calibration}, group)


class TestArgmax:
    """Choices."""

    def test_tau_takes_the_prior_out(self):
        """The prior itself speaks for no class; a little more BUY than usual is BUY."""
        row = np.array([[0.16, 0.60, 0.24]])

        assert argmax(tau=0).choose(row).tolist() == [1]
        assert argmax().choose(row).tolist() == [2]

    def test_a_size_is_a_fraction_of_kelly(self):
        """Win 60, lose 20, neither 20: full Kelly (0.6-0.2)/0.8 = 0.5, a tenth of it 0.05."""
        rows = np.array([[0.2, 0.2, 0.6], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2]])
        sizes = argmax(kelly_fraction=0.1).size(rows, np.array([1.0, -1.0, 0.0]))

        assert sizes == pytest.approx([0.05, 0.05, 0.0])

    def test_costs_shrink_a_size_and_the_cap_bounds_it(self):
        """No cost makes a bet larger."""
        row, position = np.array([[0.0, 0.0, 1.0]]), np.array([1.0])
        free, dear = argmax(kelly_fraction=0.05), argmax(kelly_fraction=0.05, cost=0.5)

        assert dear.size(row, position)[0] < free.size(row, position)[0] <= free.params.size_cap

    def test_five_classes_hold_symmetric_positions(self):
        """Mirrored probabilities get mirrored positions; of half a position half is held."""
        policy = argmax(5, size_cap=1.0)
        raw = np.array([[0.0, 0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 2.0]])
        up, down = decide(policy, raw), decide(policy, raw[:, ::-1])

        assert up.position.tolist() == [0.5, 1.0]
        assert down.position.tolist() == [-0.5, -1.0]
        assert up.size == pytest.approx(down.size)
        held = up.position * up.size
        assert held[0] == pytest.approx(held[1] / 2)

    def test_two_classes_are_always_a_bet(self):
        """There is nothing between them."""
        decision = decide(argmax(2), [[0.0, 1.0], [1.0, 0.0]])

        assert decision.position.tolist() == [1.0, -1.0]
        assert (decision.size > 0).all()

    @pytest.mark.parametrize("prior", [(0.0, 0.5, 0.5), (0.5, 0.6, 0.2), (-0.5, 0.5, 1.0)])
    def test_a_prior_that_is_none_is_refused(self, prior):
        """Its logarithm would be taken."""
        with pytest.raises(ValueError, match="prior"):
            argmax(prior=prior)

    def test_actions_and_prior_are_those_of_its_choices(self):
        """In their order."""
        assert argmax().actions == ("SELL", "HOLD", "BUY")
        assert argmax().prior == PRIOR


class TestKelly:
    """Forecasts."""

    def test_size_is_mean_over_variance(self):
        """A mean of 0.02 with a deviation of 0.5: a quarter of 0.08; no actions."""
        policy = KellyPolicy(KellyParams(), value_output(width=2))
        decision = decide(policy, [[0.02, 0.5], [-0.02, 0.5], [9.0, 0.1], [0.0, 1.0]])

        assert decision.action is None
        assert policy.actions == ()
        assert decision.position.tolist() == [1.0, -1.0, 1.0, 0.0]
        assert decision.size == pytest.approx([0.02, 0.02, 0.1, 0.0])

    def test_a_forecast_of_unknown_error_has_no_size(self):
        """Its own spread says nothing of how far it is off; measured errors do."""
        policy = KellyPolicy(KellyParams(), value_output())
        raw, head = np.array([[[0.02]], [[-0.01]]]), build_head(value_output())
        blind = head.unfitted(raw)
        seen = blind.model_copy(update={"rows": 100, "noise": 0.5})
        decisions = [
            policy.decide({"r6": head.read(raw, each)}, {"r6": each}) for each in (blind, seen)
        ]

        assert [each.position.tolist() for each in decisions] == [[1.0, -1.0]] * 2
        assert decisions[0].size.tolist() == [0.0, 0.0]
        assert decisions[1].size == pytest.approx([0.02, 0.01])

    def test_what_costs_more_than_it_brings_is_not_held(self):
        """Neither a position nor a size."""
        policy = KellyPolicy(KellyParams(cost=0.03), value_output(width=2))
        decision = decide(policy, [[0.02, 0.5], [0.04, 0.5]])

        assert decision.position.tolist() == [0.0, 1.0]
        assert decision.size == pytest.approx([0.0, 0.01])


class TestRank:
    """Cross-sections."""

    def test_the_best_are_held_against_the_worst(self):
        """A fifth of ten on either side, a gross of one."""
        policy = RankPolicy(RankParams(share=0.2, size_cap=1.0), score_output())
        decision = decide(policy, np.arange(10.0)[:, None])

        assert decision.position.tolist() == [-1, -1, 0, 0, 0, 0, 0, 0, 1, 1]
        assert decision.size[decision.position != 0] == pytest.approx([0.25] * 4)
        assert (decision.size * decision.position).sum() == pytest.approx(0)

    def test_each_group_is_a_portfolio_of_its_own(self):
        """Whatever its level."""
        policy = RankPolicy(RankParams(share=0.5, size_cap=1.0), score_output())
        group = np.array([0, 1] * 4)
        decision = decide(policy, np.arange(8.0)[:, None] + 100 * group[:, None], group)

        for name in (0, 1):
            assert decision.position[group == name].tolist() == [-1, -1, 1, 1]
            assert decision.size[group == name].sum() == pytest.approx(1)

    def test_a_constant_holds_nothing(self):
        """There is no best of equals."""
        decision = decide(RankPolicy(RankParams(), score_output()), np.ones((20, 1)))

        assert not decision.position.any()
        assert not decision.size.any()

    def test_no_rows_are_no_portfolio(self):
        """And no fault."""
        assert len(decide(RankPolicy(RankParams(), score_output()), np.empty((0, 1))).size) == 0


@pytest.mark.parametrize("output", [choice_output(), value_output(), score_output()])
def test_abstaining_suggests_nothing_of_any_output(output):
    """No action, no position, no size."""
    policy = POLICIES["abstain"](Record(), output)
    decision = decide(policy, np.ones((3, output.width)))

    assert decision.action is None
    assert decision.position.tolist() == decision.size.tolist() == [0.0] * 3
    assert policy.prior is None


@pytest.mark.parametrize(
    ("kind", "params", "output", "needs"),
    [
        ("argmax", ArgmaxParams(prior=PRIOR), value_output(), "a choice"),
        ("argmax", ArgmaxParams(prior=PRIOR), choice_output(5), "prior must have 5 shares"),
        ("kelly", KellyParams(), choice_output(), "a value"),
        ("rank", RankParams(), value_output(), "a score"),
    ],
)
def test_a_policy_refuses_what_it_cannot_decide_by(kind, params, output, needs):
    """By its name and the output's."""
    with pytest.raises(ValueError, match=rf"policy {kind}.*{needs}"):
        POLICIES[kind](params, output)


def test_withheld_sizes_are_zero_whatever_the_policy_says():
    """Actions and positions stay what they are; a manifest carries the reason."""
    manifest, files = small_bundle()
    policy = manifest.policy.model_copy(update={"withheld": "direction not shown"})
    suggested = Bundle(manifest, files)
    withheld = Bundle(manifest.model_copy(update={"policy": policy}), files)
    readings = suggested.outputs.read(suggested.reference.raw)
    one, other = suggested.outputs.decide(readings), withheld.outputs.decide(readings)

    assert (one.size > 0).any()
    assert not other.size.any()
    assert np.array_equal(one.position, other.position)
    assert np.array_equal(one.action, other.action)
