"""What every launcher promises."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbline.monitoring.errors import PermanentError
from plumbline.monitoring.repair.launchers import LAUNCHERS
from plumbline.monitoring.repair.launchers.base import JobSpec, JobState, JobStatus, Launcher
from plumbline.monitoring.settings import MonitoringSettings

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
    return kind(kind.Params.model_validate({"state": state, "command": PYTHON, "threads": 1}))


@pytest.fixture(params=sorted(LAUNCHERS))
def launcher(request, tmp_path) -> Iterator[Launcher]:
    """Each registered launcher."""
    made = build(request.param, tmp_path)
    yield made
    made.close()


def test_a_job_gives_the_document_it_printed(launcher):
    """Whatever its exit code: a refused candidate is an outcome, not a failure."""
    status = end(launcher, job("import sys; print('{\"passed\": false}'); sys.exit(1)"))

    assert status == JobStatus(JobState.FINISHED, document={"passed": False})


def test_one_key_runs_once(launcher, tmp_path):
    """A second submission, while it runs or after, returns the first run."""
    mark = tmp_path / "runs"
    code = f"open({str(mark)!r}, 'a').write('x'); import time; time.sleep(.2); print('{{}}')"
    handle = launcher.submit(job(code))

    assert launcher.submit(job(code)) == handle

    end(launcher, job(code))
    end(launcher, job(code))

    assert mark.read_text() == "x"


def test_another_key_is_another_job(launcher):
    """The next attempt runs although the one before has ended."""
    numbers = [end(launcher, job(f"print('{{\"n\": {n}}}')", f"key-{n}")) for n in (1, 2)]

    assert [status.document for status in numbers] == [{"n": 1}, {"n": 2}]


def test_a_failure_says_why(launcher):
    """Exit code and last words."""
    status = end(launcher, job("raise SystemExit('the disk is full')"))

    assert status.state is JobState.FAILED
    assert "exit code 1" in status.detail
    assert "the disk is full" in status.detail


@pytest.mark.parametrize("printed", ["", "[1]", "{", "done"])
def test_anything_but_one_json_object_is_a_failure(launcher, printed):
    """An exit code of 0 alone means nothing."""
    assert end(launcher, job(f"print({printed!r})")).state is JobState.FAILED


def test_a_job_past_its_limit_is_ended(launcher):
    """It counts as failed, and says so."""
    status = end(launcher, job("import time; time.sleep(60)", seconds=0.3))

    assert status.state is JobState.FAILED
    assert "longer than" in status.detail


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


def test_closing_ends_what_still_runs(launcher):
    """Ctrl-C leaves no training behind."""
    handle = launcher.submit(job("import time; time.sleep(60)"))
    launcher.close()

    assert launcher.poll(handle).state is JobState.FAILED


def test_a_job_nobody_submitted_has_failed(launcher):
    """Not an error of the caller: a monitor may look for a job whose folder is gone."""
    from plumbline.monitoring.repair.launchers.base import JobHandle

    assert launcher.poll(JobHandle("never")).state is JobState.FAILED


def test_logs_are_the_end_of_standard_error(launcher):
    """Bounded, however much was written."""
    code = "import sys; sys.stderr.write('x' * 10**6 + 'end'); print('{}')"
    end(launcher, job(code))
    said = launcher.logs(launcher.submit(job(code)))

    assert said.endswith("xend")
    assert len(said) <= 10_000


def test_every_launcher_is_built_from_settings(tmp_path):
    """The monitor knows them by name alone."""
    settings = MonitoringSettings.load(store="memory://launchers", state=tmp_path)
    for kind in LAUNCHERS.values():
        assert isinstance(kind.build(settings), Launcher)


def test_a_command_that_does_not_exist_is_a_permanent_error(tmp_path):
    """Trying again would end the same way."""
    kind = LAUNCHERS["subprocess"]
    params = kind.Params.model_validate({"state": tmp_path, "command": ("/no/such/program",)})

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
