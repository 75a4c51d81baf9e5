"""A real Kubernetes cluster, as an operator with ``kubectl`` sees it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.support.declared import ROOT
from tests.support.images import PREFIX

TOOL = "PLUMBLINE_CLUSTER_TOOL"
"""Names a folder with ``up``, ``down``, ``load-image`` and ``fault``: a cluster on this machine."""

T = TypeVar("T")
Object = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """A cluster and the means to break it, where there are any.

    Attributes
    ----------
    environment
        What ``kubectl`` needs to find it.
    tool, home
        The folder of programs that started it, and where it lives; None for somebody else's.
    """

    environment: dict[str, str]
    tool: Path | None = None
    home: Path | None = None

    @classmethod
    def of_environment(cls) -> Cluster:
        """Return the cluster that KUBECONFIG names, with the tool that started it if one did."""
        home, tool = Path(os.environ["KUBECONFIG"]).parents[1], os.environ.get(TOOL)
        ours = tool and (home / "pids").is_dir()
        return cls(dict(os.environ), *((Path(tool), home) if tool and ours else ()))

    def kubectl(
        self,
        *arguments: str,
        namespace: str | None = None,
        given: str | None = None,
        check: bool = True,
        timeout: float = 120,
    ) -> str:
        """Run ``kubectl`` and return what it printed; an error tells what it said."""
        command = ["kubectl", *(("-n", namespace) if namespace else ()), *arguments]
        result = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            input=given,
            timeout=timeout,
            env=self.environment,
            cwd=ROOT,
        )
        if check and result.returncode:
            raise AssertionError(f"{' '.join(command)}: {result.stderr or result.stdout}")
        return result.stdout

    def get(self, *arguments: str, namespace: str | None = None) -> Object:
        """Return an object, or a list of them."""
        found: Object = json.loads(
            self.kubectl("get", *arguments, "-o", "json", namespace=namespace)
        )
        return found

    def items(self, kind: str, namespace: str, selector: str = "") -> list[Object]:
        """Return the objects of one kind, by labels."""
        found: list[Object] = self.get(kind, "-l", selector, namespace=namespace)["items"]
        return found

    def ready_pods(self, namespace: str, selector: str) -> list[str]:
        """Return the names of the pods that take traffic and are not on their way out."""
        return [
            pod["metadata"]["name"]
            for pod in self.items("pods", namespace, selector)
            if "deletionTimestamp" not in pod["metadata"]
            and {"type": "Ready", "status": "True"}.items() <= _condition(pod, "Ready").items()
        ]

    def http(self, namespace: str, service: str, path: str, port: str = "http") -> str:
        """Return what a Service answers, through the API server's proxy; "" for any error."""
        url = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}"
        return self.kubectl("get", "--raw", url, check=False, timeout=30)

    def query(self, expression: str) -> list[Object]:
        """Return the samples of an instant query to the cluster's Prometheus."""
        from urllib.parse import quote

        answer = self.http(
            "monitoring", "prometheus-operated", f"/api/v1/query?query={quote(expression)}", "web"
        )
        found: list[Object] = json.loads(answer)["data"]["result"] if answer else []
        return found

    def fault(self, what: str, whom: str) -> None:
        """Break or mend the cluster itself."""
        assert self.tool is not None
        assert self.home is not None
        _run(str(self.tool / "fault"), what, whom, str(self.home), timeout=60)

    def describe(self, namespace: str) -> str:
        """Return what somebody would want to know of a namespace in which something went wrong."""
        parts = [
            self.kubectl("get", "pods,jobs,pvc", "-o", "wide", namespace=namespace, check=False),
            self.kubectl(
                *("get", "events", "--sort-by", ".lastTimestamp"), namespace=namespace, check=False
            )[-3_000:],
        ]
        for pod in self.items("pods", namespace):
            name = pod["metadata"]["name"]
            parts.append(f"--- {name}\n" + self.logs(namespace, name, lines=12))
        return "\n".join(parts)

    def logs(self, namespace: str, pod: str, lines: int = -1) -> str:
        """Return what a pod wrote."""
        return self.kubectl("logs", pod, f"--tail={lines}", namespace=namespace, check=False)


def _condition(pod: Object, kind: str) -> dict[str, str]:
    found = pod.get("status", {}).get("conditions", ())
    return next((each for each in found if each["type"] == kind), {})


def until(
    reached: Callable[[], T], seconds: float, what: str, told: Callable[[], str] = str
) -> tuple[T, float]:
    """Wait until something is true, and return it with the seconds it took.

    Raises
    ------
    AssertionError
        If it was not within so many seconds; ``told`` adds what there is to say.
    """
    began = time.monotonic()
    while True:
        found = reached()
        if found:
            return found, round(time.monotonic() - began, 1)
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{told()}")
        time.sleep(0.5)


@contextmanager
def started(tool: Path, *options: str) -> Iterator[Cluster]:
    """Start a cluster of one's own, and end it whatever happens."""
    home = Path(tempfile.mkdtemp(prefix="plumbline-k8s-", dir="/tmp"))
    try:
        line = _run(str(tool / "up"), *options, str(home), timeout=300)
        told = dict(re.findall(r"(\w+)=(\S+)", line))
        environment = {
            **os.environ,
            "KUBECONFIG": told["KUBECONFIG"],
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        }
        yield Cluster(environment, tool, home)
    finally:
        _run(str(tool / "down"), str(home), timeout=120)
        shutil.rmtree(home, ignore_errors=True)


def load_image(cluster: Cluster, name: str, folder: Path) -> None:
    """Put an image that was built here where every node finds it, as ``NAME:dev``."""
    assert cluster.tool is not None
    archive = folder / f"{name}.tar"
    target = f"docker-archive:{archive}:{name}:dev"
    _run("buildah", "push", "--quiet", f"{PREFIX}{name}:dev", target, timeout=300)
    _run(str(cluster.tool / "load-image"), str(archive), str(cluster.home), timeout=300)
    archive.unlink()


def _run(*command: str, timeout: float) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout)
    assert result.returncode == 0, f"{command[0]}: {result.stderr[-2_000:]}"
    return result.stdout
