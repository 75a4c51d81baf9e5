"""A stand-in for a node, where an API server and controllers run but no kubelet.

It does what a kubelet does with the pods of retrains, but for the container: the arguments run as
Python on this machine, and the API server fetches their output from it. What it cannot show is what
images, cgroups and volumes do: a real cluster does (tests/cluster).
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.control_plane import ControlPlane

_MERGE = {"Content-Type": "application/merge-patch+json"}


def administrator(plane: ControlPlane) -> httpx.Client:
    """Return a client that may do everything."""
    config = json.loads(Path(plane.kubeconfig).read_text())
    token = config["users"][0]["user"]["token"]
    return httpx.Client(
        base_url=config["clusters"][0]["cluster"]["server"],
        verify=False,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


@contextmanager
def node(plane: ControlPlane, namespace: str, home: Path) -> Iterator[None]:
    """Run the pods of retrains of a namespace, for as long as the context lasts."""
    stop = threading.Event()
    with administrator(plane) as api, _log_server(home) as port:
        made = _Node(api, namespace, home, port)
        running = threading.Thread(target=made.run, args=(stop,))
        running.start()
        try:
            yield
        finally:
            stop.set()
            running.join(30)
            made.close()


class _Node:
    def __init__(self, api: httpx.Client, namespace: str, home: Path, port: int) -> None:
        self._api = api
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._home = home
        self._name = f"node-of-{namespace}"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ended: set[str] = set()
        body = {
            "metadata": {"name": self._name},
            "status": {
                "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            },
        }
        api.post("/api/v1/nodes", json=body).raise_for_status()
        path = f"/api/v1/nodes/{self._name}/status"
        api.patch(path, json={"status": body["status"]}, headers=_MERGE).raise_for_status()

    def run(self, stop: threading.Event) -> None:
        """Look at all pods again and again."""
        while not stop.wait(0.1):
            with suppress(httpx.HTTPError):
                found = self._api.get(self._pods, params={"labelSelector": "plumbline/incident"})
                for pod in found.raise_for_status().json()["items"]:
                    self._step(pod)

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes.values():
            _kill(process)
        self._api.delete(f"/api/v1/nodes/{self._name}")

    def _step(self, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        process = self._processes.get(name)
        if pod["metadata"].get("deletionTimestamp"):
            if process:
                _kill(process)
            body = {"gracePeriodSeconds": 0}
            self._api.request("DELETE", f"{self._pods}/{name}", json=body)
        elif process is None:
            target = {"apiVersion": "v1", "kind": "Node", "name": self._name}
            body = {"metadata": {"name": name}, "target": target}
            self._api.post(f"{self._pods}/{name}/binding", json=body)
            self._processes[name] = self._start(pod)
            self._show(pod, "Running", {"running": {}})
        elif process.poll() is not None and name not in self._ended:
            self._ended.add(name)
            code = process.returncode if process.returncode >= 0 else 128 - process.returncode
            state = {"exitCode": code, "reason": "Error" if code else "Completed"}
            self._show(pod, "Failed" if code else "Succeeded", {"terminated": state})

    def _start(self, pod: dict[str, Any]) -> subprocess.Popen[bytes]:
        container = pod["spec"]["containers"][0]
        # As a kubelet reads them: $$ is a dollar.
        arguments = [each.replace("$$", "$") for each in container["args"]]
        env = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        with (self._home / f"{pod['metadata']['name']}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-c", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def _show(self, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        show_pod(self._api, pod, phase, state)


def show_pod(api: httpx.Client, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
    """Say of a pod's container what a kubelet would."""
    container = pod["spec"]["containers"][0]
    said = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": phase == "Running",
        "restartCount": 0,
        "state": state,
    }
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status"
    body = {"status": {"phase": phase, "containerStatuses": [said]}}
    api.patch(path, json=body, headers=_MERGE).raise_for_status()


@contextmanager
def _log_server(home: Path) -> Iterator[int]:
    """Serve logs where an API server asks a kubelet for them; yield the port."""

    class Logs(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pod = urlsplit(self.path).path.split("/")[3]
            text = (home / f"{pod}.log").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *said: object) -> None:
            pass

    key, certificate = home / "kubelet.key", home / "kubelet.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Logs) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
