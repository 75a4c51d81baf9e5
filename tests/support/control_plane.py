"""A Kubernetes API to test against: one that is named, or a control plane started for the tests.

Looked for in this order, somebody else's last: the programs of ``KUBEBUILDER_ASSETS``, as envtest
has them; those in the folder of ``PLUMBLINE_CLUSTER_TOOL``; the cluster of ``KUBECONFIG``. No pod
needs to run, and nobody has to be root.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
import yaml

from tests.support.declared import ROOT
from tests.support.programs import go_without
from tests.support.served import free_ports

TOOL = "PLUMBLINE_CLUSTER_TOOL"
ASSETS = "KUBEBUILDER_ASSETS"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
_START_SECONDS = 60.0


@dataclass(frozen=True)
class ControlPlane:
    """An API server and an administrator's way to it.

    Attributes
    ----------
    kubectl, kubeconfig
        Paths.
    controlled
        Whether controllers run: they fill in quotas, make pods and finish deletions.
    server
        Process id of the API server, where it was started for the tests alone.
    """

    kubectl: str
    kubeconfig: str
    controlled: bool
    server: int | None = None

    def run(self, *arguments: str, given: object = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl; what is given goes to its standard input as JSON."""
        return subprocess.run(
            [self.kubectl, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            input=None if given is None else json.dumps(given),
            env={**os.environ, "KUBECONFIG": self.kubeconfig},
        )

    def say(self, *arguments: str, given: object = None) -> str:
        """Run kubectl, which must succeed; return what it prints."""
        result = self.run(*arguments, given=given)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}: {result.stderr}"
        return result.stdout

    def get(self, *arguments: str) -> Any:
        """Return an object, or a list of them, as JSON has it."""
        return json.loads(self.say("get", *arguments, "--output", "json"))

    def create(self, *objects: dict[str, Any]) -> None:
        """Create objects."""
        self.say("create", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": objects})

    @contextmanager
    def namespace(self) -> Iterator[str]:
        """Make a namespace in which Pod Security is restricted, and remove it afterwards."""
        name = f"plumbline-test-{uuid4().hex[:8]}"
        metadata = {"name": name, "labels": RESTRICTED}
        self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        try:
            yield name
        finally:
            self.run("delete", "namespace", name, "--wait=false")

    @contextmanager
    def folder(self, overlay: str, namespace: str) -> Iterator[str]:
        """Write a kustomization of an overlay in another namespace; yield its path."""
        with tempfile.TemporaryDirectory() as folder:
            base = os.path.relpath(ROOT / "k8s" / overlay, os.path.realpath(folder))
            text = yaml.safe_dump({"namespace": namespace, "resources": [base]})
            (Path(folder) / "kustomization.yaml").write_text(text)
            yield folder


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Yield the control plane there is, or start one; without any the test is skipped."""
    if os.environ.get(ASSETS):
        with _started(Path(os.environ[ASSETS])) as started:
            yield started
    elif os.environ.get(TOOL):
        with _unpacked(Path(os.environ[TOOL])) as started:
            yield started
    elif os.environ.get("KUBECONFIG"):
        yield ControlPlane(_kubectl(None), os.environ["KUBECONFIG"], controlled=True)
    else:
        go_without(f"no Kubernetes: name one by {ASSETS}, {TOOL} or KUBECONFIG", dispensable=True)


def await_that(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until a condition holds, for so long at most."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds:.0f} s"
        time.sleep(0.2)


def _kubectl(folder: Path | None) -> str:
    found = shutil.which("kubectl", path=None if folder is None else str(folder))
    if found is None:
        pytest.fail(f"expected kubectl in {folder or 'PATH'}")
    return found


@contextmanager
def _unpacked(tool: Path) -> Iterator[ControlPlane]:
    """Start the programs of a tool that starts clusters, and add what the operator defines."""
    packed, definitions = tool / "kube.zst", tool / "prometheus" / "crds.yaml.zst"
    if not packed.exists():
        go_without(f"expected {packed}: Kubernetes' programs in one", dispensable=True)
    with tempfile.TemporaryDirectory(prefix="kube-") as folder:
        assets = Path(folder)
        with pa.input_stream(packed) as program, (assets / "kube").open("wb") as unpacked:
            shutil.copyfileobj(program, unpacked)
        (assets / "kube").chmod(0o755)
        for name in _PROGRAMS:
            (assets / name).symlink_to("kube")
        with pa.input_stream(definitions) as stream:
            (assets / "crds.yaml").write_bytes(stream.read())
        with _started(assets) as plane:
            plane.say("apply", "--server-side", "-f", str(assets / "crds.yaml"))
            plane.say("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
            yield plane


@contextmanager
def _started(assets: Path) -> Iterator[ControlPlane]:
    """Start etcd and an API server, and controllers where they are at hand."""
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="api-") as text:
        home = Path(text)
        client, peer, secure = free_ports(3)
        kubeconfig = _credentials(home, secure)
        etcd = f"http://127.0.0.1:{client}"

        def start(name: str, *options: str) -> None:
            with (home / f"{name}.log").open("wb") as log:
                command = [str(assets / name), *options]
                processes.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=home))

        try:
            start(
                *("etcd", "--data-dir", str(home / "data"), "--unsafe-no-fsync"),
                *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
                *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
            )
            start(
                *("kube-apiserver", "--etcd-servers", etcd, "--cert-dir", str(home)),
                *("--bind-address", "127.0.0.1", "--secure-port", str(secure)),
                *("--token-auth-file", str(home / "tokens.csv"), "--authorization-mode", "RBAC"),
                *("--service-cluster-ip-range", "10.0.0.0/24"),
                *("--service-account-issuer", "https://kubernetes.default.svc"),
                *("--service-account-key-file", str(home / "accounts.key")),
                *("--service-account-signing-key-file", str(home / "accounts.key")),
            )
            controlled = (assets / "kube-controller-manager").exists()
            server = processes[-1].pid
            plane = ControlPlane(_kubectl(assets), str(kubeconfig), controlled, server)
            await_that(lambda: plane.run("get", "--raw", "/readyz").returncode == 0, _START_SECONDS)
            if controlled:
                start(
                    *("kube-controller-manager", "--kubeconfig", str(kubeconfig)),
                    *("--leader-elect=false", "--bind-address", "127.0.0.1", "--secure-port", "0"),
                    *("--service-account-private-key-file", str(home / "accounts.key")),
                )
            yield plane
        finally:
            _end(processes)


def _credentials(home: Path, port: int) -> Path:
    """Write an administrator's token and a key for those of accounts; return the kubeconfig."""
    token = uuid4().hex
    (home / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    command = ["openssl", "genrsa", "-out", str(home / "accounts.key"), "2048"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path = home / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in reversed(processes):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
