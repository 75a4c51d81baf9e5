"""The launcher ``kubernetes`` against a real API server and the real Job controller.

It acts as the monitor's own account, on the template of the dev overlay. Nodes are the one thing
missing: tests.support.kubelet stands in for one, or the test says itself what a kubelet would.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from lightkube import Client, KubeConfig
from lightkube.config.models import Cluster, User

from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.repair.launchers.base import JobSpec, JobState, JobStatus, Launcher
from plumbline.monitoring.repair.launchers.kubernetes import KubernetesLauncher
from plumbline.testing import Jobs, check_launcher
from tests.support.control_plane import ControlPlane, await_that
from tests.support.kubelet import administrator, node, show_pod
from tests.support.programs import go_without

# A pod has one log, by lines.
NOISY = "import sys; sys.stderr.write('x' * 10**6 + 'the end\\n'); print('{}')"

pytestmark = [pytest.mark.tools, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def namespace(plane) -> Iterator[str]:
    """One with the dev overlay in it; nobody else's control plane may be frozen or given a node."""
    if plane.server is None or not plane.controlled:
        go_without("no API server and controllers of our own", dispensable=True)
    with plane.namespace() as made, plane.folder("overlays/dev", made) as folder:
        plane.say("apply", "-k", folder)
        yield made


@pytest.fixture(scope="module")
def monitor(plane, namespace) -> KubeConfig:
    """The monitor's way to the API: its account's token."""
    token = plane.say("create", "token", "plumbline-monitor", "--namespace", namespace).strip()
    return way(plane, token, namespace)


@pytest.fixture
def launcher(monitor, tmp_path) -> Iterator[KubernetesLauncher]:
    with closing(made(monitor, tmp_path)) as one:
        yield one


def way(plane: ControlPlane, token: str, namespace: str) -> KubeConfig:
    """Return how to reach the API server as whoever has the token."""
    config = json.loads(Path(plane.kubeconfig).read_text())
    server = config["clusters"][0]["cluster"]["server"]
    cluster = Cluster(server=server, insecure=True)
    return KubeConfig.from_one(cluster=cluster, user=User(token=token), namespace=namespace)


def made(
    config: KubeConfig, state: Path, template: str = "plumbline-retrain"
) -> KubernetesLauncher:
    """Return a launcher that is not very patient."""
    client = Client(config.get(), timeout=httpx.Timeout(2), trust_env=False)
    return KubernetesLauncher(KubernetesLauncher.Params(state=state, template=template), client)


def spec(key: str, code: str = "pass", *, seconds: float = 60.0) -> JobSpec:
    return JobSpec(key=key, arguments=(code,), timeout_seconds=seconds)


def end(launcher: Launcher, job: JobSpec, seconds: float = 60.0) -> JobStatus:
    """Submit and look, as the controller does at every step, until it has ended."""
    found: list[JobStatus] = []

    def ended() -> bool:
        found.append(launcher.poll(launcher.submit(job)))
        return found[-1].state is not JobState.RUNNING

    await_that(ended, seconds)
    return found[-1]


def pods_of(plane: ControlPlane, namespace: str, key: str) -> list[dict]:
    chosen = f"job-name=plumbline-retrain-{key}"
    return plane.get("pods", "--namespace", namespace, "--selector", chosen)["items"]


def jobs_of(plane: ControlPlane, namespace: str, incident: str) -> list[dict]:
    chosen = f"plumbline/incident={incident}"
    return plane.get("jobs", "--namespace", namespace, "--selector", chosen)["items"]


@pytest.mark.slow
def test_it_keeps_the_promises_of_launchers(plane, namespace, monitor, tmp_path):
    """All of them; its jobs outlive it."""
    home = tmp_path / "node"
    home.mkdir()
    jobs = Jobs(noisy=(NOISY,))
    with node(plane, namespace, home):
        check_launcher(lambda: made(monitor, tmp_path), jobs, patience_seconds=60, outliving=True)


def test_a_job_is_the_templates(plane, namespace, launcher):
    """Named by incident and attempt, owned by the CronJob, with its image and our deadline."""
    launcher.submit(spec("abcd-1", "print('$(HOME)')", seconds=12.3))
    (job,) = jobs_of(plane, namespace, "abcd")
    template = plane.get("cronjob", "plumbline-retrain", "--namespace", namespace)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (owner,) = job["metadata"]["ownerReferences"]

    assert job["metadata"]["name"] == "plumbline-retrain-abcd-1"
    assert (owner["name"], owner["uid"]) == ("plumbline-retrain", template["metadata"]["uid"])
    assert job["spec"]["activeDeadlineSeconds"] == 13
    assert job["spec"]["backoffLimit"] == 0
    assert container["image"] == "plumbline-training:dev"
    assert container["args"] == ["print('$$(HOME)')"]
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in container["env"]


def test_ten_launchers_make_one_job(plane, namespace, monitor, tmp_path):
    """All at once: nine find it there."""
    launchers = [made(monitor, tmp_path / str(number)) for number in range(10)]
    gate, failed = threading.Barrier(10), []

    def race(one: Launcher) -> None:
        gate.wait()
        try:
            one.submit(spec("race-1"))
        except Exception as error:  # noqa: BLE001  # whatever it is, the test fails
            failed.append(error)

    threads = [threading.Thread(target=race, args=(one,)) for one in launchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert len(jobs_of(plane, namespace, "race")) == 1
    assert {one.poll(one.submit(spec("race-1"))).state for one in launchers} == {JobState.RUNNING}
    for one in launchers:
        one.close()


def test_a_result_outlives_its_job(plane, namespace, launcher, tmp_path):
    """The log is kept beside it; nobody trains again because the cluster has tidied up."""
    home = tmp_path / "node"
    home.mkdir()
    code = "import sys; print('epoch 1', file=sys.stderr); print('{\\n  \"passed\": true\\n}')"
    with node(plane, namespace, home):
        status = end(launcher, spec("kept-1", code))
    plane.say("delete", "job", "plumbline-retrain-kept-1", "--namespace", namespace)
    handle = launcher.submit(spec("kept-1", code))

    assert status.document == {"passed": True}
    assert launcher.poll(handle).document == {"passed": True}
    assert (tmp_path / "jobs" / "kept-1" / "log.txt").read_text() == "epoch 1\n"
    assert jobs_of(plane, namespace, "kept") == []


def test_no_room_for_a_training_is_said(plane, namespace, launcher):
    """The scheduler's words, which this test says for it, are kept for the end."""
    job = spec("room-1", seconds=4)
    launcher.submit(job)
    await_that(lambda: bool(pods_of(plane, namespace, "room-1")))
    (pod,) = pods_of(plane, namespace, "room-1")
    message = "0/2 nodes are available: 2 Insufficient memory."
    waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    body = {"status": {"conditions": [{**waits, "message": message}]}}
    name = pod["metadata"]["name"]
    command = ("patch", "pod", name, "--namespace", namespace, "--subresource=status")
    plane.say(*command, "--type=merge", f"--patch={json.dumps(body)}")
    status = end(launcher, job)

    assert status.state is JobState.FAILED
    assert status.detail == (
        f"killed: it took longer than 4 s; its pod did not start, no node takes it: {message}"
    )


def test_a_pod_that_may_not_be_made_is_said(plane, namespace, launcher):
    """A quota forbids it: the Job's own events say so, which the monitor may not read."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": {"count/pods": "0"}}}
    plane.create({**quota, "metadata": {"name": "none", "namespace": namespace}})
    shown = ("quota", "none", "--namespace", namespace)
    await_that(lambda: "hard" in plane.get(*shown).get("status", {}))
    try:
        status = end(launcher, spec("quota-1", seconds=4))
    finally:
        plane.say("delete", *shown)

    assert status.detail == (
        "killed: it took longer than 4 s; its pod did not start, "
        "the cluster makes none: kubectl describe job plumbline-retrain-quota-1"
    )


def test_too_little_memory_is_said(plane, namespace, launcher):
    """A training over its limit is a failed attempt, with the limit in the sentence."""
    job = spec("memory-1")
    launcher.submit(job)
    await_that(lambda: bool(pods_of(plane, namespace, "memory-1")))
    (pod,) = pods_of(plane, namespace, "memory-1")
    limit = pod["spec"]["containers"][0]["resources"]["limits"]["memory"]
    state = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    with administrator(plane) as api:
        show_pod(api, pod, "Failed", state)
    status = end(launcher, job)

    assert status.state is JobState.FAILED
    assert status.detail.startswith(f"killed: it needed more memory than its limit of {limit}")


@pytest.mark.slow
def test_a_frozen_api_server_is_waited_for(plane, namespace, launcher, tmp_path):
    """Frozen while the Job is asked for, and again while it runs: one Job, one result."""
    home = tmp_path / "node"
    home.mkdir()
    job = spec("frozen-1", "import time; time.sleep(3); print('{\"passed\": true}')")
    with node(plane, namespace, home):
        with frozen(plane, 6.0) as over:
            begun = time.monotonic()
            assert launcher.poll(launcher.submit(job)).state is JobState.RUNNING
            assert time.monotonic() - begun < 5  # the monitor has a lease to hold
            while not over.is_set():
                assert launcher.poll(launcher.submit(job)).state is JobState.RUNNING
                time.sleep(0.2)
        await_that(lambda: launcher.submit(job) and pods_of(plane, namespace, "frozen-1"), 60)
        with frozen(plane, 4.0) as over:
            while not over.is_set():
                assert launcher.poll(launcher.submit(job)).state is JobState.RUNNING
                time.sleep(0.2)
        status = end(launcher, job)

    assert status.document == {"passed": True}
    assert len(jobs_of(plane, namespace, "frozen")) == 1


def test_what_is_wrong_for_good_is_a_failed_attempt(plane, namespace, monitor, tmp_path):
    """No template of that name; and one that the account may not read."""
    forbidden = made(monitor, tmp_path, "another")
    with closing(forbidden), pytest.raises(PermanentError, match="forbidden"):
        forbidden.submit(spec("wrong-1"))
    config = json.loads(Path(plane.kubeconfig).read_text())
    anybody = made(way(plane, config["users"][0]["user"]["token"], namespace), tmp_path, "another")
    missing = f"there is no CronJob another in {namespace}"
    with closing(anybody), pytest.raises(PermanentError, match=missing):
        anybody.submit(spec("wrong-1"))


class frozen:  # noqa: N801  # reads as a statement
    """Freeze the API server for so many seconds; yields an event that is set when they are over."""

    def __init__(self, plane: ControlPlane, seconds: float) -> None:
        assert plane.server is not None
        self._server = plane.server
        self._over = threading.Event()
        self._timer = threading.Timer(seconds, self._thaw)

    def _thaw(self) -> None:
        os.kill(self._server, signal.SIGCONT)
        self._over.set()

    def __enter__(self) -> threading.Event:
        os.kill(self._server, signal.SIGSTOP)
        self._timer.start()
        return self._over

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._thaw()
