"""What every launcher promises."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from plumbline.monitoring.errors import PermanentError, SettingsError
from plumbline.monitoring.process import build_launcher
from plumbline.monitoring.repair.launchers import LAUNCHERS
from plumbline.monitoring.repair.launchers.base import (
    JobHandle,
    JobSpec,
    JobState,
    JobStatus,
    Launcher,
)
from plumbline.monitoring.repair.launchers.subprocess import SubprocessLauncher
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.testing import ContractError, check_launcher

KUBECONFIG = """
clusters: [{name: here, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
users: [{name: me, user: {token: secret}}]
current-context: here
"""
PYTHON = (sys.executable, "-c")


def job(code: str, key: str = "incident-1", *, seconds: float = 30.0) -> JobSpec:
    """Return a job that runs some Python."""
    return JobSpec(key=key, arguments=(code,), timeout_seconds=seconds)


def end(launcher: Launcher, spec: JobSpec) -> JobStatus:
    """Submit a job and wait for its end."""
    handle = launcher.submit(spec)
    deadline = time.monotonic() + 20
    while (status := launcher.poll(handle)).state is JobState.RUNNING:
        assert time.monotonic() < deadline, launcher.logs(handle)
        time.sleep(0.01)
    return status


def build(name: str, state: Path) -> Launcher:
    """Return a launcher that runs Python."""
    kind = LAUNCHERS[name]
    given = {"state": state, "command": PYTHON, "threads": 1, **shared(state)}
    return kind(kind.Params.model_validate(given))


def shared(state: Path) -> dict[str, str]:
    """Return the store of a launcher, and the model that it works for."""
    return {"store": (state / "store").as_uri(), "model": "eurusd-1h"}


HERE = ("subprocess",)
"""Those that need nothing but this machine; tests/k8s/test_retrain_jobs.py has the other one."""


@pytest.fixture(params=HERE)
def launcher(request, tmp_path) -> Iterator[Launcher]:
    """Each that runs jobs on this machine."""
    made = build(request.param, tmp_path)
    yield made
    made.close()


def test_it_keeps_its_promises(tmp_path):
    """With jobs in Python."""
    for name in HERE:
        check_launcher(lambda name=name: build(name, tmp_path / name))


def test_a_broken_launcher_is_told_which_promise_it_breaks(tmp_path):
    """It runs a key twice, or loses what a job printed."""

    class Twice(SubprocessLauncher):
        def submit(self, spec):
            fresh = spec.model_copy(update={"key": f"{spec.key}-{len(self._children)}"})
            super().submit(fresh)
            return JobHandle(fresh.key)

    class Deaf(SubprocessLauncher):
        def poll(self, handle):
            found = super().poll(handle)
            return found if found.state is JobState.RUNNING else JobStatus(JobState.FINISHED, {})

    params = SubprocessLauncher.Params(state=tmp_path, command=PYTHON, threads=1)
    with pytest.raises(ContractError, match="Twice: two submissions, two handles"):
        check_launcher(lambda: Twice(params))
    with pytest.raises(ContractError, match=r"Deaf: its document is \{\}"):
        check_launcher(lambda: Deaf(params))


def test_cancelling_ends_a_job_and_what_it_started(launcher, tmp_path):
    """The grandchild is gone as well, and a second cancel is a no-op."""
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    handle = launcher.submit(job(code))
    deadline = time.monotonic() + 20
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    launcher.cancel(handle)
    launcher.cancel(handle)

    assert launcher.poll(handle).state is JobState.FAILED
    assert gone(int(mark.read_text()), seconds=10)


def test_every_launcher_is_built_from_settings(tmp_path, monkeypatch):
    """The monitor knows them by name alone."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    settings = MonitoringSettings.load(store="memory://launchers", state=tmp_path)
    for kind in LAUNCHERS.values():
        with closing(kind.build(settings)) as made:
            assert isinstance(made, Launcher)


def test_a_launcher_without_a_cluster_or_a_template_says_so(tmp_path, monkeypatch):
    """Before anything is started."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    settings = MonitoringSettings.load(store="memory://launchers", launcher="kubernetes")
    wrong = settings.model_copy(update={"job_template": "plumbline-retrain"})

    with pytest.raises(SettingsError, match="a pod with a service account, or KUBECONFIG"):
        build_launcher(settings)
    with pytest.raises(SettingsError, match="expected cronjob/NAME, got 'plumbline-retrain'"):
        build_launcher(wrong)


def test_a_command_that_does_not_exist_is_a_permanent_error(tmp_path):
    """Trying again would end the same way."""
    kind = LAUNCHERS["subprocess"]
    params = kind.Params.model_validate(
        {"state": tmp_path, "command": ("/no/such/program",), **shared(tmp_path)}
    )

    with pytest.raises(PermanentError, match="/no/such/program"):
        kind(params).submit(job("pass"))


def test_a_job_keeps_to_its_threads_and_goes_second(tmp_path):
    """Serving comes first on a shared machine."""
    launcher = build("subprocess", tmp_path)
    code = (
        "import json, os, time; time.sleep(.3); "
        "print(json.dumps([os.environ['OMP_NUM_THREADS'], os.nice(0)]).join(['{\"said\": ', '}']))"
    )
    status = end(launcher, job(code))

    assert status.document == {"said": ["1", min(os.nice(0) + 5, 19)]} or status.document == {
        "said": ["1", 5]
    }


def gone(pid: int, *, seconds: float) -> bool:
    """Whether a process that has been killed is gone within so many seconds."""
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
