"""What a dashboard must be before it is written: said of the JSON, as Grafana will read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

Dashboard: TypeAlias = dict[str, Any]

COLUMNS = 24
BUILT_IN = re.compile(r"__\w+")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?:\.[^}:]+)?(?::[^}]+)?\}|(\w+))")
_ABSOLUTE = re.compile(r"https?://|/d/plumbline-|\$\{(\w+)\}/")


def faults(page: Dashboard) -> list[str]:
    """Return what is wrong with a dashboard, one sentence each; empty if nothing is."""
    checks = (_identities, _texts, _places, _variables, _links, _queries)
    return [fault for check in checks for fault in check(page)]


def _shown(page: Dashboard) -> list[Dashboard]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def _identities(page: Dashboard) -> Iterator[str]:
    numbers = [panel.get("id") for panel in page["panels"]]
    for number in sorted({each for each in numbers if numbers.count(each) > 1}, key=str):
        yield f"two panels have the id {number}"
    titles = [panel.get("title") for panel in _shown(page)]
    for title in sorted({each for each in titles if titles.count(each) > 1}, key=str):
        yield f"two panels are called {title}"
    if not re.fullmatch(r"plumbline-\w+", page.get("uid", "")):
        yield f"the uid is {page.get('uid')!r}, expected plumbline-…"


def _texts(page: Dashboard) -> Iterator[str]:
    for panel in _shown(page):
        name = panel.get("title") or f"panel {panel.get('id')}"
        if not panel.get("title"):
            yield f"{name} has no title"
        if not panel.get("description"):
            yield f"{name} has no description"
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if not defaults.get("unit"):
            yield f"{name} has no unit"
        if not defaults.get("noValue") and panel["type"] != "state-timeline":
            yield f"{name} says nothing where it has no data"


def _places(page: Dashboard) -> Iterator[str]:
    boxes = [(panel.get("title", "?"), panel["gridPos"]) for panel in page["panels"]]
    for place, (name, box) in enumerate(boxes):
        if box["x"] + box["w"] > COLUMNS:
            yield f"{name} goes beyond the {COLUMNS} columns of the page"
        for other, beside in boxes[place + 1 :]:
            across = box["x"] < beside["x"] + beside["w"] and beside["x"] < box["x"] + box["w"]
            along = box["y"] < beside["y"] + beside["h"] and beside["y"] < box["y"] + box["h"]
            if across and along:
                yield f"{name} and {other} lie over each other"


def _variables(page: Dashboard) -> Iterator[str]:
    declared = {each["name"] for each in page["templating"]["list"]}
    used = {name for text in _strings(page) for name in _named(text)}
    for name in sorted(used - declared):
        yield f"${name} is used and is no variable of the dashboard"
    for name in sorted(declared - used):
        yield f"${name} is a variable that nothing uses"


def _named(text: str) -> Iterator[str]:
    for braced, plain in _VARIABLE.findall(text):
        name = braced or plain
        if name and not BUILT_IN.fullmatch(name) and not name.isdigit():
            yield name


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for each in node.values():
            yield from _strings(each)
    elif isinstance(node, list):
        for each in node:
            yield from _strings(each)


def _urls(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("url"), str):
            yield node["url"]
        for each in node.values():
            yield from _urls(each)
    elif isinstance(node, list):
        for each in node:
            yield from _urls(each)


def _links(page: Dashboard) -> Iterator[str]:
    defaults = {each["name"]: str(each.get("query")) for each in page["templating"]["list"]}
    for url in _urls(page):
        found = _ABSOLUTE.match(url)
        if found is None:
            yield f"the link {url} is not absolute"
        elif found[1] and not re.match(r"https?://", defaults.get(found[1], "")):
            yield f"the link {url} begins with a variable that is no absolute address"


def _queries(page: Dashboard) -> Iterator[str]:
    for panel in _shown(page):
        targets = panel.get("targets", [])
        letters = [target.get("refId") for target in targets]
        if not targets:
            yield f"{panel['title']} asks nothing"
        if len(set(letters)) < len(letters):
            yield f"two queries of {panel['title']} have one letter"
        for target in targets:
            if target["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{panel['title']} asks another data source than the one that is chosen"
            if not target.get("expr", "").strip():
                yield f"query {target.get('refId')} of {panel['title']} is empty"
