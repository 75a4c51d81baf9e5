"""The launcher ``ray`` and every answer a job server may give, over real HTTP.

test_ray_cluster.py has a real Ray.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from plumbline.monitoring.errors import PermanentError, SettingsError
from plumbline.monitoring.repair.launchers import remote
from plumbline.monitoring.repair.launchers.base import JobSpec, JobState
from plumbline.monitoring.repair.launchers.ray import RayLauncher
from plumbline.monitoring.settings import MonitoringSettings, RaySettings
from tests.support.job_server import JobServer, job_server

SPEC = JobSpec(key="0123abcd-1", arguments=("train", "--model", "it's gold"), timeout_seconds=60)
NAME = "plumbline-gold-0123abcd-1"
RESULT = '{\n  "passed": true\n}\n'


@pytest.fixture
def server() -> Iterator[JobServer]:
    with job_server() as made:
        yield made


@pytest.fixture
def launcher(server, tmp_path) -> Iterator[RayLauncher]:
    with closing(made(server.address, tmp_path)) as one:
        yield one


@pytest.fixture(autouse=True)
def hasty(monkeypatch) -> None:
    """Look at once, and ask again at once."""
    monkeypatch.setattr(remote, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(remote, "_REST_SECONDS", 0.0)


def made(address: str, state: Path, *, token: str | None = None, **ray: object) -> RayLauncher:
    settings = MonitoringSettings.load(
        None,
        store="memory://ray",
        model="gold",
        state=state,
        ray=RaySettings(address=address, **ray),
        ray_token=token and SecretStr(token),
    )
    return RayLauncher.build(settings)


def state(launcher: RayLauncher, spec: JobSpec = SPEC) -> JobState:
    """Submit and look, as the controller does at every step."""
    return launcher.poll(launcher.submit(spec)).state


def test_a_job_is_what_the_settings_say(server, tmp_path):
    """Command, resources, variables; ours are where nobody said otherwise."""
    env = {"env_vars": {"MKL_NUM_THREADS": "8"}, "image_uri": "registry/training"}
    asked = {"command": ("python", "-m", "mine"), "num_gpus": 0.5, "resources": {"big": 1}}
    with closing(made(server.address, tmp_path, runtime_env=env, **asked)) as launcher:
        launcher.submit(SPEC)
    (body,) = server.submissions

    assert body == {
        "submission_id": NAME,
        "entrypoint": "python -m mine train --model 'it'\"'\"'s gold'",
        "runtime_env": {
            "env_vars": {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "8"},
            "image_uri": "registry/training",
        },
        "metadata": {"incident": "0123abcd", "timeout_seconds": "60.0"},
        "entrypoint_num_cpus": 2,
        "entrypoint_num_gpus": 0.5,
        "entrypoint_memory": 0,
        "entrypoint_resources": {"big": 1.0},
    }


def test_it_says_who_it_is(server, tmp_path):
    """A bearer token for Ray, further headers for a proxy; behind a path as well."""
    headers = {"X-Api-Key": "k"}
    with closing(made(f"{server.address}/ray", tmp_path, token="s3cret", headers=headers)) as one:
        with pytest.raises(
            PermanentError, match=r"takes no such job: HTTP 404; it said last: 404: Not Found"
        ):
            one.submit(SPEC)
        assert "s3cret" not in repr(one._params)

    assert server.headers["authorization"] == "Bearer s3cret"
    assert server.headers["x-api-key"] == "k"


def test_a_job_is_followed_to_its_result(server, launcher, tmp_path):
    """Ray's one log is taken apart into result and log; its own line may be anywhere in it."""
    assert state(launcher) is JobState.RUNNING
    server.show(NAME, "RUNNING")
    assert state(launcher) is JobState.RUNNING
    own = f"Running entrypoint for job {NAME}: {server.jobs[NAME]['entrypoint']}\n"
    server.show(NAME, "SUCCEEDED", log=f"epoch 1\n{RESULT}{own}", driver_exit_code=0)
    status = launcher.poll(launcher.submit(SPEC))

    assert (status.state, status.document) == (JobState.FINISHED, {"passed": True})
    assert (tmp_path / "jobs" / SPEC.key / "log.txt").read_text() == "epoch 1\n"
    server.jobs.clear()
    assert launcher.poll(launcher.submit(SPEC)).document == {"passed": True}
    assert len(server.submissions) == 1


@pytest.mark.parametrize(
    ("end", "log", "detail"),
    [
        (
            {"status": "FAILED", "driver_exit_code": 3},
            "epoch 1\nthe disk is full\n",
            "ended with exit code 3 and without a result; it said last: the disk is full",
        ),
        (
            {"status": "SUCCEEDED", "driver_exit_code": 0},
            "",
            "ended with exit code 0 and without a result",
        ),
        (
            {"status": "FAILED", "driver_exit_code": 137},
            "epoch 1\n",
            "killed (exit code 137), as by a machine short of memory; it said last: epoch 1",
        ),
        (
            {"status": "FAILED", "message": "runtime_env setup failed: no\n  line 2\nErrno 111\n"},
            "",
            "Ray gave it up: runtime_env setup failed: no … Errno 111",
        ),
        ({"status": "FAILED"}, "", "Ray gave it up: Job has not started yet."),
        ({"status": "STOPPED"}, "x\n", "stopped by somebody, not by the monitor; it said last: x"),
    ],
)
def test_an_end_without_a_result_is_said(server, launcher, end, log, detail):
    """In one sentence."""
    launcher.submit(SPEC)
    server.show(NAME, log=log, **end)
    status = launcher.poll(launcher.submit(SPEC))

    assert (status.state, status.detail) == (JobState.FAILED, detail)


def test_a_refusal_of_the_gate_is_a_result(server, launcher):
    """The training exits with 1, which Ray calls a failure."""
    launcher.submit(SPEC)
    server.show(NAME, "FAILED", log='{"passed": false}\n', driver_exit_code=1)

    assert launcher.poll(launcher.submit(SPEC)).document == {"passed": False}


def test_what_takes_too_long_is_stopped(server, launcher, tmp_path):
    """By any monitor that finds it: the job carries its limit, the server has the clock."""
    launcher.submit(SPEC)
    server.show(NAME, "RUNNING", start_time=int(time.time() * 1000) - 61_000)
    with closing(made(server.address, tmp_path / "another")) as another:
        handle = another.submit(SPEC.model_copy(update={"timeout_seconds": 1e6}))
        assert another.poll(handle).state is JobState.RUNNING  # until it has really ended
        assert server.stopped == [NAME]
        server.show(NAME, "STOPPED", log="epoch 1\n", end_time=int(time.time() * 1000))
        status = another.poll(handle)

    assert status.detail == "killed: it took longer than 60 s; it said last: epoch 1"


def test_what_never_starts_is_stopped_too(server, launcher):
    """Ray leaves it pending; the sentence has Ray's reason."""
    launcher.submit(SPEC)
    before = int(time.time() * 1000) - 61_000
    server.show(NAME, "PENDING", start_time=before, message="It waits for GPUs.")
    status = launcher.poll(launcher.submit(SPEC))

    assert status.state is JobState.FAILED
    assert status.detail == "killed: it took longer than 60 s; it did not start: It waits for GPUs."
    assert server.stopped == [NAME]


def test_a_cancelled_job_is_stopped(server, launcher):
    """And is over for us; that there is none is no error."""
    handle = launcher.submit(SPEC)
    launcher.cancel(handle)
    launcher.cancel(handle)

    assert server.stopped == [NAME, NAME]
    assert launcher.poll(handle).state is JobState.FAILED
    server.jobs.clear()
    launcher.cancel(handle)


def test_ten_launchers_submit_one_job(server, tmp_path):
    """All at once: nine are told that it exists, and follow it."""
    launchers = [made(server.address, tmp_path / str(number)) for number in range(10)]
    gate = threading.Barrier(10)

    def race(one: RayLauncher) -> None:
        gate.wait()
        one.submit(SPEC)

    threads = [threading.Thread(target=race, args=(one,)) for one in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    server.show(NAME, "SUCCEEDED", log=RESULT)

    assert {state(one) for one in launchers} == {JobState.FINISHED}
    assert len(server.submissions) == 1
    for one in launchers:
        one.close()


def test_a_submission_that_is_taken_and_not_answered_is_not_repeated(server, launcher):
    """The next step finds the job there."""
    server.mute = True
    handle = launcher.submit(SPEC)
    assert launcher.poll(handle).state is JobState.RUNNING
    server.show(NAME, "SUCCEEDED", log=RESULT)

    assert launcher.poll(handle).state is JobState.FINISHED
    assert len(server.submissions) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (500, "No available agent to submit job, please try again later."),
        (503, "<html>Service Unavailable</html>"),
        (429, "slow down"),
        (200, "<html>Sign in</html>"),
        (200, []),
        (200, {"status": "HALF-DONE", "entrypoint": ""}),
        (200, {"entrypoint": ""}),
    ],
)
def test_what_is_not_known_is_waited_for(server, launcher, answer):
    """Whether it is submitted or looked at: no second training is started."""
    server.instead = {"": answer}
    assert state(launcher) is JobState.RUNNING
    assert server.submissions == []
    server.instead = {}
    assert state(launcher) is JobState.RUNNING
    server.instead = {"": answer}
    assert state(launcher) is JobState.RUNNING
    server.instead = {}
    server.show(NAME, "SUCCEEDED", log=RESULT)

    assert state(launcher) is JobState.FINISHED
    assert len(server.submissions) == 1


def test_a_server_that_is_not_there_is_waited_for_and_then_said(server, launcher):
    """As long as a training may take; nothing was submitted, so nothing runs twice."""
    server.instead = {"": (503, "no")}
    spec = SPEC.model_copy(update={"timeout_seconds": 0.05})
    assert state(launcher, spec) is JobState.RUNNING
    time.sleep(0.1)

    with pytest.raises(PermanentError, match=r"Ray's job server takes no job: .*HTTP 503"):
        launcher.submit(spec)


@pytest.mark.parametrize(
    ("code", "said", "match"),
    [
        (400, "Traceback\nTypeError: no such field", r"HTTP 400; it said last: TypeError: no such"),
        (401, "Unauthorized: Missing authentication token", "HTTP 401; it said last: Unauthorized"),
        (403, "Forbidden: Invalid authentication token", "HTTP 403"),
        (302, "", "HTTP 302"),
    ],
)
def test_what_is_refused_for_good_is_a_failed_attempt(server, launcher, code, said, match):
    """With the server's last words."""
    server.instead = {"": (code, said)}

    with pytest.raises(PermanentError, match=match):
        launcher.submit(SPEC)


def test_a_job_the_cluster_has_forgotten_has_failed(server, launcher):
    """Ray's head loses all jobs when it is started anew, and they end with it."""
    handle = launcher.submit(SPEC)
    server.jobs.clear()
    status = launcher.poll(handle)

    assert status.state is JobState.FAILED
    assert status.detail.startswith(f"job {NAME} is gone: ")


def test_a_log_that_cannot_be_read_is_waited_for(server, launcher, monkeypatch):
    """Its node may be away; for a minute, then the attempt has failed."""
    handle = launcher.submit(SPEC)
    server.show(NAME, "SUCCEEDED", log=RESULT)
    server.instead = {"/logs": (500, "agent away")}
    assert launcher.poll(handle).state is JobState.RUNNING
    monkeypatch.setattr(remote, "_LOG_SECONDS", 0.0)

    with pytest.raises(PermanentError, match="has ended, and its log cannot be read"):
        launcher.poll(handle)
    server.instead = {}
    assert launcher.poll(handle).state is JobState.FINISHED


def test_a_log_that_went_with_its_machine_is_not_waited_for(server, launcher):
    """Ray has given the job up and says why; nobody can answer for that machine."""
    handle = launcher.submit(SPEC)
    said = "Job supervisor actor died: …\n\tthe actor's node was terminated unexpectedly"
    server.show(NAME, "FAILED", message=said)
    server.instead = {"/logs": (500, "Cannot connect to host")}
    status = launcher.poll(handle)

    assert status.state is JobState.FAILED
    assert status.detail.endswith("… the actor's node was terminated unexpectedly")


def test_an_endless_log_is_a_failed_attempt(server, launcher):
    """And no dead monitor."""
    handle = launcher.submit(SPEC)
    server.show(NAME, "SUCCEEDED", log="x" * (1 << 24))

    with pytest.raises(PermanentError, match="expected 16777216 bytes at most"):
        launcher.poll(handle)


@pytest.mark.parametrize("address", ["ray://head:10001", "head:6379", "", "http://[::1"])
def test_an_address_that_is_none_is_said(tmp_path, address):
    """Ray has three kinds of address; this is the one of HTTP."""
    with pytest.raises(SettingsError, match=r"ray\.address"):
        made(address, tmp_path)
