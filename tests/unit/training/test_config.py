"""Experiments: read from a file, complete, and strict about what they do not know."""

from __future__ import annotations

import pytest

from plumbline.training.config import Experiment, read_experiment
from plumbline.training.configs import config_names
from plumbline.training.errors import ConfigError

TEXT = """
[data]
source = "bars.csv"
[label]
kind = "forward_return"
parameters = { horizon_seconds = 3600, threshold = 0.01 }
[split]
train = 0.5
calibration = 0.2
validation = 0.2
test = 0.1
embargo_seconds = 0
[family]
kind = "tfa"
"""


LABELS = {
    "choice": 'kind = "forward_return"\nparameters = { horizon_seconds = 3600, threshold = 0.01 }',
    "value": 'kind = "returns"\nparameters = { horizons_seconds = [3600, 7200] }',
    "score": 'kind = "cross_section"\nparameters = { horizon_bars = 5 }',
}


def of_kind(kind, more=""):
    """Return the text of an experiment whose label gives this kind of output."""
    return TEXT.replace(LABELS["choice"], LABELS[kind]) + more


def read(tmp_path, text):
    path = tmp_path / "experiment.toml"
    path.write_text(text)
    return read_experiment(str(path))


@pytest.mark.parametrize("name", config_names())
def test_the_experiments_that_come_along_are_valid(name):
    """Each can be read by its name, and survives JSON."""
    experiment = read_experiment(name)

    assert Experiment.from_json(experiment.to_json()) == experiment


def test_defaults_are_written_down(tmp_path):
    """The resolved experiment names every parameter of the chosen plug-ins."""
    experiment = read(tmp_path, TEXT)

    assert experiment.family.parameters["heads"] == 4
    assert experiment.loss.kind == "cross_entropy"
    assert experiment.loss.parameters == {"label_smoothing": 0.0}


@pytest.mark.parametrize(
    ("kind", "loss", "policy", "parameters"),
    [
        ("choice", "cross_entropy", "argmax", {"tau", "kelly_fraction", "size_cap", "cost"}),
        ("value", "gaussian", "kelly", {"kelly_fraction", "size_cap", "cost"}),
        ("score", "rank_correlation", "rank", {"share", "gross", "size_cap"}),
    ],
)
def test_loss_and_policy_follow_from_what_the_label_gives(tmp_path, kind, loss, policy, parameters):
    """Unless others are named; the prior of a policy is not among what can be given."""
    experiment = read(tmp_path, of_kind(kind))

    assert (experiment.loss.kind, experiment.policy.kind) == (loss, policy)
    assert set(experiment.policy.parameters) == parameters
    assert {spec.kind for spec in experiment.outputs} == {kind}


def test_outputs_are_the_labels_as_loss_and_family_make_them(tmp_path):
    """A deviation beside each mean, eight samples of each."""
    text = of_kind("value").replace('"tfa"', '"bayesian"')
    gaussian = read(tmp_path, text).outputs
    squared = read(tmp_path, text + '[loss]\nkind = "squared_error"').outputs

    assert [spec.name for spec in gaussian] == ["return_1h", "return_2h"]
    assert [(spec.width, spec.members) for spec in gaussian] == [(2, 8)] * 2
    assert [(spec.width, spec.members) for spec in squared] == [(1, 8)] * 2


def test_a_policy_is_built_for_the_prior_that_was_measured(tmp_path):
    """And with the parameters that were given."""
    more = '[policy]\nkind = "argmax"\nparameters = { tau = 0.5 }'
    policy = read(tmp_path, TEXT + more).build_policy((0.2, 0.5, 0.3))
    silent = read(tmp_path, TEXT + '[policy]\nkind = "abstain"').build_policy((0.2, 0.5, 0.3))

    assert (policy.prior, policy.params.tau) == ((0.2, 0.5, 0.3), 0.5)
    assert (silent.prior, silent.actions) == (None, ())


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        (
            "value",
            '[loss]\nkind = "cross_entropy"',
            r"teaches a choice; the label 'returns' gives a value: .*'gaussian', 'squared_error'",
        ),
        ("score", '[loss]\nkind = "gaussian"', r"gives a score: .*'rank_correlation'"),
        ("value", '[policy]\nkind = "argmax"', "policy argmax needs a choice, output return_1h"),
        ("choice", '[policy]\nkind = "rank"', "policy rank needs a score"),
        ("choice", '[policy]\nkind = "all_in"', "policy.kind is 'all_in', expected one of .*kelly"),
        (
            "choice",
            '[policy]\nkind = "argmax"\nparameters = { prior = [0.2, 0.6, 0.2] }',
            "policy.parameters.prior is measured in training",
        ),
    ],
)
def test_what_does_not_fit_the_output_is_refused_before_any_bar_is_read(
    tmp_path, kind, more, reason
):
    """The message says which kinds fit."""
    with pytest.raises(ConfigError, match=reason):
        read(tmp_path, of_kind(kind, more))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[data]", 'input = "ticks"\n[data]', "input: .*'features' or 'bars'"),
        ('kind = "tfa"', 'kind = "mlp"', r"family.kind is 'mlp', expected one of .*tfa"),
        ('kind = "tfa"', 'kind = "flagtrader"', r"did you mean flag_trader\?"),
        ("threshold = 0.01", "treshold = 0.01", r"label.parameters.treshold is no key: did you"),
        ("[data]", "seeds = 1\n[data]", r"seeds is no key: did you mean seed\?"),
        ("[label]", "[labels]", r"labels is no key: did you mean label\?"),
        ("test = 0.1", "test = 0.2", "the shares must add up to 1, they give 1.1"),
        (
            "embargo_seconds = 0",
            "embargo = 0",
            r"split.embargo is no key: did you mean split.embargo_seconds\?",
        ),
        ("[data]", "[[data]", "not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, reason):
    """The message names the file, and the key or the value."""
    with pytest.raises(ConfigError, match=rf"experiment\.toml.*({reason})"):
        read(tmp_path, TEXT.replace(old, new))


def test_an_unknown_name_lists_those_there_are():
    """So that the next try works."""
    with pytest.raises(ConfigError, match=r"'nonsense'.*there are btc-1h, eurusd-1h"):
        read_experiment("nonsense")


def test_a_name_nearly_right_is_recognised():
    """A slip of the hand costs one look."""
    with pytest.raises(ConfigError, match=r"'btc1h'.*did you mean btc-1h\?"):
        read_experiment("btc1h")


def test_values_can_be_changed(tmp_path):
    """A section is merged, a value replaced, a mistake refused."""
    experiment = read(tmp_path, TEXT)
    changed = experiment.changed(
        seed=7,
        data={"source": "other.csv", "until": "2020-01-01T00:00:00Z"},
        loss={"kind": "logit_adjusted", "parameters": {}},
    )

    assert (changed.seed, changed.data.source, changed.loss.parameters) == (
        7,
        "other.csv",
        {"tau": 1.0},
    )
    assert changed.ends_now
    assert not experiment.ends_now
    with pytest.raises(ConfigError, match="the command line: seed"):
        experiment.changed(seed=-1)
    with pytest.raises(ConfigError, match=r"loss\.kind is 'hinge'"):
        experiment.changed(loss={"kind": "hinge", "parameters": {}})


def test_another_plugin_does_not_inherit_parameters(tmp_path):
    """Those of the old one mean nothing to it; of the same one, what is not named stays."""
    experiment = read(tmp_path, TEXT)
    other = experiment.changed(features={"kind": "multi_scale"})
    fewer = other.changed(features={"parameters": {"widths": [5, 10]}})

    assert other.features.parameters["widths"] == [5, 10, 20, 40, 80, 160]
    assert (fewer.features.kind, fewer.features.parameters["widths"]) == ("multi_scale", [5, 10])


def test_a_manifest_gives_its_experiment_back(tmp_path):
    """Notes that others added to the manifest are passed over; a hole is not."""
    experiment = read(tmp_path, TEXT)
    written = experiment.model_dump(mode="json")

    assert Experiment.of_manifest({**written, "note": "by hand"}) == experiment
    del written["data"]
    with pytest.raises(ConfigError, match="the manifest's training: data"):
        Experiment.of_manifest(written)
