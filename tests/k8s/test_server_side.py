"""What the API server itself says of the manifests: no pod runs, so this takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.control_plane import await_that
from tests.support.manifests import OVERLAYS, build, of_kind, the_pod

DEV = "overlays/dev"
ACCOUNTS = {
    "plumbline-service": set(),
    "plumbline-train": set(),
    "plumbline-monitor": {
        ("cronjobs.batch", "plumbline-retrain", "get"),
        ("jobs.batch", "", "create delete get list watch"),
        ("pods", "", "get list"),
        ("pods/log", "", "get"),
    },
}
"""What each account may do in its namespace: resource, name, verbs."""

EVERYBODY = {
    "selfsubjectreviews.authentication.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
}
"""What Kubernetes allows everyone who is known: to ask who they are and what they may do."""

pytestmark = [pytest.mark.tools, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def applied(plane) -> Iterator[str]:
    """A namespace, Pod Security restricted, to which the dev overlay was applied."""
    with ExitStack() as stack:
        namespace = stack.enter_context(plane.namespace())
        folder = stack.enter_context(plane.folder(DEV, namespace))
        plane.say("apply", "-k", folder)
        who = f"--as=system:serviceaccount:{namespace}:plumbline-monitor"
        asked = ("auth", "can-i", "get", "pods/log", "--namespace", namespace, who)
        await_that(lambda: plane.run(*asked).stdout.strip() == "yes")
        yield namespace


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_server_takes_every_object(plane, overlay):
    """Without an error or a warning, be it of Pod Security or of a field it does not know."""
    if overlay not in ("base", DEV):
        crds = plane.say("get", "crds", "--output", "name")
        if "alertmanagerconfigs.monitoring.coreos.com" not in crds:
            pytest.skip("the CRDs of the Prometheus operator are not there")
    with plane.namespace() as namespace, plane.folder(overlay, namespace) as folder:
        result = plane.run("apply", "-k", folder, "--server-side", "--dry-run=server")

    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == len(build(overlay))


def test_a_second_apply_changes_nothing(plane, applied):
    """The Job that makes the first model included, though a Job cannot be changed."""
    with plane.folder(DEV, applied) as folder:
        said = plane.say("apply", "-k", folder).splitlines()

    assert said
    assert {line.rpartition(" ")[2] for line in said} == {"unchanged"}


def test_a_changed_overlay_replaces_the_job_alone(plane):
    """A Job cannot be changed while it is there: ``--force`` makes that one anew."""

    def made(kind: str, name: str) -> dict:
        return plane.get(kind, name, "--namespace", namespace)

    with plane.namespace() as namespace, plane.folder(DEV, namespace) as folder:
        plane.say("apply", "-k", folder)
        before = made("deployment", "plumbline-monitor")["metadata"]["uid"]
        with (Path(folder) / "kustomization.yaml").open("a") as overlay:
            overlay.write("images: [{name: plumbline-training, newTag: another}]\n")
        plain, forced = (
            plane.run("apply", "-k", folder),
            plane.run("apply", "--force", "-k", folder),
        )
        job = made("job", "plumbline-bootstrap")
        retrain = made("cronjob", "plumbline-retrain")["spec"]["jobTemplate"]
        after = made("deployment", "plumbline-monitor")["metadata"]["uid"]

    assert "field is immutable" in plain.stderr
    assert forced.returncode == 0, forced.stderr
    for changed in (job, retrain):
        (container,) = changed["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "plumbline-training:another"
    assert after == before


def test_nothing_is_left_but_claims(plane):
    """Whatever was applied goes with ``delete -k``, what it made as well."""
    kinds = "all,configmaps,secrets,serviceaccounts,roles,rolebindings"
    own = {"kube-root-ca.crt", "default"}

    def left() -> set[str]:
        found = plane.get(kinds, "--namespace", namespace)["items"]
        return {item["metadata"]["name"] for item in found} - own

    with plane.namespace() as namespace, plane.folder(DEV, namespace) as folder:
        plane.say("apply", "-k", folder)
        there = left()
        plane.say("delete", "-k", folder, "--wait=false")

        assert {"plumbline-service", "plumbline-monitor", "plumbline-bootstrap"} <= there
        if plane.controlled:
            await_that(lambda: left() == set())


@pytest.mark.parametrize("account", ACCOUNTS)
def test_accounts_may_do_this_and_nothing_else(plane, applied, account):
    """The API server's own list of what it would allow each of the three."""
    who = f"--as=system:serviceaccount:{applied}:{account}"
    rows = plane.say("auth", "can-i", "--list", "--no-headers", "--namespace", applied, who)
    allowed = set()
    for row in rows.splitlines():
        resource, _, rest = row.partition(" ")
        urls, names, verbs = (part.strip("[] ") for part in rest.split("[")[1:])
        if urls == "" and resource not in EVERYBODY:
            allowed.add((resource, names, " ".join(sorted(verbs.split()))))

    assert allowed == ACCOUNTS[account]


def test_accounts_may_do_nothing_elsewhere(plane, applied):
    """The next namespace is none of the monitor's business, and secrets are nowhere."""
    who = f"--as=system:serviceaccount:{applied}:plumbline-monitor"
    asked = {
        ("create", "jobs", "default"),
        ("get", "pods", "default"),
        ("get", "secrets", applied),
        ("create", "pods", applied),
        ("create", "pods/exec", applied),
    }

    for verb, resource, namespace in asked:
        answer = plane.run("auth", "can-i", verb, resource, "--namespace", namespace, who)
        assert answer.stdout.strip() == "no", (verb, resource, namespace)


def test_a_retrain_is_made_once(plane, applied):
    """The monitor may make a Job of the template, named by the incident; a second conflicts."""
    who = f"--as=system:serviceaccount:{applied}:plumbline-monitor"
    name = "plumbline-retrain-0123456789abcdef-1"
    command = ("create", "job", name, "--from=cronjob/plumbline-retrain", "--namespace", applied)
    plane.say(*command, who)
    again = plane.run(*command, who)
    job = plane.get("job", name, "--namespace", applied)

    assert "already exists" in again.stderr
    assert job["metadata"]["ownerReferences"][0]["name"] == "plumbline-retrain"
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "plumbline-training:dev"


def test_pods_pass_pod_security_and_a_quota(plane):
    """Dev with a retrain fits 2 CPUs and 4 GiB, as admission counts; one more is refused."""
    if not plane.controlled:
        pytest.skip("no controllers here to count a quota")
    hard = {"requests.cpu": "2", "requests.memory": "4Gi", "limits.memory": "4Gi"}
    with plane.namespace() as namespace:
        metadata = {"name": "small", "namespace": namespace}
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
        accounts = of_kind(DEV, "ServiceAccount").values()
        plane.create(
            {**quota, "spec": {"hard": hard}},
            *(_moved(account, namespace) for account in accounts),
        )
        await_that(lambda: "hard" in plane.get("quota", "small", "-n", namespace).get("status", {}))
        for owner in ("service", "monitor", "retrain"):
            plane.create(_pod(owner, namespace))
        refused = plane.run("create", "-f", "-", given=_pod("bootstrap", namespace))

    assert "exceeded quota: small" in refused.stderr


def test_pod_security_is_in_force(plane):
    """A pod that may become root is refused there: the test above is worth something."""
    with plane.namespace() as namespace:
        wrong = _pod("service", namespace)
        wrong["spec"].pop("serviceAccountName")
        wrong["spec"]["securityContext"]["runAsNonRoot"] = False
        refused = plane.run("create", "-f", "-", "--dry-run=server", given=wrong)

    assert 'violates PodSecurity "restricted:latest"' in refused.stderr


def _moved(manifest: dict, namespace: str) -> dict:
    return {**manifest, "metadata": {"name": manifest["metadata"]["name"], "namespace": namespace}}


def _pod(owner: str, namespace: str) -> dict:
    found = the_pod(DEV, f"plumbline-{owner}")
    metadata = {"name": owner, "namespace": namespace, "labels": found.labels}
    spec = {**found.spec, "securityContext": dict(found.spec["securityContext"])}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
