"""What a Job of Kubernetes is made of, and what its end says."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plumbline.monitoring.repair.launchers.base import JobSpec
from plumbline.monitoring.repair.launchers.kubernetes_job import (
    build_job,
    why_failed,
    why_waiting,
)
from plumbline.monitoring.repair.launchers.remote import job_name
from tests.support.declared import ROOT

SPEC = JobSpec(key="0123abcd-2", arguments=("train", "--json"), timeout_seconds=900.5)
FAILED = {
    "spec": {"activeDeadlineSeconds": 900},
    "status": {
        "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
    },
}


def cronjob(name: str = "plumbline-retrain") -> dict:
    """The one of the base, as an API server gives it."""
    found = yaml.safe_load((ROOT / "k8s" / "base" / "retrain.yaml").read_text())
    return {**found, "metadata": {**found["metadata"], "name": name, "uid": "u-1"}}


def pod(state: dict | None = None, **status: object) -> dict:
    shown = [{"state": state}] if state else []
    limits = {"limits": {"memory": "2Gi"}}
    return {
        "spec": {"containers": [{"name": "train", "resources": limits}]},
        "status": {"containerStatuses": shown, **status},
    }


def test_the_template_is_left_as_it_was():
    """Two attempts are made of one template; neither sees the other."""
    template = cronjob()
    kept = json.dumps(template, sort_keys=True)
    job = build_job(template, SPEC, threads=2)

    assert json.dumps(template, sort_keys=True) == kept
    assert job["metadata"]["name"] == "plumbline-retrain-0123abcd-2"
    assert job["metadata"]["labels"]["plumbline/incident"] == "0123abcd"
    assert job["spec"]["template"]["metadata"]["labels"]["plumbline/incident"] == "0123abcd"
    assert job["spec"]["activeDeadlineSeconds"] == 901
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": "plumbline-retrain",
            "uid": "u-1",
            "controller": True,
        }
    ]


def test_what_the_template_says_of_threads_and_of_fields_unknown_here_stays():
    """The template is people's; we fill in what is ours."""
    template = cronjob()
    spec = template["spec"]["jobTemplate"]["spec"]
    spec["fieldOfTomorrow"] = 7
    (container,) = spec["template"]["spec"]["containers"]
    container["env"] = [{"name": "OMP_NUM_THREADS", "value": "8"}]
    job = build_job(template, SPEC, threads=2)
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]

    assert job["spec"]["fieldOfTomorrow"] == 7
    assert env == [
        {"name": "OMP_NUM_THREADS", "value": "8"},
        {"name": "MKL_NUM_THREADS", "value": "2"},
    ]


def test_a_template_without_a_container_is_refused():
    template = cronjob()
    template["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"] = []

    with pytest.raises(ValueError, match="expected a template with a container"):
        build_job(template, SPEC, threads=2)


@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,50}[a-z0-9]", fullmatch=True),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}-[0-9]", fullmatch=True),
)
def test_names_fit_into_a_label_and_stay_apart(template, key):
    """However long the template's own name is."""
    name = job_name(template, key)

    assert len(name) <= 63
    assert name[-1].isalnum()
    assert name != job_name(template, f"{key}0")


def test_a_pod_that_only_starts_waits_for_nothing():
    creating = {"waiting": {"reason": "ContainerCreating"}}
    pulling = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}

    assert why_waiting(pod(creating, phase="Pending")) == ""
    assert why_waiting(pod(pulling, phase="Pending")) == "ErrImagePull: no such image"
    assert why_waiting(pod(pulling, phase="Running")) == ""


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (
            pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "killed: it needed more memory than its limit of 2Gi; it said last: epoch 3",
        ),
        (
            pod({"terminated": {"exitCode": 2, "reason": "Error"}}),
            "ended with exit code 2 and without a result; it said last: epoch 3",
        ),
        (pod(reason="Evicted", message="node is full"), "Evicted: node is full"),
        (None, "ended without a result, and its pod is gone"),
    ],
)
def test_a_failure_is_one_sentence(seen, expected):
    assert why_failed(FAILED, seen, said="epoch 3\n") == expected
