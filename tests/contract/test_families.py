"""What every model family promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from plumbline.bundle.heads import build_head
from plumbline.bundle.spec import BAR_COLUMNS, FEATURES, InputSpec
from plumbline.training.errors import TrainingError
from plumbline.training.export import (
    OPSET,
    check_parity,
    export_network,
    read_weights,
    write_weights,
)
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.families.encoder import Encoder
from plumbline.training.feature_table import bar_array, build_table, resolve_feature_set
from plumbline.training.fit import seeded
from plumbline.training.losses import LOSSES
from plumbline.training.network import BarNetwork, Network, ServedNetwork, fit_scaler
from plumbline.training.onnx_model import OnnxModel
from plumbline.training.readout import Readout
from plumbline.training.target import Target
from tests.support.bundles import choice_output, score_output, value_output
from tests.support.markets import walk

SHAPE = Shape(window_length=12, features=7, numbers=3)
PRIOR = (0.2, 0.6, 0.2)
INPUT = InputSpec(name="features", shape=(12, 7), names=tuple(f"column_{i}" for i in range(7)))


SEVERAL = [name for name, kind in FAMILIES.items() if kind(kind.Params()).members > 1]
"""Families with more than one voice."""


@pytest.fixture(params=FAMILIES)
def family(request):
    """Each registered family with its default parameters."""
    kind = FAMILIES[request.param]
    return kind(kind.Params())


@pytest.fixture
def windows():
    """Raw windows with a scale and level of their own in each column."""
    rng = np.random.default_rng(0)
    scale, level = 10.0 ** rng.integers(-3, 3, 7), rng.normal(0, 10, 7)
    return (rng.normal(size=(70, 12, 7)) * scale + level).astype(np.float32)


def build(family, seed=0, shape=SHAPE):
    with seeded(seed, threads=1):
        return family.build(shape)


def stirred(core):
    """Move every weight, so that no adapter is zero and no norm is the identity."""
    with seeded(5, threads=1), torch.no_grad():
        for weight in core.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return core.eval()


def standard(rows=5):
    return torch.randn(rows, 12, 7, generator=torch.Generator().manual_seed(1))


def answers(core, windows):
    """Return ``(b, members, numbers)``, whichever form the network gives."""
    said = core(windows)
    return said if said.ndim == 3 else said[:, None]


def encoders(core):
    """Return the encoders a network is made of."""
    return [module for module in core.modules() if isinstance(module, Encoder)]


def served(family, core, scaler, targets):
    """Return the network as it is exported."""
    return ServedNetwork(Network(family.for_export(core), scaler, Readout(targets)).eval())


def targets_of(family):
    """Return one output of each kind, their numbers beside each other, with loss and members."""
    made = (
        ("cross_entropy", choice_output(3, members=family.members), PRIOR, 0.0, 1.0),
        ("gaussian", value_output(width=2, members=family.members), None, 0.001, 0.004),
        ("rank_correlation", score_output(members=family.members), None, 0.0, 1.0),
    )
    return [(loss, Target(spec, prior, centre, scale)) for loss, spec, prior, centre, scale in made]


def test_it_gives_the_numbers_of_every_member_for_any_batch(family):
    """From (b, t, f) to (b, numbers), or to as many members as it says: finite."""
    core = build(family).eval()
    for rows in (1, 2, 9):
        said = core(standard(rows))
        one = family.members == 1 and said.ndim == 2

        assert said.shape == ((rows, 3) if one else (rows, family.members, 3))
        assert torch.isfinite(said).all()


def test_while_it_learns_it_gives_numbers_the_losses_take(family):
    """One answer for each row or one for each member, whichever it teaches by."""
    said = build(family).train()(standard(4))

    assert said.shape in {(4, 3), (4, 1, 3), (4, family.members, 3)}
    assert torch.isfinite(said).all()


@pytest.mark.parametrize("family", SEVERAL, indirect=True)
def test_members_are_not_of_one_mind(family):
    """Several answers to one row differ; how far they do is what is read as epistemic."""
    said = answers(stirred(build(family)), standard(20))

    assert said.std(dim=1).mean() > 1e-3


def test_the_same_question_gets_the_same_answer(family):
    """Nothing is drawn any more once it serves."""
    core = build(family).eval()

    assert torch.equal(core(standard()), core(standard()))


def test_rows_of_a_batch_do_not_see_each_other(family):
    """A row's numbers are the same alone and in company."""
    core = build(family).eval()
    together = core(standard(5))

    assert torch.allclose(core(standard(5)[3:4]), together[3:4], atol=1e-6)


def test_the_same_seed_gives_the_same_weights(family):
    """And another seed gives others."""
    one, same, other = (build(family, seed).state_dict() for seed in (3, 3, 4))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_every_trained_weight_gets_a_gradient(family):
    """No part of the network is cut off from the loss and the family's own penalty."""
    core = stirred(build(family)).train()
    with seeded(6, threads=1):
        cost = core(standard()).square().sum()
    penalty = family.penalty(core, 100)
    (cost if penalty is None else cost + penalty).backward()
    trained = {name: w for name, w in core.named_parameters() if w.requires_grad}

    assert trained
    assert [name for name, w in trained.items() if w.grad is None or not w.grad.any()] == []


def test_a_penalty_counts_for_less_where_more_is_taught(family):
    """What is known before any row is worth so many rows, whatever there are."""
    core = build(family)
    few, many = (family.penalty(core, rows) for rows in (100, 1000))

    assert (few is None) == (many is None)
    if few is not None:
        assert few.item() == pytest.approx(10 * many.item())
        assert few > 0


def test_order_matters(family):
    """Shuffling the bars of a window changes the answer: there are positions."""
    core = stirred(build(family))
    mixed = standard()[:, torch.randperm(12, generator=torch.Generator().manual_seed(2))]

    assert not torch.allclose(core(standard()), core(mixed), atol=1e-4)


def test_computing_the_last_step_alone_changes_nothing(family):
    """The full last layer gives the same numbers, at a third more work."""
    core = stirred(build(family))
    assert encoders(core)
    short = core(standard(20))
    for encoder in encoders(core):
        encoder.last_only = False

    assert torch.allclose(core(standard(20)), short, atol=1e-5)


def test_a_fresh_network_starts_where_its_losses_say(family):
    """At the shares of the choices, at the mean of a value and a deviation of its own."""
    pairs = targets_of(family)
    losses = [LOSSES[name](LOSSES[name].Params(), target) for name, target in pairs]
    start = [number for loss in losses for number in loss.start]
    core = build(family, shape=Shape(12, 7, len(start)))
    family.start(core, start)
    read = Readout([target for _, target in pairs])(core.eval()(standard(500))).mean(dim=(0, 1))

    assert torch.allclose(read[:3].softmax(dim=0), torch.tensor(PRIOR), atol=0.06)
    assert read[3].item() == pytest.approx(0.001, abs=0.001)
    assert read[4].item() == pytest.approx(0.004, rel=0.25)
    assert read[5].item() == pytest.approx(0, abs=0.25)


def test_both_exports_agree_with_the_network(family, windows):
    """ONNX and TorchScript say what it says of every output, at every batch size.

    Raw features go in, the scaler is inside, and values come out in their own units.
    """
    targets = [target for _, target in targets_of(family)]
    specs = [target.spec for target in targets]
    scaler = fit_scaler(windows.reshape(-1, 7))
    core = stirred(build(family, shape=Shape(12, 7, 6)))
    exported = export_network(served(family, core, scaler, targets), (INPUT,), windows)
    trained = ServedNetwork(Network(core, scaler, Readout(targets)).eval())

    assert check_parity(trained, exported, INPUT, windows) <= 1e-4
    assert exported.torchscript is not None
    assert exported.opset == OPSET
    answer = OnnxModel(exported.onnx, (INPUT,), specs)
    whole = answer({"features": windows[:17]})
    one_by_one = np.concatenate([answer({"features": windows[i : i + 1]}) for i in range(17)])
    assert whole.shape == (17, sum(spec.numbers for spec in specs))
    assert np.abs(one_by_one - whole).max() <= 1e-4


def test_heads_can_read_what_is_exported(family, windows):
    """Its members are where the head looks for them."""
    targets = [target for _, target in targets_of(family)]
    core = stirred(build(family, shape=Shape(12, 7, 6)))
    network = served(family, core, fit_scaler(windows.reshape(-1, 7)), targets)
    with torch.inference_mode():
        said = network(torch.from_numpy(windows))
        both = network.network(torch.from_numpy(windows))
    group = np.arange(70) // 10
    for target, raw, start in zip(targets, said, (0, 3, 5), strict=True):
        spec, head = target.spec, build_head(target.spec)
        members = raw.numpy().reshape(70, spec.members, spec.width)
        reading = head.read(members, head.identity(), group)

        assert np.array_equal(members, both[..., start : start + spec.width].numpy())
        assert np.isfinite(reading.coordinates).all()
        assert bool(reading.epistemic.max() > 0) is (family.members > 1)


def test_a_graph_that_takes_bars_says_the_same(family):
    """Feature set, scaler and network in one graph, without TorchScript, features beside."""
    bars = walk(300)
    feature_set = resolve_feature_set("intraday_31", {"session_bars": 24}, [bars])
    table, needed = build_table(feature_set, bars), feature_set.bars_needed(12)
    columns = len(feature_set.names)
    targets = [target for _, target in targets_of(family)]
    core = stirred(build(family, shape=Shape(12, columns, 6)))
    scaler = fit_scaler(table[feature_set.memory :])
    network = Network(family.for_export(core), scaler, Readout(targets)).eval()
    given = InputSpec(
        name="bars", shape=(needed, 6), source="bars", names=BAR_COLUMNS, dtype="float64"
    )
    ends = np.array([needed, 200, 255, 300])
    raw = np.stack([bar_array(bars)[end - needed : end] for end in ends])
    exported = export_network(BarNetwork(feature_set, network), (given,), raw)
    said = OnnxModel(exported.onnx, (given,), [t.spec for t in targets]).by_output({"bars": raw})
    with torch.inference_mode():
        expected = ServedNetwork(network)(
            torch.from_numpy(np.stack([table[end - 12 : end] for end in ends]))
        )

    assert exported.torchscript is None
    for target, one in zip(targets, expected, strict=True):
        error = np.abs(said[target.spec.name] - one.numpy()).max()
        assert error / target.scale < 1e-3
    assert (np.abs(said[FEATURES] - table[ends - 1]) / scaler.scale).max() < 1e-4


def test_a_network_can_start_from_an_exported_one(family, windows):
    """A fresh network given the exported weights says the same; one of another size refuses."""
    scaler = fit_scaler(windows.reshape(-1, 7))
    core = stirred(build(family))
    target = Target(choice_output(3, members=family.members), PRIOR)
    weights = read_weights(write_weights(served(family, core, scaler, [target]).network))
    fresh = build(family, seed=9).eval()
    family.warm_start(fresh, weights)

    assert torch.allclose(fresh(standard()), core(standard()), atol=1e-4)
    other = build(family, shape=Shape(window_length=13, features=7, numbers=3))
    with pytest.raises(TrainingError, match=r"cannot start from the parent.*positions"):
        family.warm_start(other, weights)


@pytest.mark.parametrize(
    "name", [name for name in FAMILIES if "width" in FAMILIES[name].Params.model_fields]
)
def test_a_width_that_heads_cannot_share_is_refused(name):
    """The message names both numbers."""
    with pytest.raises(ValueError, match="width 10 is not divisible by 4 heads"):
        FAMILIES[name].Params(width=10, heads=4)


def test_a_mistake_in_a_partners_parameters_is_named():
    """Those of the family each partner is of."""
    kind = FAMILIES["ensemble"]
    with pytest.raises(ValueError, match="width 10 is not divisible by 4 heads"):
        kind(kind.Params(each={"width": 10}))
