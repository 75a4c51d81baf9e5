"""The launcher ``ray`` on a real Ray, with its token asked for."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plumbline.bundle.finding import Verdict
from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.process import build_launcher
from plumbline.monitoring.repair.launchers.base import JobSpec, JobState, JobStatus, Launcher
from plumbline.monitoring.repair.launchers.subprocess import plumbline_command
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.incident import EventKind, IncidentStatus
from plumbline.testing import Jobs, check_launcher
from tests.support.control import QUICK_TRAIN, Control, kinds, wait_for
from tests.support.declared import ROOT
from tests.support.experiments import small_experiment
from tests.support.markets import walk, write_csv
from tests.support.ray_cluster import TOKEN, RayCluster, ray_cluster

# A job of Ray has one log, by lines.
NOISY = "import sys; sys.stderr.write('x' * 10**6 + 'the end\\n'); print('{}')"
PYTHON = (sys.executable, "-c")
WATCHED = {"until": lambda incident: incident.status is IncidentStatus.WATCHING, "seconds": 90.0}
MONITOR = (sys.executable, "-m", "tests.support.lone_controller")

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    """One for all tests: each has a model of its own."""
    with ray_cluster() as started:
        yield started


def asked(cluster: RayCluster, command: tuple[str, ...], **more: object) -> dict[str, object]:
    """Return the settings of a monitor whose jobs go there, as a file would say them."""
    ray = {
        "address": cluster.address,
        "command": list(command),
        "num_cpus": 0.5,
        "runtime_env": {"env_vars": {"PYTHONPATH": str(ROOT)}},
    }
    return {"launcher": "ray", "ray": {**ray, **more}, "ray_token": TOKEN}


def made(
    cluster: RayCluster, state: Path, command: tuple[str, ...] = PYTHON, **more: object
) -> Launcher:
    """Return a launcher of its own; a test's jobs are told apart by the folder's name."""
    settings = {"store": "memory://ray", "model": state.name.replace("_", "-"), "state": state}
    given = {**settings, **asked(cluster, command, **more)}
    return build_launcher(MonitoringSettings.load(None, **given))


def job(key: str, code: str, *, seconds: float = 60.0) -> JobSpec:
    return JobSpec(key=key, arguments=(code,), timeout_seconds=seconds)


def end(launcher: Launcher, spec: JobSpec, seconds: float = 90.0) -> JobStatus:
    """Submit and look, as the controller does at every step, until it has ended."""
    deadline = time.monotonic() + seconds
    while (status := launcher.poll(launcher.submit(spec))).state is JobState.RUNNING:
        assert time.monotonic() < deadline, "it never ended"
        time.sleep(0.1)
    return status


def named(cluster: RayCluster, part: str) -> list[dict]:
    return [found for name, found in cluster.jobs().items() if part in name]


def test_it_keeps_the_promises_of_launchers(cluster, tmp_path):
    """All of them; its jobs outlive it."""
    jobs = Jobs(noisy=(NOISY,))
    check_launcher(lambda: made(cluster, tmp_path), jobs, patience_seconds=60, outliving=True)


def test_a_real_training_gives_its_bundle(cluster, tmp_path):
    """``plumbline train`` on the cluster, as the monitor's command line has it."""
    bars = write_csv(tmp_path / "bars.csv", walk(1_500))
    config = tmp_path / "small.toml"
    config.write_text(small_experiment(str(bars)))
    target = ("--store", (tmp_path / "store").as_uri(), "--model", "gold")
    arguments = ("train", "--config", str(config), *target, "--json")
    spec = JobSpec(key="real-1", arguments=arguments, timeout_seconds=240)
    with closing(made(cluster, tmp_path, plumbline_command())) as launcher:
        status = end(launcher, spec, 240)
        log = launcher.logs(launcher.submit(spec))

    assert status.state is JobState.FINISHED, (status.detail, log)
    assert status.document["passed"] in {True, False}
    assert (
        tmp_path / "store" / "models" / "gold" / "versions" / status.document["version"]
    ).is_dir()


def test_ten_launchers_submit_one_job(cluster, tmp_path):
    """At once, from ten monitors with nothing in common but the cluster."""
    places = [tmp_path / str(number) / "race" for number in range(10)]
    launchers = [made(cluster, place) for place in places]
    spec = job("race-1", 'import uuid; print(\'{"run": "%s"}\' % uuid.uuid4())')
    gate, ends = threading.Barrier(10), []

    def race(one: Launcher) -> None:
        gate.wait()
        ends.append(end(one, spec).document["run"])
        one.close()

    threads = [threading.Thread(target=race, args=(one,)) for one in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert len(ends) == 10
    assert len(set(ends)) == 1
    assert len(named(cluster, "race-race-1")) == 1


def test_a_killed_monitor_leaves_its_job_to_the_next(cluster, tmp_path):
    """On another machine, with a folder of its own: one training, one promotion."""
    settings = {**asked(cluster, QUICK_TRAIN), "model": "eurusd-1h"}
    control = Control(tmp_path, settings=settings)
    control.serve(0)
    control.plan(seed=4, seconds=6)
    first = subprocess.Popen([*MONITOR, str(tmp_path), json.dumps(settings)], cwd=ROOT)
    wait_for(lambda: len(control.calls) == 1, seconds=60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = control.controller(Metrics(), state=tmp_path / "another")
    incident = control.run(second, Verdict.FLAT, **WATCHED)
    second.close()

    assert len(control.calls) == 1
    assert len(named(cluster, incident.id)) == 1
    assert incident.attempts == 1
    assert kinds(incident).count(EventKind.PROMOTED) == 1
    assert "training" in (tmp_path / "another/jobs" / f"{incident.id}-1" / "log.txt").read_text()


def test_what_takes_too_long_is_ended_with_all_it_started(cluster, tmp_path):
    """Though it will not listen: the next monitor keeps the limit that the first one set."""
    mark = tmp_path / "alive"
    child = f"import time\nwhile True: open({str(mark)!r}, 'a').write('x'); time.sleep(0.1)"
    code = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    spec = job("late-1", code, seconds=8)
    with closing(made(cluster, tmp_path / "late")) as first:
        first.submit(spec)
        wait_for(mark.exists, seconds=60)
    with closing(made(cluster, tmp_path / "2" / "late")) as second:
        status = end(second, spec.model_copy(update={"timeout_seconds": 1e6}))
    size = mark.stat().st_size
    time.sleep(1)

    assert status.detail.startswith("killed: it took longer than 8 s")
    assert mark.stat().st_size == size
    assert [found["status"] for found in named(cluster, "late-late-1")] == ["STOPPED"]


def test_a_silent_server_is_waited_for(cluster, tmp_path):
    """Silent while it is asked for a job, and while that runs: one job, one result."""
    spec = job("silent-1", "import time; time.sleep(8); print('{\"passed\": true}')")
    with closing(made(cluster, tmp_path / "away")) as launcher:
        with cluster.silent():
            begun = time.monotonic()
            assert launcher.poll(launcher.submit(spec)).state is JobState.RUNNING
            assert time.monotonic() - begun < 6  # the monitor has a lease to hold
        wait_for(lambda: launcher.submit(spec) and named(cluster, "silent-1"), seconds=30)
        with cluster.silent():
            until = time.monotonic() + 12
            while time.monotonic() < until:
                assert launcher.poll(launcher.submit(spec)).state is JobState.RUNNING
                time.sleep(0.2)
        status = end(launcher, spec)

    assert status.document == {"passed": True}
    assert len(named(cluster, "silent-1")) == 1


def test_what_the_cluster_cannot_give_is_said(cluster, tmp_path):
    """More GPUs than there are: the job waits, and its limit ends it with Ray's reason."""
    with closing(made(cluster, tmp_path, num_gpus=4)) as launcher:
        status = end(launcher, job("greedy-1", "pass", seconds=3))

    assert status.detail.startswith("killed: it took longer than 3 s; it did not start: ")
    assert "waiting for resources" in status.detail


def test_a_wrong_token_is_a_failed_attempt(cluster, tmp_path):
    """And not one that waits for ever."""
    given = {"store": "memory://ray", "state": tmp_path, **asked(cluster, PYTHON)}
    settings = MonitoringSettings.load(None, **{**given, "ray_token": "another"})
    with (
        closing(build_launcher(settings)) as launcher,
        pytest.raises(PermanentError, match=r"Ray's job server refuses: HTTP 40[13]"),
    ):
        launcher.submit(job("token-1", "pass"))


def test_a_lost_node_is_a_failed_attempt(cluster, tmp_path):
    """With Ray's reason, and what the job had said is lost; a job before it had run there well."""
    with closing(made(cluster, tmp_path / "far", resources={"far": 1})) as launcher:
        assert end(launcher, job("far-1", "print('{\"passed\": true}')")).document == {
            "passed": True
        }
        spec = job(
            "far-2", "import time; print('epoch 1', flush=True); time.sleep(200)", seconds=240
        )
        handle = launcher.submit(spec)
        wait_for(
            lambda: [each["status"] for each in named(cluster, "far-far-2")] == ["RUNNING"],
            seconds=60,
        )
        cluster.lose_node()
        status = end(launcher, spec, 120)

        assert status.state is JobState.FAILED
        assert status.detail.startswith("Ray gave it up: Job supervisor actor died")
        assert "node" in status.detail
        assert launcher.logs(handle) == ""
