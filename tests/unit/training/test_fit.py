"""The fit: it learns what is there, stops when it should, and leaves no trace outside."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from plumbline.bundle.manifest import ScalerSpec
from plumbline.training.dataset import Dataset
from plumbline.training.errors import TrainingError
from plumbline.training.families import FAMILIES, Shape
from plumbline.training.fit import (
    FitParams,
    Lesson,
    answers_of,
    fit_network,
    raw_of,
    seeded,
)
from plumbline.training.losses import LOSSES
from plumbline.training.network import CLIP, Network, fit_scaler
from plumbline.training.objective import Objective
from plumbline.training.readout import Readout
from plumbline.training.target import Target, measure_targets
from tests.support.bundles import choice_output, score_output, value_output
from tests.support.datasets import plain_dataset

LENGTH, ROWS, COLUMNS = 4, 1200, 31
TRAIN, HELD_OUT = np.arange(LENGTH, 900), np.arange(900, ROWS)
PARAMS = FitParams(epochs=6, patience=2, batch_size=64, learning_rate=3e-3)
SMALL = {"width": 16, "heads": 2, "layers": 1, "hidden": 16, "dropout": 0.0}


def market() -> Dataset:
    """Labels that follow from the sign of two features, with exceptions."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    labels = np.sign(features[:, 0]) * (features[:, 1] > 0) + 1
    labels = np.where(rng.random(ROWS) < 0.1, rng.integers(0, 3, ROWS), labels)
    return plain_dataset(features, labels[:, None], window_length=LENGTH)


DATA = market()


def objective_of(loss, *specs, data=DATA):
    kind = LOSSES[loss]
    return Objective(kind, kind.Params(), measure_targets(specs, data.truth[TRAIN], "train"))


def network_of(family, objective, data=DATA):
    """Return a fresh network that starts where the objective says."""
    core = family.build(Shape(LENGTH, COLUMNS, len(objective.start)))
    family.start(core, objective.start)
    readout = Readout([loss.target for loss in objective.losses])
    return Network(core, fit_scaler(data.features[TRAIN]), readout)


def family_of(kind="tfa", **changes):
    made = FAMILIES[kind]
    return made(made.Params.model_validate({**SMALL, **changes}))


def fit(params=PARAMS, *, seed=0, on_epoch=lambda _: None):
    family, objective = family_of(), objective_of("cross_entropy", choice_output())
    lesson = Lesson(objective, family, DATA, TRAIN, HELD_OUT)
    with seeded(seed, threads=1):
        network = network_of(family, objective)
        return fit_network(network, lesson, params=params, on_epoch=on_epoch)


def held_out_loss(network) -> float:
    logits = torch.from_numpy(raw_of(network, DATA, HELD_OUT))
    labels = torch.from_numpy(DATA.truth[HELD_OUT, 0].astype(np.int64))
    return float(torch.nn.functional.cross_entropy(logits, labels))


def test_it_learns_what_can_be_learnt():
    """The held-out loss falls far below that of the label shares."""
    assert fit().best.calibration_loss < 0.75


def test_it_returns_the_epoch_that_did_best():
    """Not the last one; and the loss told is the loss of the network returned."""
    fitted = fit(FitParams(**{**PARAMS.model_dump(), "epochs": 40, "learning_rate": 1e-2}))

    assert fitted.best.calibration_loss == min(e.calibration_loss for e in fitted.epochs)
    assert fitted.best.number < fitted.epochs[-1].number
    assert held_out_loss(fitted.network) == pytest.approx(fitted.best.calibration_loss, rel=1e-5)


def test_it_stops_when_nothing_is_gained_any_more():
    """As many epochs after the best one as it has patience for."""
    fitted = fit(FitParams(**{**PARAMS.model_dump(), "epochs": 60, "learning_rate": 1e-2}))

    assert len(fitted.epochs) == fitted.best.number + PARAMS.patience
    assert len(fitted.epochs) < 60


def test_the_same_seed_gives_the_same_weights():
    """And another seed gives others."""
    one, same, other = (fit(seed=seed).network.state_dict() for seed in (0, 0, 1))

    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_every_epoch_is_told():
    """In order, with both losses."""
    seen = []
    fitted = fit(on_epoch=seen.append)

    assert tuple(seen) == fitted.epochs
    assert [epoch.number for epoch in seen] == list(range(1, len(seen) + 1))


def test_a_fit_that_diverges_says_what_to_change():
    """Rather than exporting what is left of it."""
    with pytest.raises(TrainingError, match=r"not finite in epoch 1: lower fit\.learning_rate"):
        fit(FitParams(**{**PARAMS.model_dump(), "learning_rate": 1e30}))


def test_torch_is_left_as_it_was_found():
    """Neither its generator nor its number of threads is changed for others."""
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    with seeded(5, threads=threads + 1):
        torch.randn(3)

    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_scaler_standardises_and_clips():
    """Mean zero and deviation one on the training rows; a constant feature stays finite."""
    table = np.array([[1.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    scaler = fit_scaler(table)

    assert (scaler.mean, scaler.scale) == ((2.0, 5.0), (1.0, 1.0))
    network = Network(Newest(), scaler, Readout([Target(choice_output(2))]))
    said = network(torch.tensor([[[3.0, 5.0]], [[1e9, math.pi]]]))
    assert said[0, 0].tolist() == [1.0, 0.0]
    assert said[1, 0, 0] == CLIP


class Newest(torch.nn.Module):
    """Say the newest row of the window."""

    def forward(self, windows):
        """Forget the rest."""
        return windows[:, -1]


def test_the_raw_numbers_are_in_the_units_of_the_truth():
    """A value gets mean and scale of the target, its deviation is positive; a choice is left."""
    choice, value = choice_output(2), value_output(width=2, name="r1")
    targets = [Target(choice, (0.5, 0.5)), Target(value, None, 0.01, 0.002)]
    core = torch.nn.Sequential(Newest(), torch.nn.Identity())
    identity = ScalerSpec(mean=(0.0,) * 4, scale=(1.0,) * 4)
    network = Network(core, identity, Readout(targets))
    said = network(torch.tensor([[[1.5, -1.5, 2.0, 0.0]], [[0.0, 0.0, -1.0, -8.0]]]))[:, 0]

    assert said[:, :2].tolist() == [[1.5, -1.5], [0.0, 0.0]]
    assert said[:, 2].tolist() == pytest.approx([0.014, 0.008], abs=1e-7)
    assert said[0, 3].item() == pytest.approx(0.002 * math.log(2), rel=2e-3)
    assert 0 < said[1, 3].item() < 2e-5


def test_four_outputs_are_learnt_at_once():
    """Each mean follows its own feature, and rows that know only some of them teach those."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    truth = 0.01 * features[:, :4] + rng.normal(0, 0.003, (ROWS, 4))
    truth[rng.random((ROWS, 4)) < 0.3] = np.nan
    data = plain_dataset(features, truth, window_length=LENGTH)
    specs = [value_output(width=2, name=f"r{hours}") for hours in (1, 2, 3, 4)]
    family, objective = family_of(), objective_of("gaussian", *specs, data=data)
    with seeded(0, threads=1):
        network = network_of(family, objective, data)
        lesson = Lesson(objective, family, data, TRAIN, HELD_OUT)
        fit_network(network, lesson, params=PARAMS.model_copy(update={"epochs": 12}))
    means = raw_of(network, data, HELD_OUT)[:, ::2]

    for place in range(4):
        assert np.corrcoef(means[:, place], features[HELD_OUT, place])[0, 1] > 0.9


def test_members_are_taught_side_by_side():
    """Two partners differ, and their average is better than either."""
    family, objective = (
        FAMILIES["ensemble"](FAMILIES["ensemble"].Params(partners=2, each=SMALL)),
        objective_of("cross_entropy", choice_output(members=2)),
    )
    with seeded(0, threads=1):
        network = network_of(family, objective)
        fit_network(network, Lesson(objective, family, DATA, TRAIN, HELD_OUT), params=PARAMS)
    said = answers_of(network, DATA, HELD_OUT).softmax(dim=2)
    true = torch.from_numpy(DATA.truth[HELD_OUT, 0]).long()
    costs = [
        float(torch.nn.functional.nll_loss(p.log(), true))
        for p in (said[:, 0], said[:, 1], said.mean(dim=1))
    ]

    assert said.shape == (len(HELD_OUT), 2, 3)
    assert not torch.allclose(said[:, 0], said[:, 1], atol=0.02)
    assert costs[2] < min(costs[:2])


def test_raw_numbers_lie_as_the_graph_lays_them_out():
    """All numbers of the first output, member by member, then those of the second."""
    specs = (value_output(width=2, members=2, name="a"), value_output(width=2, members=2, name="b"))
    targets = [Target(spec) for spec in specs]
    network = Network(Twice(), fit_scaler(DATA.features[TRAIN]), Readout(targets))
    rows = HELD_OUT[:3]
    answers = answers_of(network, DATA, rows).numpy()
    raw = raw_of(network, DATA, rows)

    assert answers.shape == (3, 2, 4)
    assert np.array_equal(raw[:, :4].reshape(3, 2, 2), answers[:, :, :2])
    assert np.array_equal(raw[:, 4:].reshape(3, 2, 2), answers[:, :, 2:])


class Twice(torch.nn.Module):
    """Say eight numbers of the newest row, as two members."""

    def forward(self, windows):
        """Forget the rest."""
        return windows[:, -1, :8].unflatten(1, (2, 4))


@pytest.mark.parametrize("size", [1, 7, 20, 64, 10_000])
def test_a_cross_section_is_never_split(size):
    """Every batch holds whole moments, every row comes once, in another order each time."""
    group = np.repeat(np.arange(ROWS // 20), 20)
    order = np.random.default_rng(0).permutation(ROWS)  # symbols lie end to end, not moments
    data = plain_dataset(
        np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, 1)), window_length=LENGTH, group=group[order]
    )
    objective = Objective(
        LOSSES["rank_correlation"], LOSSES["rank_correlation"].Params(), [Target(score_output())]
    )
    lesson = Lesson(objective, family_of(), data, TRAIN, HELD_OUT, "cross_section")
    whole = {g: int((data.group[TRAIN] == g).sum()) for g in np.unique(data.group[TRAIN])}
    with seeded(0, threads=1):
        first, second = (list(lesson.shuffled(size)) for _ in range(2))

    assert np.array_equal(np.sort(np.concatenate(first)), TRAIN)
    assert len(first) == lesson.batches(size)
    for batch in first:
        names, counts = np.unique(data.group[batch], return_counts=True)
        assert counts.tolist() == [whole[name] for name in names]
        assert len(batch) <= max(size, 20)
    assert len(first) == 1 or not all(map(np.array_equal, first, second))


def test_rows_that_stand_alone_are_shuffled_one_by_one():
    """As many batches as were announced, all full but the last."""
    lesson = Lesson(
        objective_of("cross_entropy", choice_output()), family_of(), DATA, TRAIN, HELD_OUT
    )
    with seeded(0, threads=1):
        batches = list(lesson.shuffled(64))

    assert {len(batch) for batch in batches[:-1]} == {64}
    assert len(batches) == lesson.batches(64)
    assert np.array_equal(np.sort(np.concatenate(batches)), TRAIN)
