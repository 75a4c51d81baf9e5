"""The NetworkPolicies, evaluated: they allow what the table in docs/kubernetes.md says."""

from __future__ import annotations

from itertools import product

import pytest

from tests.support.declared import ROOT
from tests.support.manifests import MODEL, NAME, of_kind, pods
from tests.support.policies import Party, allowed

PORTS = (53, 80, 443, 3000, 3001, 3002, 6443, 8080, 9000, 9090)
OURS = ("service", "monitor", "train")
HEADER = "| who | to whom | port |"

pytestmark = pytest.mark.tools


def table() -> set[tuple[str, str, int]]:
    """Who may talk to whom at which port, as the page says."""
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    lines = text[text.index(HEADER) :].splitlines()[2:]
    found = set()
    for line in lines[: next(i for i, line in enumerate(lines) if not line.startswith("|"))]:
        who, whom, ports = (cell.strip().split(", ") for cell in line.strip("| ").split("|"))
        found |= {(a, b, int(port)) for a, b, port in product(who, whom, ports)}
    return found


def parties(overlay: str, model: str) -> list[Party]:
    """The pods of one model and everybody else the table knows."""
    (namespace,) = {
        policy["metadata"]["namespace"] for policy in of_kind(overlay, "NetworkPolicy").values()
    }
    ours = {pod.role: pod.labels for pod in pods(overlay) if pod.labels[MODEL] == model}
    client = {"plumbline/client": "true"}
    return [
        *(Party(name, namespace, ours[f"plumbline-{name}"]) for name in OURS),
        Party("client", namespace, client),
        Party("client", "trading", {}, client),
        Party("monitoring", "monitoring", {}, {"kubernetes.io/metadata.name": "monitoring"}),
        Party("dns", "kube-system", {}, {"kubernetes.io/metadata.name": "kube-system"}),
        Party("stranger", namespace, {NAME: "something-else"}),
        Party("stranger", "elsewhere", {}, {"kubernetes.io/metadata.name": "elsewhere"}),
        Party("internet", None),
    ]


def expected(source: Party, target: Party, port: int) -> bool:
    """What the table says; of two parties that are not ours it says nothing."""
    anywhere = target.name not in OURS and (source.name, "anywhere", port) in table()
    return anywhere or (source.name, target.name, port) in table()


@pytest.mark.parametrize("overlay", ["overlays/prod", "overlays/gpu"])
def test_the_policies_allow_what_the_table_says(overlay):
    """Every pair of parties at every port that anything here has, and some that nothing has."""
    policies = list(of_kind(overlay, "NetworkPolicy").values())
    known = parties(overlay, "eurusd-1h")
    for source, target, port in product(known, known, PORTS):
        if source is not target and {source.name, target.name} & set(OURS):
            passes = allowed(policies, source, target, port)
            assert passes == expected(source, target, port), (source.name, target.name, port)


def test_models_of_one_namespace_do_not_talk_to_each_other():
    """Each keeps to the table, and to its own."""
    overlay = "overlays/two-models"
    policies = list(of_kind(overlay, "NetworkPolicy").values())
    euro, dollar = (parties(overlay, model) for model in ("euro", "dollar"))
    for source, target, port in product(euro, euro, PORTS):
        if source is not target and {source.name, target.name} & set(OURS):
            assert allowed(policies, source, target, port) == expected(source, target, port)
    for source, target, port in product(euro[: len(OURS)], dollar[: len(OURS)], PORTS):
        assert not allowed(policies, source, target, port), (source.name, target.name, port)


def test_every_row_of_the_table_is_about_a_party_there_is():
    """A misspelt name would be a row that nothing tests."""
    names = {party.name for party in parties("overlays/prod", "eurusd-1h")} | {"anywhere"}

    assert {name for who, whom, _ in table() for name in (who, whom)} <= names
    assert {port for _, _, port in table()} <= set(PORTS)
