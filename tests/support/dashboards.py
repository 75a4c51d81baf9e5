"""The committed dashboards, and their queries as Grafana would ask them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.declared import ROOT

FOLDER = ROOT / "k8s" / "components" / "grafana" / "dashboards"
NAMES = ("fleet", "incident", "model", "service")


@dataclass(frozen=True)
class Question:
    """One query of one panel.

    Attributes
    ----------
    key
        Its dashboard, the panel's title and the query's letter.
    expression, legend
        With variables in them.
    """

    key: str
    expression: str
    legend: str

    def fill(self, variables: Mapping[str, str]) -> str:
        """Return the expression with its variables filled in; all must be known."""
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: variables[m[1] or m[2]], self.expression)

    def name(self, labels: Mapping[str, str]) -> str:
        """Return what a series is called: by the legend, or by its labels' values."""
        if "{{" in self.legend or (self.legend and self.legend != "__auto"):
            return re.sub(r"{{(\w+)}}", lambda m: labels.get(m[1], ""), self.legend).strip()
        return " ".join(value for key, value in sorted(labels.items()) if key != "__name__")


def page(name: str) -> dict[str, Any]:
    """Return a dashboard as it is committed."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def questions(name: str) -> Iterator[Question]:
    """Return every query of every panel of a dashboard, and those of its annotations."""
    for panel in page(name)["panels"]:
        for target in panel.get("targets", ()):
            key = f"{name} / {panel['title']} / {target['refId']}"
            yield Question(key, target["expr"], target.get("legendFormat", ""))
    for mark in page(name)["annotations"]["list"]:
        yield Question(f"{name} / annotation / {mark['name']}", mark["expr"], mark["titleFormat"])


def named(expression: str) -> set[str]:
    """Return the names of metrics and rules in an expression."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\[[^\]]*\]", "", expression)
    bare = re.sub(r"\b(?:by|on|group_left|without) \([^)]*\)", "", bare)
    return set(re.findall(r"\b(?:plumbline[\w:]*|process_\w+|up|ALERTS\w*)\b", bare))
