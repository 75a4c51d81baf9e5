"""A rule of Prometheus, and how it is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import indent, wrap

RUNBOOKS = "https://github.com/plumbline/plumbline/blob/main/docs/runbooks"
GRAFANA = "http://127.0.0.1:3030"


@dataclass(frozen=True)
class Links:
    """Where the annotations of an alert lead.

    Attributes
    ----------
    runbooks
        Folder of the pages, one for each alert.
    grafana
        A Grafana that has the dashboards.
    """

    runbooks: str = RUNBOOKS
    grafana: str = GRAFANA


@dataclass(frozen=True)
class RecordingRule:
    """A number that is computed again and again and kept under a name.

    Attributes
    ----------
    name, expression
        As Prometheus takes them.
    labels
        Put on every sample.
    why
        Written above it, for whoever reads the file.
    """

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    def lines(self, _links: Links) -> Iterator[str]:
        """Yield the rule in YAML."""
        yield f"record: {self.name}"
        yield from _expression(self.expression)
        yield from _mapping("labels", self.labels)


@dataclass(frozen=True, kw_only=True)
class AlertingRule:
    """A condition that somebody has to hear of.

    Attributes
    ----------
    name, expression
        As Prometheus takes them.
    severity
        ``critical`` calls a person at night, ``warning`` in the morning, ``info`` never.
    wait
        How long the condition must have held.
    hold
        How long it goes on firing after the condition has ended.
    retrain
        Whether it goes to the monitor's webhook too, which decides by its own diagnosis.
    summary, description
        What a person reads; Prometheus' templates.
    dashboard
        Which of the four shows it.
    """

    name: str
    expression: str
    severity: str
    wait: str = ""
    hold: str = ""
    retrain: bool = False
    summary: str
    description: str
    dashboard: str = "model"
    why: str = ""

    def lines(self, links: Links) -> Iterator[str]:
        """Yield the rule in YAML."""
        yield f"alert: {self.name}"
        yield from _expression(self.expression)
        if self.wait:
            yield f"for: {self.wait}"
        if self.hold:
            yield f"keep_firing_for: {self.hold}"
        remedy = {"remedy": "retrain"} if self.retrain else {}
        yield from _mapping("labels", {"severity": self.severity, **remedy})
        yield from _mapping("annotations", self._annotations(links))

    def _annotations(self, links: Links) -> dict[str, str]:
        chosen = {
            "model": "?var-model={{ $labels.model }}",
            "incident": "?var-model={{ $labels.model }}",
        }
        page = f"{links.grafana.rstrip('/')}/d/plumbline-{self.dashboard}"
        return {
            "summary": self.summary,
            "description": " ".join(self.description.split()),
            "runbook_url": f"{links.runbooks.rstrip('/')}/{self.name}.md",
            "dashboard": page + chosen.get(self.dashboard, ""),
        }


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True)
class RuleGroup:
    """Rules that are evaluated together, in this order.

    Attributes
    ----------
    interval
        Between two evaluations, if not Prometheus' own; less than the five minutes a value lasts.
    """

    name: str
    rules: tuple[Rule, ...]
    interval: str = ""

    def text(self, links: Links) -> str:
        """Return the group in YAML, as an item of the list of groups."""
        written = "".join(_item(rule, links) for rule in self.rules)
        interval = f"  interval: {self.interval}\n" if self.interval else ""
        return f"- name: {self.name}\n{interval}  rules:\n{indent(written, '    ')}"


def _item(rule: Rule, links: Links) -> str:
    why = "".join(f"# {line}\n" for line in wrap(rule.why, 96))
    first, *others = rule.lines(links)
    return why + f"- {first}\n" + "".join(f"  {line}\n" for line in others)


def _expression(text: str) -> Iterator[str]:
    yield "expr: |-"
    yield from (f"  {line}" for line in text.strip().splitlines())


def _mapping(name: str, values: Mapping[str, str]) -> Iterator[str]:
    if values:
        yield f"{name}:"
        yield from (f"  {key}: {json.dumps(text)}" for key, text in values.items())
