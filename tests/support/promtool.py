"""What Prometheus makes of the rules, over series that are written down: `promtool test rules`.

A `Story` tells of each moment exactly which alerts fire, so that every one of them is asserted in
both directions: those that are named are firing, and none else is.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from tests.support.declared import RULES
from tests.support.programs import require_program

Values = Sequence[float | None]
Series = Mapping[str, Values]

FIRING = 'group by (alertname, namespace, service, model, slo) (ALERTS{alertstate="firing"})'


FOR_PEOPLE = re.compile(r"plumbline:(?!slo_)[a-z_:]+_(5m|1h|1d)\b")


def counter(increments: Iterable[float], start: float = 0.0) -> list[float]:
    """Return a counter that begins at a value and grows by these."""
    return list(accumulate(increments, initial=start))


def steps(*pieces: tuple[float | None, int]) -> list[float | None]:
    """Return values that hold for so many steps each."""
    return [value for value, count in pieces for _ in range(count)]


@dataclass(frozen=True)
class Story:
    """Series, and what follows from them.

    Attributes
    ----------
    series
        By name and labels; one value per minute (or `interval`), None where there is none.
    firing
        By moment, as in ``1h5m``, the alerts that fire then: ``Flat model=m``.
    values
        By moment and expression, the samples: by labels, as ``{model="m"}``, the value.
    interval
        Between two values and between two evaluations.
    """

    series: Series
    firing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    interval: str = "1m"

    def check(self, folder: Path) -> None:
        """Run it; AssertionError has what promtool said.

        Figures over fixed windows, which no alert looks at, are left out where none is asked for.
        """
        asked = " ".join(expression for _, expression in self.values)
        groups, path = _groups(whole=bool(FOR_PEOPLE.search(asked))), folder / "story.json"
        (folder / "rules.json").write_text(json.dumps({"groups": groups}))
        document = {
            "rule_files": [str(folder / "rules.json")],
            "evaluation_interval": self.interval,
            "group_eval_order": [group["name"] for group in groups],
            "tests": [self._test()],
        }
        path.write_text(json.dumps(document))
        program = require_program("promtool")
        result = subprocess.run(
            [program, "test", "rules", str(path)],
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def _test(self) -> dict[str, object]:
        alarms = [
            {"expr": FIRING, "eval_time": moment, "exp_samples": [_alarm(text) for text in alerts]}
            for moment, alerts in self.firing.items()
        ]
        numbers = [
            {
                "expr": expression,
                "eval_time": moment,
                "exp_samples": [{"labels": k, "value": v} for k, v in samples.items()],
            }
            for (moment, expression), samples in self.values.items()
        ]
        return {
            "interval": self.interval,
            "input_series": [
                {"series": name, "values": _written(values)} for name, values in self.series.items()
            ],
            "promql_expr_test": alarms + numbers,
        }


@cache
def _groups(*, whole: bool) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    for group in groups if not whole else ():
        group["rules"] = [
            rule for rule in group["rules"] if not FOR_PEOPLE.search(rule.get("record", ""))
        ]
    return groups


def _alarm(text: str) -> dict[str, object]:
    name, *labels = text.split()
    written = [f'alertname="{name}"', *(re.sub(r"=(.*)", r'="\1"', label) for label in labels)]
    return {"labels": "{" + ", ".join(written) + "}", "value": 1}


def _written(values: Values) -> str:
    return " ".join("_" if value is None else f"{value:.12g}" for value in values)
