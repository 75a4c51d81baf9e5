"""What the runbooks tell a person to run in a cluster: its objects, labels and ports are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.control_plane import await_that
from tests.support.declared import ROOT
from tests.support.manifests import MODEL, build, of_kind, pods
from tests.support.page_command import RUNBOOKS, PageCommand, commands

KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "service": "Service",
    "cronjob": "CronJob",
    "jobs": "Job",
    "hpa": "HorizontalPodAutoscaler",
}
UNSCHEDULED = r"does not have a host assigned|is not running|is Pending|Metrics API not available"
"""What comes of a command that needs a running pod, where the object was found and none runs."""

pytestmark = pytest.mark.tools


@dataclass(frozen=True)
class Place:
    """Where a person stands: an overlay, and what they put in for the variables."""

    overlay: str
    model: str = "eurusd-1h"
    suffix: str = ""

    def variables(self, namespace: str = "there") -> dict[str, str]:
        """Return them by name."""
        return {"NAMESPACE": namespace, "MODEL": self.model, "SUFFIX": self.suffix}


PLACES = (
    Place("overlays/dev"),
    Place("overlays/prod"),
    Place("overlays/two-models", "euro", "-euro"),
)


def every() -> list[PageCommand]:
    """Each `kubectl` command of the runbooks, once."""
    found = [each for page in RUNBOOKS for each in commands(page, "kubectl")]
    return list({each.words: each for each in found}.values())


def option(words: tuple[str, ...], name: str) -> str | None:
    """The value of an option that is a word of its own."""
    return words[words.index(name) + 1] if name in words else None


def selected(place: Place, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Names and labels of what there is of a kind in a place; of pods, by who makes them."""
    if kind == "pods":
        yield from ((pod.owner, pod.labels) for pod in pods(place.overlay))
        return
    for manifest in build(place.overlay):
        metadata = manifest["metadata"]
        if manifest["kind"] == KINDS[kind]:
            yield metadata["name"], metadata.get("labels", {})


def matches(labels: dict[str, str], selector: str) -> bool:
    """Whether labels are as a selector of equalities asks."""
    wanted = dict(part.split("=") for part in selector.split(","))
    return wanted.items() <= labels.items()


def asked(words: tuple[str, ...]) -> list[str]:
    """The kinds that a command with a selector is about."""
    before = words[words.index("-l") - 1]
    return ["pods"] if before == "logs" else before.split(",")


def faults(words: tuple[str, ...], place: Place) -> Iterator[str]:
    """Yield what a command names that is not there, or is another model's."""
    if words[1:3] != ("-n", "there"):
        yield "it does not begin with -n NAMESPACE"
        return
    if (selector := option(words, "-l")) is not None:
        found = [
            (name, labels)
            for kind in asked(words)
            for name, labels in selected(place, kind)
            if matches(labels, selector)
        ]
        if not found:
            yield f"{selector} selects nothing"
        yield from (f"{name} is not its own" for name, of in found if of[MODEL] != place.model)
    for word in words:
        kind, _, name = word.partition("/")
        if kind in KINDS and name:
            objects = of_kind(place.overlay, KINDS[kind])
            if name not in objects:
                yield f"there is no {word}"
            elif words[3] == "port-forward":
                ports = {port["port"] for port in objects[name]["spec"]["ports"]}
                if int(words[-1]) not in ports:
                    yield f"{word} has no port {words[-1]}"


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.overlay)
def test_what_runbooks_name_is_there(place):
    """In every overlay, with as many models: kinds, names, labels, ports."""
    found = every()
    wrong = [
        f"{command.text}: {fault}"
        for command in found
        for fault in faults(command.given({**place.variables(), "pod": "pod/x"}), place)
    ]

    assert len(found) > 20
    assert wrong == []


def test_what_other_pages_name_is_there():
    """Objects and folders in the commands of the guides."""
    found = [each for page in (ROOT / "docs").glob("*.md") for each in commands(page, "kubectl")]
    known = {
        f"{kind}/{name}" for kind, real in KINDS.items() for name in of_kind("overlays/dev", real)
    }
    named = {
        match
        for command in found
        for word in command.given(PLACES[0].variables())
        for match in re.findall(rf"\b((?:{'|'.join(KINDS)})/[\w-]+)", word)
    }
    folders = {word for each in found if "-k" in each.words for word in [option(each.words, "-k")]}

    assert named
    assert named <= known
    assert folders
    assert all((ROOT / folder / "kustomization.yaml").exists() for folder in folders)


@pytest.mark.parametrize(
    "line",
    [
        "kubectl -n there port-forward service/plumbline-monitor 3002",
        "kubectl -n there exec deployment/plumbline-monitr -- date",
        "kubectl -n there logs -l app.kubernetes.io/name=plumbline-monitr",
        "kubectl get pods -l app.kubernetes.io/name=plumbline-monitor",
    ],
)
def test_a_misspelt_one_would_be_found(line):
    """The test above can fail."""
    assert list(faults(tuple(line.split()), PLACES[0]))


def test_another_models_pods_would_be_found():
    """Where a namespace has two, a selector without the model is everybody's."""
    line = "kubectl -n there logs -l app.kubernetes.io/name=plumbline-monitor"

    assert "plumbline-monitor-dollar is not its own" in faults(tuple(line.split()), PLACES[2])


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.overlay)
def test_kubectl_takes_every_command(plane, place):
    """Run against a real API server; what needs a running pod gets as far as finding it."""
    if not plane.controlled:
        pytest.skip("without controllers there are no pods to be found")
    if "monitoring.coreos.com" not in plane.say("api-versions") and place is not PLACES[0]:
        pytest.skip("the CRDs of the Prometheus operator are not there")
    with plane.namespace() as namespace, plane.folder(place.overlay, namespace) as folder:
        plane.say("apply", "--server-side", "-k", folder)
        _second_revision(plane, namespace)
        wrong = []
        for command in every():
            variables = place.variables(namespace)
            if "$pod" in command.words:
                variables["pod"] = _monitor(plane, namespace, place)
            result = plane.run(*command.given(variables)[1:])
            good = result.returncode == 0 and "No resources found" not in result.stderr
            if not good and not re.search(UNSCHEDULED, result.stderr):
                wrong.append(f"{command.text}: {result.stderr}{result.stdout}")

    assert wrong == []


def _monitor(plane: Any, namespace: str, place: Place) -> str:
    """Return the monitor's pod: another one since a runbook had it restarted."""
    selector = f"app.kubernetes.io/name=plumbline-monitor,{MODEL}={place.model}"
    asked = ("pods", "--namespace", namespace, "-l", selector)

    def present() -> list[str]:
        metadata = [item["metadata"] for item in plane.get(*asked)["items"]]
        return [each["name"] for each in metadata if "deletionTimestamp" not in each]

    await_that(present, 60)
    return f"pod/{present()[0]}"


def _second_revision(plane: Any, namespace: str) -> None:
    """Roll once, so that there is something to go back to."""
    kinds = "deployment,statefulset"
    plane.say("rollout", "restart", kinds, "-n", namespace, "-l", "app.kubernetes.io/part-of")
