"""`plumbline models`: what a person and a script see of the registry."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from plumbline.cli.models import app
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import linear_onnx, small_bundle
from tests.unit.bundle.test_archive import reseal


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with two sound bundles and one the gate refused, named by the environment."""
    url = (tmp_path / "store").as_uri()
    monkeypatch.setenv("PLUMBLINE_STORE", url)
    monkeypatch.setenv("COLUMNS", "200")
    return Objects(url)


@pytest.fixture
def registry(store):
    """The registry of the one model there is."""
    return ModelRegistry(store, "eurusd-1h")


@pytest.fixture
def versions(registry):
    """Two sound versions, and one the gate refused."""
    sound = [registry.write(*small_bundle(seed=seed)).version for seed in range(2)]
    return [*sound, registry.write(*small_bundle(seed=2, passed=False)).version]


def run(*arguments):
    """Run a command; return its exit code, what it printed, and its error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def run_json(*arguments):
    """Run a command that must succeed; return its one JSON document."""
    code, out, err = run(*arguments, "--json")

    assert (code, err) == (0, "")
    return json.loads(out)


def test_an_empty_store_says_what_to_do(store):
    """Looking is no failure; asking for what is not there is."""
    assert run_json("list") == {"models": []}
    assert "plumbline train" in run("list")[1]
    code, _, err = run("show")
    assert code == 1
    assert "there is no model in file://" in err


def test_bundles_are_listed_with_gate_and_aliases(registry, versions):
    """One line each, for people and for scripts."""
    registry.promote(versions[0], actor="anna", reason="first")
    listed = {line["version"]: line for line in run_json("list")["models"]}
    _, text, _ = run("list")

    assert set(listed) == set(versions)
    assert listed[versions[0]]["aliases"] == ["champion"]
    assert listed[versions[2]]["passed"] is False
    assert "refused: dominant_action" in text


def test_a_bundle_is_shown_by_alias_or_by_its_first_characters(registry, versions):
    """All three names mean the same."""
    registry.promote(versions[1], actor="anna", reason="first")
    shown = [run_json("show", name) for name in ("champion", versions[1], versions[1][:6])]

    assert shown[0] == shown[1] == shown[2]
    (output,) = shown[0]["manifest"]["outputs"]
    assert output["choices"] == ["SELL", "HOLD", "BUY"]
    assert shown[0]["reference"]["rows"] == 300
    assert "300 rows, too few for a false-alarm bound" in run("show")[1]


def test_an_unknown_version_is_refused_with_those_there_are(versions):
    """So that a slip of the hand costs one look."""
    code, _, err = run("show", "ffff")

    assert code == 1
    assert all(version in err for version in versions)


def test_promoting_and_rolling_back_are_recorded(versions):
    """Who, why, when; the history tells all of it in order."""
    a, b, _ = versions
    run_json("promote", a, "--reason", "first", "--actor", "anna")
    moved = run_json("promote", b, "--reason", "better", "--actor", "bert")
    back = run_json("rollback", "--reason", "worse", "--actor", "carl")
    history = run_json("history")["history"]

    assert (moved["generation"], moved["version"], moved["previous"]) == (2, b, a)
    assert (back["generation"], back["version"], back["rollback"]) == (3, a, True)
    assert [(move["actor"], move["reason"]) for move in history] == [
        ("anna", "first"),
        ("bert", "better"),
        ("carl", "worse"),
    ]
    assert "better" in run("history")[1]


def test_a_version_is_put_in_shadow_and_taken_out_by_hand(registry, versions):
    """It needs a champion beside it; a promotion by hand skips it, and the history says so."""
    a, b, _ = versions
    code, _, err = run("shadow", b, "--reason", "try it")
    run_json("promote", a, "--reason", "first")
    put = run_json("shadow", b[:8], "--reason", "try it", "--actor", "anna")
    out = run("shadow", "--end", "--reason", "enough")[1]
    run_json("promote", b, "--reason", "in a hurry")
    registry.promote(a, actor="monitor", reason="it was well", shadow_rows=200)
    run_json("rollback", "--reason", "no")

    assert (code, "has no champion whose requests" in err) == (1, True)
    assert (put["alias"], put["version"], put["retired"]) == ("challenger", b, False)
    assert f"challenger is nothing (generation 2), before {b}" in out
    assert registry.alias("challenger") is None
    assert [move["how"] for move in run_json("history")["history"]] == [
        "no shadow",
        "no shadow",
        "after 200 rows in shadow",
        "rolled back",
    ]
    assert "retired" in run("history", "--alias", "challenger")[1]


def test_one_of_a_version_and_an_end_is_given(versions):
    """Neither, or both, is a misunderstanding."""
    for arguments in (["shadow"], ["shadow", versions[0], "--end"]):
        code, _, err = run(*arguments, "--reason", "x")

        assert code == 1
        assert "give the version to put in shadow, or --end" in err


def test_a_refused_bundle_is_not_promoted_without_force(versions):
    """The gate's reason is given, and force stays on record."""
    code, _, err = run("promote", versions[2], "--reason", "hope")
    forced = run_json("promote", versions[2], "--reason", "hope", "--force")

    assert code == 1
    assert "did not pass its gate: one action holds 99 %" in err
    assert "forced" in forced["reason"]


def test_a_rollback_to_a_refused_candidate_needs_force(versions):
    """It was never champion; with force it is said so for ever."""
    run_json("promote", versions[0], "--reason", "first")
    code, _, err = run("rollback", "--to", versions[2], "--reason", "hope")
    forced = run_json("rollback", "--to", versions[2], "--reason", "hope", "--force")

    assert code == 1
    assert "was never champion and did not pass its gate" in err
    assert forced["forced"]
    assert "forced" in forced["reason"]


def test_a_promoter_who_looked_too_long_ago_is_told(versions):
    """Of two who saw the same state the second learns who was first."""
    run_json("promote", versions[0], "--reason", "x", "--actor", "anna", "--expected", 0)
    code, _, err = run("promote", versions[1], "--reason", "y", "--expected", 0)

    assert code == 1
    assert f"anna was first, with {versions[0]}" in err


def test_there_is_nothing_before_the_first(versions):
    """A rollback without a history is refused."""
    run_json("promote", versions[0], "--reason", "x")
    code, _, err = run("rollback", "--reason", "y")

    assert code == 1
    assert "no earlier champion" in err


def test_sound_bundles_verify(versions):
    """Every byte is checked, and the graph has run."""
    checks = run_json("verify")["checks"]

    assert [check["sound"] for check in checks] == [True] * 3
    assert max(check["golden_error"] for check in checks) < 1e-4


def truncate(path):
    """Cut a file in half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    """Change one bit in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("damage", "file", "reason"),
    [
        (truncate, "model.onnx", "model.onnx: truncated or changed"),
        (flip, "model.onnx", "model.onnx: changed: its sha256 is not the manifest's"),
        (flip, "reference.npz", "reference.npz: changed"),
        (truncate, "manifest.json", "manifest.json: truncated or changed"),
        (lambda path: path.unlink(), "manifest.json", "manifest.json: missing"),
        (lambda path: path.unlink(), "golden.npz", "golden.npz: missing"),
    ],
)
def test_damage_is_named_by_file_and_reason(tmp_path, versions, damage, file, reason):
    """The damaged bundle alone fails, and cannot be promoted."""
    damage(tmp_path / "store" / "models" / "eurusd-1h" / "versions" / versions[0] / file)
    code, out, err = run("verify", "--json")
    found = {check["version"]: check for check in json.loads(out)["checks"]}

    assert code == 1
    assert reason in found[versions[0]]["problem"]
    assert f"{versions[0]}: {reason}" in err
    assert found[versions[1]]["sound"]
    assert reason in run("promote", versions[0], "--reason", "x")[2]


def test_a_graph_of_another_shape_or_other_numbers_is_refused(registry):
    """Digests fit, the golden rows do not."""
    import numpy as np

    made = small_bundle()
    wide = reseal(made, model=linear_onnx(np.zeros((15, 3), np.float32), 3, 5))
    other = reseal(made, model=small_bundle(seed=9)[1]["model.onnx"])
    versions = [registry.write(*bundle).version for bundle in (wide, other)]
    code, out, _ = run("verify", *versions, "--json")
    problems = [check["problem"] for check in json.loads(out)["checks"]]

    assert code == 1
    found = "model.onnx: input features: expected ['batch', 3, 4], found ['batch', 3, 5]"
    assert found in problems[0]
    assert "model.onnx: golden rows differ by" in problems[1]


def test_an_unknown_format_is_refused(store, registry):
    """A bundle of a newer program is not half understood."""
    from plumbline.bundle.manifest import version_of

    data = b'{"format": 3}'
    version = version_of(data)
    store.create(f"models/eurusd-1h/versions/{version}/manifest.json", data)
    code, _, err = run("verify", version)

    assert code == 1
    assert "manifest.json: format 3 is unknown, this version reads 2" in err


def test_of_several_models_one_must_be_said(store, versions):
    """Unless there is but one, nobody guesses."""
    ModelRegistry(store, "gold-1d").write(*small_bundle("gold-1d"))
    code, _, err = run("verify")

    assert code == 1
    assert "say which with --model: eurusd-1h, gold-1d" in err
    assert run_json("verify", "--model", "gold-1d")["model"] == "gold-1d"
    assert {line["model"] for line in run_json("list")["models"]} == {"eurusd-1h", "gold-1d"}


def test_a_plain_path_is_a_store(tmp_path, versions):
    """And the default is the present folder's."""
    found = run_json("list", "--store", tmp_path / "store")

    assert len(found["models"]) == 3
