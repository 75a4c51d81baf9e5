"""Recomputation: what clients send, held against what training computes of the same bars."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Verdict
from plumbline.cli.main import app
from plumbline.diagnosis.exact.recomputed import Recomputed
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.feature_table import mirrored
from plumbline.training.recompute import main
from tests.support.bundles import small_bundle
from tests.support.control import MODEL
from tests.support.markets import write_csv
from tests.support.recomputed import ROWS, WALK, Client, train_walk
from tests.support.sent import log_inputs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A model of one symbol, and the file it was made from."""
    return train_walk(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def client(trained: tuple[Bundle, Path], tmp_path: Path) -> Client:
    """A client of that model, in a store of its own."""
    bundle, path = trained
    objects = Objects((tmp_path / "store").as_uri())
    ModelRegistry(objects, MODEL).write(bundle.manifest, dict(bundle.files))
    return Client(objects, bundle, WALK, path)


def test_right_inputs_are_equal(client: Client) -> None:
    """A float32 client that computed windows from their own bars is within the tolerance."""
    client.send(client.table)
    found = client.recompute()

    assert found.compared == ROWS
    assert (found.wrong, found.open, found.diagnosis()) == ((), (), None)
    assert found.verdict == "160 rows are what training computes of the same bars."


def faults() -> dict[str, tuple[object, str, int]]:
    """What clients do: from the client to a table, what is said, and how many columns."""

    def rotated(client: Client) -> np.ndarray:
        return np.roll(client.table, 1, axis=1)

    def standardised(client: Client) -> np.ndarray:
        scaler = client.bundle.manifest.scaler
        return (client.table - scaler.mean) / scaler.scale

    def late(client: Client) -> np.ndarray:
        return np.roll(client.table, 5, axis=0)

    def early(client: Client) -> np.ndarray:
        return np.roll(client.table, -1, axis=0)

    def louder(client: Client) -> np.ndarray:
        return client.table * 1.5

    def inverted(client: Client) -> np.ndarray:
        return client.of(mirrored(client.bars))

    return {
        "rotated": (
            rotated,
            "31 columns arrive in another order (return_1 with the values of week_cos",
            31,
        ),
        "standardised": (standardised, "standardised, which the model does itself", 25),
        "late": (late, "as those of 5 bars before the one they are said to be about", 25),
        "early": (early, "of 1 bar after the one they are said to be about", 25),
        "louder": (louder, "x 1.5", 25),
        "inverted": (inverted, "of prices quoted the other way round", 10),
    }


@pytest.mark.parametrize("name", faults())
def test_a_client_wrong_from_its_first_row_is_named(client: Client, name: str) -> None:
    """With fifty rows, though nothing in its stream ever changes."""
    fault, said, columns = faults()[name]
    client.send(fault(client), slice(-60, -10))
    found = client.recompute()
    diagnosis = found.diagnosis()

    assert diagnosis is not None
    assert diagnosis.verdict is Verdict.SCHEMA_SKEW
    assert said in diagnosis.cause
    assert len(found.wrong) >= columns
    assert diagnosis.findings[0].columns == tuple(each.column for each in found.wrong)


def test_a_column_in_another_unit_needs_more_rows_than_a_bar_reaches(client: Client) -> None:
    """In fifty rows of a long memory it could be one revised bar; in a hundred and sixty not."""
    sent = client.table
    sent[:, client.column("volatility_120")] *= 100
    client.send(sent, slice(-60, -10))
    early = client.recompute()
    client.send(sent, ago_seconds=1.0)
    late = client.recompute()

    assert early.wrong == ()
    assert [each.column for each in early.open] == ["volatility_120"]
    assert late.verdict == (
        "The inputs are not what training computes of the same bars, in 160 rows: volatility_120 "
        "arrives in another unit, x 100."
    )


def test_a_column_of_a_short_memory_is_named_at_once(client: Client) -> None:
    """No revised bar shows in a return of one bar for twenty rows."""
    sent = client.table
    sent[:, client.column("return_1")] *= 100
    client.send(sent, slice(-20, None))
    found = client.recompute()

    assert [(each.column, each.kind) for each in found.wrong] == [("return_1", "unit")]


def test_several_revised_bars_accuse_nobody(client: Client, tmp_path: Path) -> None:
    """Long memories are wrong in every row then, and short ones here and there."""
    rng = np.random.default_rng(0)
    revised = rng.random(len(WALK)) < 0.03
    volume = WALK.volume * np.where(revised, 2.0, 1.0)
    high = WALK.high * np.where(revised, 1.01, 1.0)
    client.path = write_csv(tmp_path / "revised.csv", replace(WALK, high=high, volume=volume))
    client.send(client.table)
    found = client.recompute()

    assert found.wrong == ()
    assert {"position_120", "volume_trend_6_72"} <= {each.column for each in found.open}


@pytest.mark.parametrize("rows", [slice(-30, None), slice(-60, None), slice(-ROWS, None)])
@pytest.mark.parametrize("factor", [1.001, 1.05, 3.0])
def test_a_bar_that_was_revised_since_accuses_nobody(
    client: Client, rows: slice, factor: float, tmp_path: Path
) -> None:
    """Long memories carry it through a hundred and twenty rows."""
    high, volume = client.bars.high.copy(), client.bars.volume.copy()
    high[-45] *= factor
    volume[-45] *= factor
    client.path = write_csv(tmp_path / "revised.csv", replace(WALK, high=high, volume=volume))
    client.send(client.table, rows)
    found = client.recompute()

    assert found.known
    assert found.wrong == ()


def test_volumes_of_another_vendor_that_hardly_differ_are_not_a_fault(
    client: Client, tmp_path: Path
) -> None:
    """They are in the document, and nobody is accused."""
    noise = np.exp(np.random.default_rng(0).normal(0, 0.02, len(WALK)))
    client.path = write_csv(tmp_path / "other.csv", replace(WALK, volume=WALK.volume * noise))
    client.send(client.table)
    found = client.recompute()

    assert found.wrong == ()
    assert {"volume_score_24", "volume_trend_6_72"} == {each.column for each in found.open}
    assert "may be bars that were revised since" in found.verdict


def test_a_column_without_sense_is_wrong_without_a_name(client: Client) -> None:
    """Noise is no relation."""
    sent = client.table
    place = client.column("rsi_14")
    sent[-ROWS:, place] = np.random.default_rng(0).permutation(sent[-ROWS:, place])
    client.send(sent)
    found = client.recompute()

    assert [(each.column, each.kind) for each in found.wrong] == [("rsi_14", "other")]
    assert "rsi_14 arrives as something else altogether" in found.verdict


def test_a_client_that_was_repaired_is_right_again(client: Client) -> None:
    """A hundred wrong rows and twenty right ones: the newest decide."""
    sent = client.table * 1.5
    sent[-20:] = client.table[-20:]
    client.send(sent)

    assert client.recompute().wrong == ()


def test_a_client_that_broke_lately_is_wrong(client: Client) -> None:
    """A hundred and thirty right rows before do not speak for it."""
    sent = client.table
    sent[-30:] = np.roll(sent, 3, axis=0)[-30:]
    client.send(sent)
    found = client.recompute()

    assert found.rows == 20
    assert "of 3 bars before" in found.verdict


def test_one_client_of_two_is_named(client: Client) -> None:
    """Both ask about every bar; one of them in the wrong order."""
    client.send(client.table, client="right")
    client.send(np.roll(client.table, 1, axis=1), client="wrong", ago_seconds=4.0)
    found = client.recompute()

    assert (found.compared, found.clients, found.symbols) == (200, ("wrong",), ())
    assert "The inputs from wrong are not what" in found.verdict


@pytest.mark.parametrize(
    ("send", "compared", "skipped"),
    [
        ({"rows": slice(-19, None)}, 19, {}),
        ({"symbol": "ELSE/USDT"}, 0, {"of a symbol that the model does not know": 160}),
        ({"rows": slice(100, 140)}, 20, {"whose bar has too few before it": 20}),
    ],
)
def test_rows_that_cannot_be_compared_are_counted(
    client: Client, send: dict[str, object], compared: int, skipped: dict[str, int]
) -> None:
    """And nobody is accused of them, however wrong they are."""
    sent = client.table * (1.0 if compared == 20 else 1.5)
    client.send(sent, **send)
    found = client.recompute()

    assert (found.compared, found.skipped, found.wrong) == (compared, skipped, ())
    assert found.known == (compared >= 20)


def test_bars_that_are_not_in_the_file_yet_are_skipped(client: Client, tmp_path: Path) -> None:
    """And rows that do not say which bar they are about."""
    client.path = write_csv(tmp_path / "shorter.csv", WALK.take(slice(-100)))
    log_inputs(
        client.objects,
        client.bundle,
        client.table[-ROWS:],
        [None if i % 2 else int(time) for i, time in enumerate(WALK.time[-ROWS:])],
        symbol="default",
    )
    found = client.recompute()

    assert found.compared == 30
    assert found.skipped == {
        "that do not say which bar they are about": 80,
        "whose bar is not among the bars": 50,
    }


def test_an_empty_log_is_unknown(client: Client) -> None:
    """Nobody has asked yet: nothing is compared, and nobody is accused."""
    found = client.recompute()

    assert (found.compared, found.known, found.wrong) == (0, False, ())


def test_the_job_prints_one_document(client: Client) -> None:
    """In a process of its own, as the monitor launches it."""
    client.send(np.roll(client.table, 1, axis=1))
    version = client.bundle.version
    arguments = ["--store", client.objects.url, "--model", MODEL, "--version", version]
    command = [sys.executable, "-P", "-m", "plumbline.training.recompute", *arguments]
    done = subprocess.run(
        [*command, "--bars", str(client.path), "--symbol", "WALKUSDT"],
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = Recomputed.from_json(done.stdout)

    assert found.compared == ROWS
    assert len(found.wrong) > 20


def test_what_cannot_be_known_is_an_answer(client: Client, capsys: pytest.CaptureFixture) -> None:
    """Bars that are not there end no job."""
    arguments = ["--store", client.objects.url, "--model", MODEL]
    code = main([*arguments, "--version", client.bundle.version, "--bars", "absent.csv"])
    found = json.loads(capsys.readouterr().out)

    assert code == 0
    assert found["verdict"].startswith("Unknown: cannot read bars from absent.csv")
    assert found["compared"] == 0


def test_the_command_names_every_column(client: Client) -> None:
    """For people as a table, exit 1; the champion's own bars by default."""
    registry = ModelRegistry(client.objects, MODEL)
    registry.promote(client.bundle.version, actor="a person", reason="a test", force=True)
    wrong = client.table
    wrong[:, client.column("rsi_14")] *= 100
    client.send(wrong)
    arguments = ["recompute", "--store", client.objects.url]
    said = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    document = CliRunner().invoke(app, [*arguments, "--json"])

    assert said.exit_code == document.exit_code == 1
    assert "rsi_14 arrives in another unit, x 100" in said.stdout
    assert json.loads(document.stdout)["wrong"][0]["kind"] == "unit"


def test_a_packed_model_is_told_why_not(client: Client) -> None:
    """Its columns are its owner's."""
    ModelRegistry(client.objects, "packed").write(*small_bundle("packed"))
    (version,) = ModelRegistry(client.objects, "packed").uploads()
    arguments = ["--store", client.objects.url, "--model", "packed", "--bars", "x.csv"]
    said = CliRunner().invoke(app, ["recompute", *arguments, "--version", version])

    assert said.exit_code == 1
    assert "columns of its owner's making, which cannot be computed from bars" in said.stderr
