"""Jobs are counted while they run and when they end."""

from __future__ import annotations

from itertools import count

import pytest

from plumbline.monitoring.metrics import Metrics
from plumbline.monitoring.repair.launchers.base import JobHandle, JobSpec, JobState, JobStatus
from plumbline.monitoring.repair.launchers.observed import ObservedLauncher


class Told:
    """A launcher that says of every job what it has been told to say."""

    def __init__(self) -> None:
        self.state = JobState.RUNNING

    def submit(self, spec: JobSpec) -> JobHandle:
        """Take it."""
        return JobHandle(spec.key)

    def poll(self, handle: JobHandle) -> JobStatus:
        """Say it."""
        assert handle.key
        return JobStatus(self.state)

    def cancel(self, handle: JobHandle) -> None:
        """Do nothing."""
        assert handle.key


def values(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a metric by their labels."""
    samples = [s for family in metrics.registry.collect() for s in family.samples]
    return {tuple(s.labels.values()): s.value for s in samples if s.name == name}


RUNNING, SECONDS = "plumbline_monitoring_job_running", "plumbline_monitoring_job_seconds_sum"


@pytest.mark.parametrize(
    ("command", "kind"),
    [("train", "retrain"), ("calibrate", "recalibrate"), ("retrain", "retrain")],
)
@pytest.mark.parametrize("state", [JobState.FINISHED, JobState.FAILED])
def test_a_job_is_seen_running_and_then_its_time(command, kind, state):
    """However often it is submitted and looked at."""
    metrics, told, clock = Metrics(model="m"), Told(), count()
    launcher = ObservedLauncher(told, metrics, clock=lambda: float(next(clock)))
    spec = JobSpec(key="k", arguments=(command,), timeout_seconds=1)
    for _ in range(3):
        launcher.poll(launcher.submit(spec))
    during = values(metrics, RUNNING)["m", kind]
    told.state = state
    for _ in range(3):
        launcher.poll(launcher.submit(spec))

    assert during == 1
    assert values(metrics, RUNNING) == {("m", "retrain"): 0, ("m", "recalibrate"): 0}
    assert values(metrics, SECONDS) == {("m", kind, state.value): 1}


def test_a_cancelled_job_is_one():
    """Of a launcher that runs nothing but reports."""
    metrics = Metrics(model="m")
    launcher = ObservedLauncher(Told(), metrics, kind="report")
    handle = launcher.submit(JobSpec(key="k", arguments=(), timeout_seconds=1))
    launcher.cancel(handle)

    assert values(metrics, RUNNING) == {("m", "report"): 0}
    assert set(values(metrics, SECONDS)) == {("m", "report", "cancelled")}
