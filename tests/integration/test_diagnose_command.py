"""`plumbline diagnose predictions`: a file, a bundle, what is served now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from plumbline.cli.diagnose import app
from plumbline.store.objects import Objects
from plumbline.store.prediction import PredictionRow
from plumbline.store.registry import ModelRegistry
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool
from tests.support.bundles import small_bundle
from tests.support.faults import OUTPUT_FAULTS
from tests.support.monitored import log_rows
from tests.support.streams import HOUR, SHORT, START, Stream, bundle, healthy

MODEL = "eurusd-1h"


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> str:
    """Return the URL of a store whose champion is the streams' model."""
    url = (tmp_path / "store").as_uri()
    sealed = bundle(SHORT)
    registry = ModelRegistry(Objects(url), MODEL)
    made = registry.write(sealed.manifest, dict(sealed.files))
    registry.promote(made.version, actor="a test", reason="to be judged")
    return url


def ask(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["predictions", *words])


def verdict(*words: str) -> tuple[str, int]:
    """Run the command with ``--json``; return verdict and exit code."""
    done = ask(*words, "--json")
    return json.loads(done.stdout)["diagnosis"]["verdict"], done.exit_code


def broken(name: str) -> Stream:
    """Return four hundred rows of a broken model."""
    stream = healthy(400, 7)
    reference = bundle().reference.raw.astype(np.float64)
    return stream.saying(OUTPUT_FAULTS[name][0](stream.logits, reference))


def write_csv(path: Path, stream: Stream, *, features: bool = True) -> Path:
    """Write a stream as the command reads it."""
    names = [f"probability_{name}" for name in ("SELL", "HOLD", "BUY")]
    values = [*stream.probabilities.T]
    if features:
        names += [f"feature_feature_{i}" for i in range(stream.features.shape[1])]
        values += [*stream.features.T]
    names.append("action")
    rows = np.column_stack([np.column_stack(values).astype(object), stream.actions])
    lines = [",".join(names), *(",".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def log(store: str, folder: Path, stream: Stream) -> None:
    """Put a stream into the prediction log of the champion."""
    batch = stream.batch(bundle().version)
    rows = [
        PredictionRow(
            prediction_id=str(batch.prediction_id[i]),
            seq=i,
            time=START + i * 1_000,
            bar_time=START + i * HOUR,
            symbol="WALK",
            group="",
            client="",
            model=MODEL,
            version=str(batch.version[i]),
            action=int(batch.action[i]),
            raw=batch.raw[i].tobytes(),
            centre=batch.centre[i].tobytes(),
            epistemic=batch.epistemic[i].tobytes(),
            position=float(batch.position[i]),
            size=float(batch.size[i]),
            features=batch.features[i].tobytes(),
            inputs_hash=str(batch.inputs_hash[i]),
            latency_us=1,
            window=None,
        )
        for i in range(len(batch))
    ]
    spool = Spool(folder, 0)
    spool.append(rows)
    spool.close()
    Shipper(folder, Objects(store)).ship()


def test_a_bundle_is_judged_by_its_own_rows(store: str) -> None:
    """Labels included; exit 0 if a size may be suggested."""
    done = ask("champion", "--store", store)

    assert "skill" in done.stdout
    assert bundle().version in done.stdout
    assert (done.exit_code == 0) is ("healthy" in done.stdout)


@pytest.mark.parametrize(("name", "exit_code"), [("I1 logits", 1), ("I4 logits", 1)])
def test_a_file_is_judged_alone(tmp_path: Path, name: str, exit_code: int) -> None:
    """No bundle, no store: what is in the file must do."""
    path = write_csv(tmp_path / "answers.csv", broken(name), features=False)

    assert verdict(str(path), "--store", str(tmp_path)) == ("dominant_action", exit_code)


def test_a_file_is_held_against_a_bundle(tmp_path: Path, store: str) -> None:
    """The same rows, sound and with a bias that only a reference shows."""
    sound = write_csv(tmp_path / "sound.csv", healthy(400, 7))
    biased = write_csv(tmp_path / "biased.csv", broken("SELL +1.2"))
    held = ("--store", store, "--version", "champion")

    assert verdict(str(sound), *held) == ("healthy", 0)
    assert verdict(str(biased), *held) == ("bias_shift", 1)


def test_arrays_without_names_are_taken_in_the_bundles_order(tmp_path: Path, store: str) -> None:
    """An ``.npz`` says the same as the table with names."""
    held = ("--store", store, "--version", "champion")
    for name, stream in {"sound": healthy(400, 7), "biased": broken("SELL +1.2")}.items():
        table = write_csv(tmp_path / f"{name}.csv", stream)
        arrays = {"probabilities": stream.probabilities, "features": stream.features}
        np.savez(tmp_path / f"{name}.npz", actions=stream.actions, **arrays)

        assert verdict(str(tmp_path / f"{name}.npz"), *held) == verdict(str(table), *held)


def test_a_bundles_own_file_is_not_taken_for_a_table(tmp_path: Path, store: str) -> None:
    """The message says what was expected; the bundle is asked for by its version instead."""
    path = tmp_path / "reference.npz"
    path.write_bytes(bundle().files["reference.npz"])

    done = ask(str(path), "--store", store, "--version", "champion")
    assert done.exit_code == 1
    assert "expected an array probabilities or logits of shape (n, k)" in done.stderr


def test_the_log_is_shown_to_the_detectors(tmp_path: Path, store: str) -> None:
    """As the monitor does; the evidence is part of the answer."""
    log(store, tmp_path / "spool", broken("constant"))
    done = ask("live", "--store", store, "--json")
    found = json.loads(done.stdout)

    assert found["diagnosis"]["verdict"] == "flat"
    assert {each["detector"] for each in found["evidence"] if each["alarmed"]} >= {"gain"}
    assert done.exit_code == 1


def test_the_version_in_shadow_is_judged_by_what_it_would_have_answered(store: str) -> None:
    """Its rows lie apart; those of the champion are not touched."""
    objects = Objects(store)
    registry = ModelRegistry(objects, MODEL)
    champion = registry.open(registry.alias().value.version)
    challenger = registry.write(*small_bundle(MODEL, rows=900))
    registry.promote(challenger.version, actor="a test", reason="try", alias="challenger")
    given = log_rows(objects, champion, rows=150)
    log_rows(objects, challenger, rows=150, beside=given)
    shadow = json.loads(ask("live", "--store", store, "--version", "challenger", "--json").stdout)
    live = json.loads(ask("live", "--store", store, "--json").stdout)

    assert shadow["target"] == f"{MODEL} {challenger.version}, in shadow"
    assert live["target"] == f"{MODEL} {champion.version}, live"
    assert shadow["diagnosis"]["verdict"] == "healthy"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("live",), "has no prediction of"),
        (("nothing.csv",), "there is no such file"),
        (("ffff",), "ffff"),
    ],
)
def test_failures_say_what_to_do(store: str, words: tuple[str, ...], said: str) -> None:
    """On stderr, with exit 1."""
    done = ask(*words, "--store", store)

    assert done.exit_code == 1
    assert said in done.stderr


def test_wrong_columns_are_named(tmp_path: Path, store: str) -> None:
    """Missing probabilities, unknown classes, other features."""
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n1,2\n")
    strange = tmp_path / "strange.csv"
    strange.write_text("probability_UP,probability_DOWN,label\n.5,.5,SIDEWAYS\n")

    assert "expected columns probability_<class>" in ask(str(empty), "--store", store).stderr
    assert "'SIDEWAYS'" in ask(str(strange), "--store", store).stderr
    held = ask(str(strange), "--store", store, "--version", "champion").stderr
    assert "expected ('SELL', 'HOLD', 'BUY'), found ('UP', 'DOWN')" in held
