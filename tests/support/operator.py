"""What the Prometheus operator makes of AlertmanagerConfigs: a configuration for Alertmanager.

Each config becomes a route below an empty one, confined to alerts of its own namespace and followed
by the next; its inhibitions are confined likewise (operator 0.85, ``OnNamespace``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.support.manifests import Manifest

_NAMES = {
    "groupBy": "group_by",
    "groupWait": "group_wait",
    "groupInterval": "group_interval",
    "repeatInterval": "repeat_interval",
    "continue": "continue",
}


def configured(configs: Iterable[Manifest]) -> dict[str, Any]:
    """Return the configuration of Alertmanager for all of them."""
    routes, inhibitions, receivers = [], [], [{"name": "null"}]
    for config in configs:
        metadata, spec = config["metadata"], config["spec"]
        within = f'namespace="{metadata["namespace"]}"'
        prefix = f"{metadata['namespace']}/{metadata['name']}/"
        route = routed(spec["route"], prefix)
        route["matchers"] = [within, *route.get("matchers", ())]
        routes.append({**route, "continue": True})
        for rule in spec.get("inhibitRules", ()):
            plain = inhibited(rule)
            plain["source_matchers"].append(within)
            plain["target_matchers"].append(within)
            inhibitions.append(plain)
        receivers += [received(receiver, prefix) for receiver in spec["receivers"]]
    top = {"receiver": "null", "routes": routes}
    return {"route": top, "inhibit_rules": inhibitions, "receivers": receivers}


def routed(route: Manifest, prefix: str = "") -> dict[str, Any]:
    """Return a route as Alertmanager writes it."""
    plain = {name: route[key] for key, name in _NAMES.items() if key in route}
    plain["receiver"] = prefix + route["receiver"]
    if "matchers" in route:
        plain["matchers"] = [matched(matcher) for matcher in route["matchers"]]
    if "routes" in route:
        plain["routes"] = [routed(below, prefix) for below in route["routes"]]
    return plain


def inhibited(rule: Manifest) -> dict[str, Any]:
    """Return an inhibition as Alertmanager writes it."""
    return {
        "source_matchers": [matched(matcher) for matcher in rule["sourceMatch"]],
        "target_matchers": [matched(matcher) for matcher in rule["targetMatch"]],
        "equal": rule["equal"],
    }


def received(receiver: Manifest, prefix: str = "") -> dict[str, Any]:
    """Return a receiver as Alertmanager writes it, its secrets left out."""
    plain: dict[str, Any] = {"name": prefix + receiver["name"]}
    if "webhookConfigs" in receiver:
        plain["webhook_configs"] = [
            {"url": hook["url"], "send_resolved": hook["sendResolved"]}
            for hook in receiver["webhookConfigs"]
        ]
    return plain


def matched(matcher: Manifest) -> str:
    """Return a matcher as Alertmanager writes it."""
    return f'{matcher["name"]}{matcher.get("matchType", "=")}"{matcher["value"]}"'
