"""The contracts of `plumbline.testing`: kept by all that is built in, and not by what is broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from typing_extensions import override

from plumbline import testing
from plumbline.bundle.finding import Remedy, Verdict
from plumbline.bundle.heads import HEADS
from plumbline.bundle.policies import POLICIES
from plumbline.bundle.verdict import Facts, Side
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.verdicts.base import OwnVerdict
from plumbline.monitoring.repair.triggers.base import Decision, Trigger
from plumbline.testing import (
    ContractError,
    check_backend,
    check_family,
    check_feature_set,
    check_head,
    check_label,
    check_loss,
    check_policy,
    check_trigger,
    check_verdict,
    situation,
)
from plumbline.training.families import FAMILIES, Family
from plumbline.training.feature_sets import FEATURE_SETS
from plumbline.training.labels import LABELS
from plumbline.training.labels.forward_return import ForwardReturn
from plumbline.training.losses import LOSSES, Loss
from tests.support.bundles import choice_output, score_output, value_output
from tests.support.streams import context, healthy

LABELS_OF = {
    "forward_return": {"horizon_seconds": 21_600, "threshold": 0.001},
    "return_bands": {"horizon_seconds": 21_600, "edges": (0.0,), "names": ("DOWN", "UP")},
    "returns": {"horizons_seconds": (3600, 21_600)},
    "cross_section": {"horizon_bars": 6, "bar_seconds": 3600},
}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_keeps_its_promises(name):
    """With its default parameters."""
    check_family(FAMILIES[name])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_keeps_its_promises(name):
    """With its default parameters."""
    check_loss(LOSSES[name])


@pytest.mark.parametrize("name", LABELS)
def test_every_label_keeps_its_promises(name):
    """On a random walk."""
    check_label(LABELS[name], LABELS_OF[name])


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_every_feature_set_keeps_its_promises(name):
    """On a random walk."""
    check_feature_set(FEATURE_SETS[name])


class Linear(Family):
    """One linear layer over the whole window: no positions, no layers, no `last_only`."""

    def build(self, shape):
        """Make it."""
        return LinearNetwork(shape)


class LinearNetwork(nn.Module):
    """Flatten and multiply."""

    def __init__(self, shape):
        super().__init__()
        self.head = nn.Linear(shape.window_length * shape.features, shape.numbers)

    def forward(self, windows):
        """Return logits."""
        return self.head(windows.flatten(1))


def test_a_linear_family_keeps_its_promises():
    """The contract is that of any family, not of transformers."""
    check_family(Linear)


def family_with(forward):
    """Return the linear family with another way forward."""
    network = type("Network", (LinearNetwork,), {"forward": forward})
    return type("Broken", (Linear,), {"build": lambda _, shape: network(shape)})


def with_idle_weight(_, shape):
    """Build a network with a weight that nothing uses."""
    network = LinearNetwork(shape)
    network.idle = nn.Parameter(torch.zeros(3))
    return network


def with_own_randomness(_, shape):
    """Build a network whose weights come from elsewhere."""
    network = LinearNetwork(shape)
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor(np.random.default_rng().normal(size=3)))
    return network


@pytest.mark.parametrize(
    ("family", "sentence"),
    [
        (int, "expected a subclass of .*Family, got <class 'int'>"),
        (type("Empty", (Family,), {}), "Empty lacks build"),
        (family_with(lambda s, x: s.head(x.flatten(1))[:, :2]), r"shape \(1, 2\), expected \(1, 3"),
        (
            family_with(lambda s, x: s.head((x - x.mean(0)).flatten(1))),
            "rows of a batch see each other",
        ),
        (type("Broken", (Linear,), {"build": with_own_randomness}), r"\['head.bias'\] differ"),
        (type("Broken", (Linear,), {"build": with_idle_weight}), r"\['idle'\] get no gradient"),
        (family_with(lambda s, x: 9 * s.head(x.flatten(1))), "is `head` the last layer"),
    ],
)
def test_a_broken_family_is_told_which_promise_it_breaks(family, sentence):
    """One sentence, with what was found and what was promised."""
    with pytest.raises(ContractError, match=sentence):
        check_family(family)


class Summed(Loss):
    """Cross-entropy, summed instead of averaged."""

    teaches = "choice"

    def __call__(self, raw, truth, _group):
        """Return it."""
        return nn.functional.cross_entropy(raw, truth.long(), reduction="sum")


class Balanced(Loss):
    """Weighs classes and does not say so."""

    teaches = "choice"

    def __call__(self, raw, truth, _group):
        """Return it."""
        weight = 1 / torch.tensor(self.target.prior, dtype=raw.dtype)
        cost = nn.functional.cross_entropy(raw, truth.long(), weight=weight, reduction="none")
        return cost.mean()


class Backwards(Loss):
    """Rewards the opposite."""

    teaches = "value"

    def __call__(self, raw, truth, _group):
        """Return it."""
        return (raw[:, 0] - 0.002 + truth).square().mean()


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (Summed, r"Summed: [\d.]+ becomes [\d.]+\. Promised: A batch that is there twice"),
        (Balanced, r"Balanced: they give \[0.333 0.333 0.333\]"),
        (Backwards, "Backwards: right, constant and opposite cost"),
        (type("Vague", (Backwards,), {"teaches": "mood"}), "teaches 'mood', expected one of"),
    ],
)
def test_a_broken_loss_is_told_which_promise_it_breaks(loss, sentence):
    """A sum is no mean, and hidden class weights spoil the probabilities."""
    with pytest.raises(ContractError, match=sentence):
        check_loss(loss)


class Peeking(ForwardReturn):
    """Takes the outcome from a bar beyond the one it names."""

    def build(self, bars):
        """Label by the bar after the one that is due."""
        seconds = self.params.horizon_seconds + 3600
        late = self.params.model_copy(update={"horizon_seconds": seconds})
        found = ForwardReturn(late).build(bars)
        return replace(found, known_at=np.maximum(found.known_at - 3_600_000_000, bars.time))


class Guessing(ForwardReturn):
    """Calls HOLD what it cannot know, and says when it will be known."""

    def build(self, bars):
        """Label every bar."""
        found = super().build(bars)
        return replace(
            found, values=np.nan_to_num(found.values, nan=1), known_at=bars.time + self.horizon
        )


def test_a_broken_label_is_told_which_promise_it_breaks():
    """It looks beyond its horizon, or lets the unknown pass as HOLD."""
    with pytest.raises(ContractError, match="bars later than `known_at` change a truth"):
        check_label(Peeking, LABELS_OF["forward_return"])
    with pytest.raises(ContractError, match="6 bars have a truth although it is not known yet"):
        check_label(Guessing, LABELS_OF["forward_return"])
    with pytest.raises(ContractError, match="no bar is SELL or BUY: give other parameters"):
        check_label(ForwardReturn, {"horizon_seconds": 3600, "threshold": 0.5})


def test_a_broken_feature_set_is_told_which_promise_it_breaks():
    """It looks ahead."""
    from tests.support.feature_sets import LooksAhead, Momentum

    check_feature_set(Momentum)
    with pytest.raises(ContractError, match=r"LooksAhead: .*looks ahead.*Promised: Names, shape"):
        check_feature_set(LooksAhead)


class Eager(Trigger):
    """Always asks, with a new cause each time."""

    name = "eager"

    def _wish(self, _):
        return Decision(remedy=Remedy.RETRAIN, actor="eager", cause=str(id(self)), reason="why")


class Forgetful(Trigger):
    """Asks at the second look alone."""

    name = "forgetful"
    looks = 0

    def _wish(self, situation):
        self.looks += 1
        if situation.judgement.rows == 50 or self.looks == 1:
            return Decision()
        return Decision(remedy=Remedy.RETRAIN, actor="a", cause="c", reason="why")


def test_a_broken_trigger_is_told_which_promise_it_breaks():
    """It asks when all is well, or does not ask in its case."""
    asking = situation(Verdict.FLAT, rows=99)
    with pytest.raises(ContractError, match="Eager: it asks to retrain when all is well"):
        check_trigger(Eager, asking=asking)
    with pytest.raises(ContractError, match=r"Forgetful: it asks for none\. Promised: In its case"):
        check_trigger(Forgetful, asking=asking)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_every_backend_keeps_its_promises():
    """And one that rounds does not."""
    from plumbline.service.backends import BACKENDS
    from plumbline.service.backends.onnx import OnnxBackend
    from tests.contract.test_backends import complete_bundle

    bundle = complete_bundle()
    for kind in BACKENDS.values():
        check_backend(kind, bundle)

    class Rounding(OnnxBackend):
        def run(self, inputs):
            found = super().run(inputs)
            return replace(found, raw=found.raw.round())

    with pytest.raises(ContractError, match="golden rows differ by"):
        check_backend(Rounding, bundle)


def knowing(spec, truth):
    """Return raw numbers of a model that knows something of the truth, and guesses the rest."""
    rng = np.random.default_rng(2)
    raw = rng.normal(size=(len(truth), spec.members, spec.width))
    if spec.kind == "choice":
        return raw + 2 * np.eye(spec.width)[truth.astype(int)][:, None]
    return np.concatenate([raw[..., :1] + truth[:, None, None], np.abs(raw[..., 1:]) + 0.5], axis=2)


OUTPUTS = {
    "choice": choice_output(),
    "binary": choice_output(2, members=3),
    "value": value_output(),
    "wide value": value_output(width=2, members=2),
    "score": score_output(),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_head_keeps_its_promises(name):
    """Of several widths and members; scores in cross-sections of twenty."""
    spec = OUTPUTS[name]
    rng = np.random.default_rng(1)
    truth = rng.normal(size=400)
    if spec.kind == "choice":
        truth = rng.integers(0, spec.width, 400).astype(np.float64)
    group = np.arange(400) // 20 if spec.kind == "score" else None

    check_head(HEADS[spec.kind], spec, knowing(spec, truth), truth, group)


def test_every_head_is_tried():
    """A new one belongs into the outputs above."""
    assert {spec.kind for spec in OUTPUTS.values()} == set(HEADS)


def test_a_broken_head_is_told_which_promise_it_breaks():
    """It counts masked rows, or sends what is no JSON."""

    class Chatty(HEADS["value"]):
        def to_wire(self, reading, i, _calibration):
            return {"mean": reading.centre[i, 0], "kind": "value"}

    class Counting(HEADS["value"]):
        def fit(self, raw, truth, group=None, *, correction=None):
            return super().fit(raw, np.nan_to_num(truth), group, correction=correction)

    truth = np.random.default_rng(1).normal(size=400)
    spec = value_output()
    with pytest.raises(ContractError, match="the first key is 'mean'"):
        check_head(Chatty, spec, knowing(spec, truth), truth)
    with pytest.raises(ContractError, match="fitted on 400 rows, expected 342"):
        check_head(Counting, spec, knowing(spec, truth), truth)


POLICIES_OF = {
    "argmax": ({"prior": (0.2, 0.6, 0.2)}, choice_output()),
    "kelly": ({}, value_output(width=2)),
    "rank": ({}, score_output()),
    "abstain": ({}, value_output()),
}


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_keeps_its_promises(name):
    """For an output of the kind it decides by."""
    check_policy(POLICIES[name], *POLICIES_OF[name])


def test_a_broken_policy_is_told_which_promise_it_breaks():
    """It bets more than there is."""

    class Bold(POLICIES["kelly"]):
        def decide(self, readings, calibrations, group=None):
            found = super().decide(readings, calibrations, group)
            return replace(found, position=3 * np.ones_like(found.position))

    with pytest.raises(ContractError, match="a position lies outside -1 to 1"):
        check_policy(Bold, *POLICIES_OF["kelly"])


class Timid(OwnVerdict):
    """Never sure."""

    name = "timid"
    before = "no_signal"
    facts = Facts(side=Side.MODEL, remedy=Remedy.CALL, meaning="It is never sure.", doing="Ask.")

    @override
    def rule(self, case):
        return Ruling(bool(np.max(case.reading.centre) < 0.5), "No answer is likely.")


class Restless(Timid):
    """Says every time how often it was asked."""

    asked = 0

    @override
    def rule(self, case):
        Restless.asked += 1
        return replace(super().rule(case), cause=str(Restless.asked))


class Late(Timid):
    """Wants to be asked before nobody."""

    before = "bedtime"


class Jumpy(Timid):
    """Holds of everything."""

    @override
    def rule(self, case):
        return Ruling(case.n > 0, "There are rows.")


class Greedy(Timid):
    """Needs columns, and does not ask whether there are any."""

    @override
    def rule(self, case):
        assert case.sample.features is not None, "no features"
        return super().rule(case)


SOUND = healthy(400, seed=3)
TRIED = {
    "context": context(),
    "healthy": SOUND.sample(),
    "faulty": SOUND.saying(0.01 * SOUND.logits).sample(),
}


def test_a_verdict_keeps_its_promises():
    """It is silent of the sound model, and names the one that is never sure."""
    check_verdict(Timid, **TRIED)


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [
        (Restless, "the second time it says something else"),
        (Late, "before is 'bedtime'"),
        (Jumpy, "it holds of healthy rows"),
        (Greedy, "no features"),
    ],
)
def test_a_broken_verdict_is_told_which_promise_it_breaks(verdict, sentence):
    """The first one."""
    with pytest.raises(ContractError, match=sentence):
        check_verdict(verdict, **TRIED)


def test_the_page_of_what_is_exported_is_complete():
    """Every name can be imported."""
    assert [name for name in testing.__all__ if getattr(testing, name, None) is None] == []
    with pytest.raises(AttributeError, match="check_nothing"):
        _ = testing.check_nothing
