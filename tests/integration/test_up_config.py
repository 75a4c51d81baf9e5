"""The configuration that `plumbline up` keeps in its state folder."""

from __future__ import annotations

from pathlib import Path

from plumbline.cli.up import Layout, write_config
from plumbline.training.config import read_experiment


def test_what_a_file_names_is_found_beside_it(tmp_path: Path) -> None:
    """A base by a relative path, in a folder that is not the state's; overrides may be added."""
    own, state = tmp_path / "own", tmp_path / "state"
    own.mkdir()
    state.mkdir()
    (own / "mine.toml").write_text('base = "theirs.toml"\n[fit]\nepochs = 3\n')
    (own / "theirs.toml").write_text('base = "eurusd-1h"\n[fit]\nbatch_size = 128\n')
    layout = Layout(state, "m", str(own / "mine.toml"), 1, 2, 3, 1, "x")
    write_config(layout)
    fit = read_experiment(str(layout.train_config)).fit

    assert (fit.epochs, fit.batch_size) == (3, 128)


def test_one_of_ours_is_copied_whole(tmp_path: Path) -> None:
    """There to be read and edited."""
    write_config(Layout(tmp_path, "m", "eurusd-1h", 1, 2, 3, 1, "x"))

    assert "[family]" in (tmp_path / "train.toml").read_text()
