"""The service image, built for real and run as a pod would run it. Slow; needs root and buildah."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.declared import ROOT
from tests.support.programs import require_program
from tests.support.served import MODEL, body, free_ports, promoted

BASE, IMAGE = "localhost/python:3.11", "localhost/plumbline-service-test"

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(1800)]


def run(*command: str, timeout: float = 1200) -> str:
    result = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=timeout
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]
    return result.stdout.strip()


@pytest.fixture(scope="module")
def image_root() -> Iterator[str]:
    """The mounted root of a freshly built service image."""
    if os.geteuid() != 0:
        pytest.skip("building an image without a daemon needs root")
    buildah = require_program("buildah")
    require_program("debootstrap")
    if BASE not in run(buildah, "images", "--format", "{{.Name}}:{{.Tag}}"):
        run(str(ROOT / "k8s" / "base-image.sh"))
    run(
        *(buildah, "bud", "--layers", "--isolation", "chroot", "--network", "host"),
        *("--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--build-arg", f"BASE={BASE}"),
        *("--target", "service", "--tag", IMAGE, "."),
    )
    container = run(buildah, "from", IMAGE)
    try:
        yield run(buildah, "mount", container)
    finally:
        run(buildah, "rm", container)


@pytest.fixture
def store(tmp_path):
    """A store with one small promoted bundle, which uid 10001 may write to."""
    folder = tmp_path / "store"
    promoted(folder.as_uri())
    run("chown", "--recursive", "10001:10001", str(folder))
    return folder


def test_the_image_has_no_torch_and_no_root(image_root):
    """What the service does not need is not in it, and nobody logs in as root."""
    folder = Path(image_root) / "opt/plumbline/lib/python3.11/site-packages"
    packages = {path.name for path in folder.iterdir()}
    config = json.loads(run(require_program("buildah"), "inspect", "--type", "image", IMAGE))

    assert "onnxruntime" in packages
    assert not {"torch", "evidently", "pandas", "sklearn", "pytest"} & packages
    assert config["OCIv1"]["config"]["User"] == "10001:10001"


def test_the_image_answers_with_a_read_only_root(image_root, store, tmp_path):
    """As uid 10001, nothing writable but three folders: ready, answers, ends when asked to."""
    port, admin_port = free_ports(2)
    settings = {
        "PLUMBLINE_STORE": "file:///mnt/store",
        "PLUMBLINE_SERVICE_MODELS": MODEL,
        "PLUMBLINE_SERVICE_WORKERS": "1",
        "PLUMBLINE_SERVICE_HOST": "127.0.0.1",
        "PLUMBLINE_SERVICE_PORT": str(port),
        "PLUMBLINE_SERVICE_ADMIN_PORT": str(admin_port),
        "PLUMBLINE_SERVICE_STATE": "/var/lib/plumbline",
    }
    command = [
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *(str(ROOT / "tests" / "k8s" / "run_readonly.sh"), image_root, str(store)),
        *(f"{name}={value}" for name, value in settings.items()),
        *("--", "plumbline", "serve"),
    ]
    log = tmp_path / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        answer = httpx.post(f"{url}/predict", json=body(), timeout=10)
        served = run("pgrep", "--uid", "10001", "--full", "plumbline serve").split()
        os.kill(int(served[0]), signal.SIGTERM)
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()

    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["action"] in {"SELL", "HOLD", "BUY"}
    assert code == 0, log.read_text()[-4000:]
    assert list((store / "predictions").rglob("*.parquet")), "the row was shipped before the end"


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the container ended before it was ready"
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError("not ready within 90 s")
