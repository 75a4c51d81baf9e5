"""A trainer that is not ours, through the real controller, launcher and command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plumbline.bundle.archive import Bundle, digest_of
from plumbline.bundle.finding import Verdict
from plumbline.bundle.market import Market
from plumbline.bundle.reference import ReferenceProfile
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.monitor import build_triggers
from plumbline.monitoring.repair.controller import Controller
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from plumbline.store.incident import EventKind, IncidentStatus
from plumbline.training.config import read_experiment
from plumbline.training.run import train
from tests.support.bundles import small_bundle
from tests.support.control import MODEL, Control, kinds, value
from tests.support.experiments import small_experiment
from tests.support.markets import walk, write_csv

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own_trainer" / "best_of_three.py"
ENDED = {"until": lambda incident: incident.ended, "seconds": 120.0}
PROMOTED = {"until": lambda i: i.status is IncidentStatus.WATCHING, "seconds": 120.0}

TRAINER = """
import json, os, sys
from pathlib import Path

told = {name: text for name, text in os.environ.items() if name.startswith("PLUMBLINE_")}
Path("TOLD").write_text(json.dumps(told))
sys.stderr.write("a trainer of my own\\n")
DOES
"""


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Control:
    """A store without a model; jobs are run in its folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return Control(tmp_path)


@pytest.fixture
def metrics() -> Metrics:
    """Metrics to look at afterwards."""
    return Metrics()


def command(control: Control, does: str) -> tuple[str, ...]:
    """Write a trainer that keeps what it was told, and then does something."""
    path = control.folder / "trainer.py"
    path.write_text(TRAINER.replace("DOES", does))
    return (sys.executable, str(path))


def controller(control: Control, metrics: Metrics, *own: str, **changes: object) -> Controller:
    """Return the controller as a monitor builds it, with its own launcher."""
    settings = control.loaded(retrain={"command": own}, train_config=None, **changes)
    return Controller(
        control.objects,
        settings,
        launcher=SubprocessLauncher.build(settings),
        triggers=build_triggers(settings),
        metrics=metrics,
        clock=control.clock,
    )


def write_candidate(
    folder: Path, *, passed: bool = True, symbols: tuple[str, ...] = (), noise: float = 0.25
) -> str:
    """Put a bundle into a folder, as another trainer would; return its version.

    ``noise`` is the share of its reference's labels that have nothing to do with its answers.
    """
    manifest, files = small_bundle(MODEL, rows=3_000, seed=5, passed=passed)
    reference = with_noise(Bundle(manifest, files).reference, noise)
    files["reference.npz"] = reference.to_bytes()
    digests = {**manifest.files, "reference.npz": digest_of(files["reference.npz"])}
    data = manifest.data.model_copy(update={"symbols": symbols or manifest.data.symbols})
    manifest = manifest.model_copy(update={"files": digests, "data": data})
    folder.mkdir()
    for name, content in {**files, "manifest.json": manifest.to_json()}.items():
        (folder / name).write_bytes(content)
    return manifest.version


def with_noise(reference: ReferenceProfile, share: float) -> ReferenceProfile:
    """Return a reference stream of which so many labels were drawn by lot."""
    rng = np.random.default_rng(3)
    drawn = rng.permutation(reference.truth)
    chosen = rng.random(len(drawn)) < share
    return replace(reference, truth=np.where(chosen[:, None], drawn, reference.truth))


def copying(folder: Path) -> str:
    """Return what a trainer does that leaves a bundle in its output folder."""
    return (
        "import shutil\n"
        "made = Path(told['PLUMBLINE_OUTPUT']) / 'bundle'\n"
        f"shutil.copytree({str(folder)!r}, made)\n"
        "print(json.dumps({'bundle': str(made), 'and': 'more'}))"
    )


@pytest.fixture
def running(control: Control, metrics: Metrics) -> Iterator[list[Controller]]:
    """Controllers that are closed at the end."""
    started: list[Controller] = []
    yield started
    for one in started:
        one.close()


def test_a_bundle_in_a_folder_is_taken_in_judged_and_promoted(control, metrics, running):
    """The trainer is told what the contract says, and the loop goes on as with ours."""
    broken = control.serve(0)
    version = write_candidate(control.folder / "mine")
    own = command(control, copying(control.folder / "mine"))
    running.append(controller(control, metrics, *own))
    incident = control.run(running[0], Verdict.FLAT, **PROMOTED)
    told = json.loads((control.folder / "TOLD").read_text())

    assert control.registry.alias().value.version == version == incident.candidate
    assert (told["PLUMBLINE_MODEL"], told["PLUMBLINE_STORE"]) == (MODEL, control.url)
    assert (told["PLUMBLINE_CHAMPION"], told["PLUMBLINE_INCIDENT"]) == (broken, incident.id)
    assert (told["PLUMBLINE_REMEDY"], told["PLUMBLINE_ATTEMPT"]) == ("retrain", "1")
    assert told["PLUMBLINE_WARM"] == "0"
    assert "PLUMBLINE_UNTIL" not in told
    assert not Path(told["PLUMBLINE_OUTPUT"]).exists()
    assert EventKind.RETRAIN_STARTED in kinds(incident)
    assert (
        value(metrics, "plumbline_monitoring_retrains_total", model=MODEL, result="promoted") == 1
    )


def test_a_bias_is_told_to_the_same_trainer(control, metrics, running):
    """A stranger's calibration can be refitted by the stranger alone."""
    control.serve(0)
    write_candidate(control.folder / "mine")
    own = command(control, copying(control.folder / "mine"))
    running.append(controller(control, metrics, *own))
    control.run(running[0], Verdict.BIAS_SHIFT, **PROMOTED)
    told = json.loads((control.folder / "TOLD").read_text())

    assert told["PLUMBLINE_REMEDY"] == "recalibrate"


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("sys.exit(3)", "ended with exit code 3, expected 0"),
        ("print(json.dumps({'version': 'x'})); sys.exit(1)", "ended with exit code 1"),
        ("os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("print('epoch 1'); print(json.dumps({'version': 'x'}))", "printed 'epoch 1"),
        ("pass", "printed '', expected one JSON object"),
        ("print(json.dumps({'name': 'x'}))", 'expected either "version" or "bundle"'),
        ("print(json.dumps({'version': 'ffffffffffffffff'}))", "has no version ffffffffffffffff"),
        ("print(json.dumps({'bundle': 'nowhere'}))", "No such file or directory"),
    ],
)
def test_whatever_else_it_does_is_a_failed_attempt(control, metrics, running, does, reason):
    """The reason is in the timeline, what the trainer said in the job's log; the champion stays."""
    champion = control.serve(0)
    own = command(control, does)
    running.append(controller(control, metrics, *own, attempt_limit=1))
    incident = control.run(running[0], Verdict.FLAT, **ENDED)
    (failed,) = (e.detail for e in incident.events if e.kind is EventKind.ATTEMPT_FAILED)
    log = control.folder / "state" / "jobs" / f"{incident.id}-1" / "log.txt"

    assert reason in failed
    assert "a trainer of my own" in log.read_text()
    assert incident.status is IncidentStatus.CALLED
    assert control.registry.alias().value.version == champion


def test_a_program_that_is_not_there_is_a_failed_attempt(control, metrics, running):
    """The message names it."""
    control.serve(0)
    running.append(controller(control, metrics, "./no-such-trainer", attempt_limit=1))
    incident = control.run(running[0], Verdict.FLAT, **ENDED)

    assert "cannot run ./no-such-trainer: No such file" in " ".join(
        event.detail for event in incident.events
    )


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"passed": False}, "one action holds 99 % of the rows"),
        ({"symbols": ("BTC",)}, "its symbols are BTC, expected EURUSD"),
        ({"noise": 1.0}, "no_signal on 3000 reference rows"),
        ({"noise": 0.0}, "leak on 3000 reference rows"),
    ],
)
def test_a_bundle_that_does_not_pass_is_refused(control, metrics, running, wanted, reason):
    """Its own report, the market, and the diagnosis of its own reference each have a veto."""
    champion = control.serve(0)
    folder = control.folder / "mine"
    write_candidate(folder, **wanted)
    own = command(control, copying(folder))
    running.append(controller(control, metrics, *own, attempt_limit=1))
    incident = control.run(running[0], Verdict.FLAT, **ENDED)
    (refused,) = (e.detail for e in incident.events if e.kind is EventKind.CANDIDATE_REFUSED)

    assert reason in refused
    assert control.registry.alias().value.version == champion


@pytest.mark.slow
def test_the_example_of_the_documentation_works(control, metrics, running, tmp_path):
    """Three real trainings that follow the champion; what is answered has the champion's bars.

    A random walk teaches nothing, so that their own gate refuses all of them: a refused attempt,
    with a bundle in the store, is what must come of it.
    """
    write_csv(tmp_path / "walk.csv", walk(900, symbol="default"))
    (tmp_path / "small.toml").write_text(small_experiment(str(tmp_path / "walk.csv")))
    first = train(read_experiment(str(tmp_path / "small.toml")), control.objects, MODEL)
    control.registry.promote(first.version, actor="a", reason="a test", force=True)
    running.append(controller(control, metrics, sys.executable, str(EXAMPLE), attempt_limit=1))
    incident = control.run(running[0], Verdict.FLAT, **ENDED)
    made = [version for version in control.registry.versions() if version != first.version]
    markets = {Market.of(control.registry.manifest(version)) for version in made}

    assert len(made) == 3
    assert {control.registry.manifest(version).seed for version in made} == {0, 1, 2}
    assert markets == {Market.of(control.registry.manifest(first.version))}
    assert EventKind.CANDIDATE_REFUSED in kinds(incident)
