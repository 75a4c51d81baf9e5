"""Configurations inherit, and a command line changes them."""

from __future__ import annotations

import pytest

from plumbline.training.config import read_experiment
from plumbline.training.config_file import merge, read_overrides, read_values
from plumbline.training.errors import ConfigError


def test_a_file_says_only_what_differs_from_its_base(tmp_path):
    """Everything else is that of the experiment it names; what is recorded is the whole."""
    path = tmp_path / "mine.toml"
    path.write_text('base = "btc-1h"\nseed = 7\n[fit]\nepochs = 3\n')
    mine, base = read_experiment(str(path)), read_experiment("btc-1h")

    assert (mine.seed, mine.fit.epochs) == (7, 3)
    assert mine.fit.batch_size == base.fit.batch_size == 256
    assert mine.changed(seed=0, fit={"epochs": base.fit.epochs}) == base
    assert "base" not in mine.model_dump()


def test_bases_have_bases_beside_the_file_that_names_them(tmp_path):
    """A relative path begins where its file lies, not where the command was started."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "one.toml").write_text('base = "deep/two.toml"\nseed = 1\n')
    (tmp_path / "deep" / "two.toml").write_text(
        'base = "three.toml"\nseed = 2\nwindow_length = 2\n'
    )
    (tmp_path / "deep" / "three.toml").write_text("window_length = 3\n[fit]\nclip = 3.0\n")

    assert read_values(str(tmp_path / "one.toml")) == {
        "seed": 1,
        "window_length": 2,
        "fit": {"clip": 3.0},
    }


def test_another_plugin_leaves_the_parameters_of_the_old_one_behind():
    """They belong to the kind; with the same kind they are merged."""
    base = {"loss": {"kind": "a", "parameters": {"x": 1, "y": 2}}}

    assert merge(base, {"loss": {"kind": "b", "parameters": {"z": 3}}}) == {
        "loss": {"kind": "b", "parameters": {"z": 3}}
    }
    assert merge(base, {"loss": {"kind": "a", "parameters": {"x": 9}}}) == {
        "loss": {"kind": "a", "parameters": {"x": 9, "y": 2}}
    }
    assert merge(base, {"loss": {"kind": "b"}}) == {"loss": {"kind": "b"}}


def test_a_ring_of_bases_is_refused(tmp_path):
    """The message names the files in it."""
    (tmp_path / "a.toml").write_text('base = "b.toml"\n')
    (tmp_path / "b.toml").write_text('base = "a.toml"\n')

    with pytest.raises(ConfigError, match=r"in a ring: a\.toml → b\.toml → a\.toml"):
        read_values(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('base = "gone.toml"', r"cannot read the configuration 'gone\.toml', the base of .*mine"),
        ("base = 3", "base: expected a name or a path, got 3"),
    ],
)
def test_a_base_that_is_none_is_explained(tmp_path, text, reason):
    """Which file, and what it was the base of."""
    (tmp_path / "mine.toml").write_text(text)

    with pytest.raises(ConfigError, match=reason):
        read_values(str(tmp_path / "mine.toml"))


def test_overrides_are_toml_values():
    """Numbers, texts, lists and tables; a single word needs no quotes; the later one wins."""
    given = ["fit.epochs=20", "fit.epochs = 30", "data.symbols=['A', 'B']", "data.source=a/b-c.csv"]

    assert read_overrides(given) == {
        "fit": {"epochs": 30},
        "data": {"symbols": ["A", "B"], "source": "a/b-c.csv"},
    }


def test_overrides_change_an_experiment():
    """Also its plug-ins, whose parameters are then those of the new kind."""
    changed = read_experiment("eurusd-1h", ["loss.kind=logit_adjusted", "fit.epochs=2"])

    assert changed.loss.kind == "logit_adjusted"
    assert "label_smoothing" not in changed.loss.parameters
    assert changed.fit.epochs == 2


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("fit.epochs", "expected key=value"),
        ("=3", "expected key=value"),
        ("data.symbol=BTC USDT", "is no TOML value .* needs quotes of its own"),
        ("fit.epoch=3", "--set fit.epoch=3: .*fit.epoch"),
        ("fit.epochs=many", "fit.epochs: Input should be a valid integer"),
        ("loss.parameters.smooth=1", "smooth"),
    ],
)
def test_an_override_that_cannot_be_is_explained(given, reason):
    """By the text that was given."""
    with pytest.raises(ConfigError, match=reason):
        read_experiment("eurusd-1h", [given])
