"""A retrain as a Job of Kubernetes: what is asked for, and what its end says; no API is called.

Objects are what the API has: mappings, of which fields nobody here knows are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from plumbline.monitoring.repair.launchers.base import JobSpec
from plumbline.monitoring.repair.launchers.remote import job_name
from plumbline.store.job_log import last_words

INCIDENT_LABEL = "plumbline/incident"
_STARTING = ("ContainerCreating", "PodInitializing")

Object = Mapping[str, Any]


def build_job(cronjob: Object, spec: JobSpec, *, threads: int) -> dict[str, Any]:
    """Return the Job that runs a spec as a CronJob's template has it, owned by that CronJob.

    Its first container gets the arguments; variables that the template names are left alone.

    Raises
    ------
    ValueError
        If the template has no container.
    """
    template = deepcopy(cronjob["spec"]["jobTemplate"])
    wanted = template.get("spec") or {}
    pod = wanted.get("template") or {}
    containers = (pod.get("spec") or {}).get("containers")
    if not containers:
        raise ValueError("expected a template with a container")
    _fill(containers[0], spec, threads)
    wanted["activeDeadlineSeconds"] = math.ceil(spec.timeout_seconds)
    wanted.setdefault("backoffLimit", 0)  # attempts are counted by the controller
    labels = {INCIDENT_LABEL: spec.key.rpartition("-")[0] or spec.key}
    meta = pod.setdefault("metadata", {})
    meta["labels"] = {**(meta.get("labels") or {}), **labels}
    own = template.get("metadata") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(cronjob["metadata"]["name"], spec.key),
            "labels": {**(own.get("labels") or {}), **labels},
            # What `kubectl create job --from` says of such a Job.
            "annotations": {
                **(own.get("annotations") or {}),
                "cronjob.kubernetes.io/instantiate": "manual",
            },
            "ownerReferences": [_owner(cronjob)],
        },
        "spec": wanted,
    }


def conditions(thing: Object) -> dict[str, Object]:
    """Return the conditions of an object that hold, by their type."""
    found = (thing.get("status") or {}).get("conditions") or []
    return {each["type"]: each for each in found if each["status"] == "True"}


def why_waiting(pod: Object) -> str:
    """Return what keeps a pod from starting, in the cluster's words; empty if nothing does."""
    if pod["status"].get("phase") != "Pending":
        return ""
    for each in pod["status"].get("conditions") or []:
        if each.get("reason") == "Unschedulable":
            return f"no node takes it: {each.get('message', '')}".rstrip(": ")
    for each in pod["status"].get("containerStatuses") or []:
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason and reason not in _STARTING:
            return f"{reason}: {waiting.get('message', '')}".rstrip(": ")
    return ""


def why_failed(job: Object, pod: Object | None, *, waited: str = "", said: str = "") -> str:
    """Return one sentence on why a Job ended without a result.

    Parameters
    ----------
    waited
        What kept its pod from starting, when last seen.
    said
        Its log.
    """
    failed = conditions(job).get("Failed", {})
    if failed.get("reason") == "DeadlineExceeded":
        late = f"killed: it took longer than {job['spec']['activeDeadlineSeconds']} s"
        return f"{late}; its pod did not start, {waited}" if waited else late + last_words(said)
    if pod is None:
        what = f": {failed['message']}" if failed.get("message") else ""
        return f"ended without a result, and its pod is gone{what}"
    if reason := pod["status"].get("reason"):
        return f"{reason}: {pod['status'].get('message', '')}".rstrip(": ")
    ended = _terminated(pod)
    what = f"ended with exit code {ended.get('exitCode', '?')} and without a result"
    if ended.get("reason") == "OOMKilled":
        what = f"killed: it needed more memory than its limit of {_memory(pod)}"
    return what + last_words(said)


def _fill(container: dict[str, Any], spec: JobSpec, threads: int) -> None:
    # Kubernetes reads $(NAME) in arguments as a variable, and $$ as a dollar.
    container["args"] = [each.replace("$", "$$") for each in spec.arguments]
    there = container.get("env") or []
    named = {each["name"] for each in there}
    limits = [
        {"name": name, "value": str(threads)}
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
        if name not in named
    ]
    container["env"] = [*there, *limits]


def _owner(cronjob: Object) -> dict[str, Any]:
    meta = cronjob["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def _terminated(pod: Object) -> Object:
    for each in pod["status"].get("containerStatuses") or []:
        ended = (each.get("state") or {}).get("terminated")
        if ended:
            found: Object = ended
            return found
    return {}


def _memory(pod: Object) -> str:
    limits = (pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}
    return str(limits.get("memory", "the node"))
