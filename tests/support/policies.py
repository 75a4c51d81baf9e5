"""What NetworkPolicies allow, by the rules of networking.k8s.io/v1; nothing is sent anywhere.

A pod that no policy selects in a direction is open in it; one that is selected is open to what any
of those policies allows. A connection needs both ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True)
class Party:
    """One end of a connection: a pod, or without a namespace an address outside of the cluster."""

    name: str
    namespace: str | None
    labels: dict[str, str] = field(default_factory=dict)
    namespace_labels: dict[str, str] = field(default_factory=dict)


def allowed(policies: Iterable[Policy], source: Party, target: Party, port: int) -> bool:
    """Say whether TCP from one party to another passes; to port 53 it is UDP."""
    known = list(policies)
    return _passes(known, "Egress", source, target, port) and _passes(
        known, "Ingress", target, source, port
    )


def matches(selector: Policy, labels: dict[str, str]) -> bool:
    """Say whether a label selector takes these labels; an empty one takes all."""
    wanted = selector.get("matchLabels", {}).items()
    return wanted <= labels.items() and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", ())
    )


def _holds(expression: Policy, labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return value in expression["values"]
        case "NotIn":
            return value not in expression["values"]
        case "Exists":
            return value is not None
        case operator:
            return operator == "DoesNotExist" and value is None


def _passes(policies: list[Policy], direction: str, own: Party, other: Party, port: int) -> bool:
    selecting = [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == own.namespace
        and direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"]["podSelector"], own.labels)
    ]
    rules = [rule for policy in selecting for rule in policy["spec"].get(direction.lower(), ())]
    peers = "to" if direction == "Egress" else "from"
    return not selecting or any(
        _port(rule, port) and (peers not in rule or any(_peer(p, own, other) for p in rule[peers]))
        for rule in rules
    )


def _port(rule: Policy, port: int) -> bool:
    protocol = "UDP" if port == 53 else "TCP"
    return "ports" not in rule or any(
        entry["port"] == port and entry.get("protocol", "TCP") == protocol
        for entry in rule["ports"]
    )


def _peer(peer: Policy, own: Party, other: Party) -> bool:
    if other.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], other.namespace_labels):
            return False
    elif other.namespace != own.namespace:
        return False
    return matches(peer.get("podSelector", {}), other.labels)
