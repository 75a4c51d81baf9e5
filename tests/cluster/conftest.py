"""One cluster for all tests here, the images in it, and the table of what was measured."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.bucket import bucket
from tests.support.cluster import TOOL, Cluster, load_image, started, until
from tests.support.declared import ROOT
from tests.support.deployment import SERVICE, Deployment, overlay
from tests.support.images import build

REQUIRE = "PLUMBLINE_REQUIRE_CLUSTER"
"""Set to 1 where a cluster has to be there, as in continuous integration."""

IMAGES = "PLUMBLINE_IMAGES"
"""A registry and a prefix that the cluster pulls from; otherwise images are built and loaded."""

ORDER = (
    *("ready", "accounts", "loop", "memory", "load", "autoscale", "series", "models"),
    *("interrupted", "faults", "resolved", "removal"),
)
"""Files in the order they run: the later ones ask more of what the earlier ones have shown."""

DEV, DURABLE = "plumbline-dev", "plumbline-durable"
TARGETS = ("service", "training", "monitoring")
OVERLAYS = Path(__file__).parent / "overlays"

_NUMBERS: list[tuple[str, str]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, and put it in order."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in here:
        item.add_marker(pytest.mark.cluster)
        item.add_marker(pytest.mark.timeout(1_500))
    here.sort(key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))
    items[:] = [item for item in items if item not in here] + here


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, as the table of docs/kubernetes.md."""
    if not _NUMBERS:
        return
    terminalreporter.section("what a real cluster showed")
    day, cores = datetime.now(UTC).date(), os.cpu_count()
    terminalreporter.write_line(f"{day}, {platform.machine()}, {cores} cores for everything\n")
    for what, number in [("what", "seen"), ("---", "---"), *_NUMBERS]:
        terminalreporter.write_line(f"| {what} | {number} |")


@pytest.fixture(scope="session")
def note():
    """Keep a number for the table: ``note(what, seen)``."""
    return lambda what, seen: _NUMBERS.append((what, str(seen)))


@pytest.fixture(scope="session", autouse=True)
def _end_when_terminated() -> None:
    """A run that is terminated from outside still takes its cluster down."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that KUBECONFIG names, or one that is started for these tests."""
    if os.environ.get("KUBECONFIG"):
        yield Cluster.of_environment()
        return
    tool = os.environ.get(TOOL)
    if not tool:
        reason = f"no cluster: set KUBECONFIG and {IMAGES}, or {TOOL} to a folder that starts one"
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with started(Path(tool), "--nodes", "2", "--prometheus") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def images(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, note) -> str:
    """The prefix of images that the cluster can run; "" for those that were built and loaded."""
    prefix = os.environ.get(IMAGES, "")
    if prefix:
        return prefix
    if cluster.tool is None:
        pytest.skip(f"this cluster takes images from a registry: set {IMAGES}=registry/prefix")
    began = time.monotonic()
    build(*TARGETS)
    built = time.monotonic()
    folder = tmp_path_factory.mktemp("images")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: load_image(cluster, f"plumbline-{name}", folder), TARGETS))
    loaded = time.monotonic() - built
    note("images built and loaded", f"{built - began:.0f} s, {loaded:.0f} s")
    return ""


@pytest.fixture(scope="session")
def dev(cluster: Cluster, images: str, tmp_path_factory, note) -> Deployment:
    """The overlay ``dev``, applied once to an empty namespace."""
    path = overlay(ROOT / "k8s" / "overlays" / "dev", images, tmp_path_factory.mktemp("dev"))
    deployment = Deployment(cluster, DEV, path, images)
    deployment.create_namespace()
    deployment.apply()
    seconds = deployment.wait_until_ready()
    note("empty namespace, one `kubectl apply -k`: ready, answering, watched", f"{seconds:.0f} s")
    return deployment


@pytest.fixture(scope="session")
def watched(dev: Deployment, images: str, tmp_path_factory) -> Deployment:
    """The same with all that the Prometheus operator offers, scraped; every later test meets it."""
    path = overlay(OVERLAYS / "watched", images, tmp_path_factory.mktemp("watched"))
    deployment = replace(dev, path=path)
    deployment.apply()
    deployment.wait_until_ready()
    until(
        lambda: deployment.scraped() == {"plumbline-service", "plumbline-monitor"},
        120,
        "Prometheus to scrape both",
    )
    return deployment


@pytest.fixture(scope="session")
def durable(cluster: Cluster, images: str, tmp_path_factory) -> Iterator[Deployment]:
    """Two pods with their spools on claims, two monitors, and the store in a bucket."""
    if cluster.tool is None:
        pytest.skip("breaking nodes and taking the store away needs a cluster of our own")
    path = overlay(OVERLAYS / "durable", images, tmp_path_factory.mktemp("durable"))
    deployment = Deployment(cluster, DURABLE, path, images)
    deployment.create_namespace()
    try:
        with bucket(cluster, DURABLE) as made:
            deployment = replace(deployment, bucket=made)
            deployment.apply()
            until(
                *(lambda: len(deployment.ready(SERVICE)) == 2, 500, "two pods"),
                lambda: cluster.describe(DURABLE),
            )
            yield deployment
    finally:
        cluster.kubectl("delete", "namespace", DURABLE, "--wait=false")
