"""The service image, built for real and run as a pod would run it. Slow; needs root and buildah."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.declared import ROOT
from tests.support.images import PREFIX, TAG, build, run
from tests.support.served import MODEL, body, free_ports, promoted

IMAGE = f"{PREFIX}plumbline-service:{TAG}"
MEGABYTES = 450
SITE = "opt/plumbline/lib/python3.11/site-packages"

IMPORT_ALL = """
import importlib, os, pkgutil
import plumbline.bundle, plumbline.service, plumbline.store
os.environ["PLUMBLINE_SERVICE_MODELS"] = "any"
for room in (plumbline.bundle, plumbline.service, plumbline.store):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        if not module.name.endswith(("torchscript", "mlflow_export", "pyfunc")):  # extras
            importlib.import_module(module.name)
"""

pytestmark = [pytest.mark.slow, pytest.mark.tools, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image_root() -> Iterator[Path]:
    """The mounted root of a freshly built service image."""
    build("service")
    container = run("buildah", "from", IMAGE)
    try:
        yield Path(run("buildah", "mount", container))
    finally:
        run("buildah", "rm", container)


@pytest.fixture
def store(tmp_path):
    """A store with one small promoted bundle, which uid 10001 may write to."""
    folder = tmp_path / "store"
    promoted(folder.as_uri())
    run("chown", "--recursive", "10001:10001", str(folder))
    return folder


def test_the_image_has_no_torch_and_no_root(image_root):
    """What the service does not need is not in it, and nobody logs in as root."""
    packages = {path.name for path in (image_root / SITE).iterdir()}

    assert "onnxruntime" in packages
    assert not {"torch", "evidently", "pandas", "sklearn", "pytest", "pip"} & packages
    assert _config()["User"] == "10001:10001"


def test_the_image_is_small():
    """What is pulled on every node stays below a limit."""
    size = json.loads(run("buildah", "images", "--json", IMAGE))[0]["size"]
    number, unit = size.split()

    assert unit == "MB"
    assert float(number) <= MEGABYTES


@pytest.mark.parametrize("program", ["apt", "apt-get", "dpkg", "pip", "pip3", "gcc", "cc", "perl"])
def test_nothing_can_be_built_or_installed_in_it(image_root, program):
    """No compiler, no package manager."""
    folders = ("usr/bin", "usr/sbin", "usr/local/bin", "opt/plumbline/bin")

    assert not [f for f in folders if (image_root / f / program).exists()]


def test_every_module_of_the_service_is_whole(image_root):
    """What was pruned is imported by nothing of ours, nor by what we import."""
    run("chroot", str(image_root), "/opt/plumbline/bin/python", "-c", IMPORT_ALL)


def test_the_image_says_what_is_in_it(image_root):
    """Labels, a health check, and a list of every package that is there."""
    config = _config()
    listed = json.loads((image_root / "usr/share/plumbline/sbom.cdx.json").read_text())
    names = {part["name"].replace("-", "_") for part in listed["components"]}
    installed = {
        path.name.split("-")[0].lower() for path in (image_root / SITE).glob("*.dist-info")
    }
    labels = {name.removeprefix("org.opencontainers.image.") for name in config["Labels"]}

    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.5")
    assert {name.replace(".", "_") for name in installed} <= names
    assert {"libc6", "python3.11"} <= names
    assert {"title", "description", "source", "licenses", "version", "revision"} <= labels
    assert "plumbline.cli.health" in config["Healthcheck"]["Test"]


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
        *(str(ROOT / "tests" / "k8s" / "run_readonly.sh"), str(image_root), str(store)),
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
        _server(process).send_signal(signal.SIGTERM)
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()

    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0]["action"] in {"SELL", "HOLD", "BUY"}
    assert code == 0, log.read_text()[-4000:]
    assert list((store / "predictions").rglob("*.parquet")), "the row was shipped before the end"


def _server(process: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the first process of uid 10001 below: ``plumbline serve`` itself."""
    below = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in below if child.uids().real == 10001)


def _config() -> dict[str, object]:
    found: dict[str, object] = json.loads(run("buildah", "inspect", "--type", "image", IMAGE))
    return found["Docker"]["config"]


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
