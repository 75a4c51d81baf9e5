"""Who may do what, as the API server sees it, and what a pod's token is good for."""

from __future__ import annotations

import json

import pytest

FREE = {"selfsubjectreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews"}
"""What every account may do: ask who it is and what it may."""

MONITOR = {
    "cronjobs": {"get"},
    "jobs": {"create", "get", "list", "watch", "delete"},
    "pods": {"get", "list"},
    "pods/log": {"get"},
}


def allowed(dev, account: str) -> dict[str, set[str]]:
    """Return what an account may do in its namespace, by resource."""
    told = dev.cluster.kubectl(
        *("auth", "can-i", "--list", f"--as=system:serviceaccount:{dev.namespace}:{account}"),
        namespace=dev.namespace,
    )
    found = {}
    for line in told.splitlines()[1:]:
        resource, verbs = line.split()[0], line[line.rindex("[") + 1 : line.rindex("]")].split()
        name = resource.split(".")[0]
        if name not in FREE and not resource.startswith("["):
            found[name] = set(verbs)
    return found


@pytest.mark.parametrize("account", ["plumbline-service", "plumbline-train"])
def test_who_serves_and_who_trains_may_nothing(dev, account):
    """A stolen token of either opens nothing."""
    assert allowed(dev, account) == {}


def test_the_monitor_may_run_retrains_and_nothing_else(dev):
    """Jobs, their pods and logs, in its own namespace."""
    assert allowed(dev, "plumbline-monitor") == MONITOR


def test_a_serving_pod_holds_no_token(dev):
    """Nothing is mounted that speaks for anybody."""
    (pod, *_) = dev.ready("app.kubernetes.io/name=plumbline-service")
    found = dev.cluster.kubectl(
        *("exec", pod, "--", "sh", "-c", "ls /var/run/secrets/kubernetes.io || true"),
        namespace=dev.namespace,
    )

    assert found == ""


def test_its_token_opens_nothing(dev, tmp_path):
    """Even a token made for the service's account is refused everywhere."""
    told = dev.cluster.kubectl("config", "view", "--minify", "--flatten", "-o", "json")
    token = dev.cluster.kubectl("create", "token", "plumbline-service", namespace=dev.namespace)
    config = json.loads(told)
    config["users"][0]["user"] = {"token": token.strip()}
    (tmp_path / "config").write_text(json.dumps(config))
    for what in ("pods", "secrets", "jobs", "configmaps"):
        answer = dev.cluster.kubectl(
            *("--kubeconfig", str(tmp_path / "config"), "auth", "can-i", "get", what),
            namespace=dev.namespace,
            check=False,
        )

        assert answer.strip() == "no"
