"""Cases, counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.truth.judge import Case
from benchmarks.truth.kind import Kind


def summary(cases: Sequence[Case], kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return the numbers that must hold, over cases of these kinds."""
    at_fault = [each for each in cases if not kinds[each.kind].harmless]
    calm = [each for each in cases if kinds[each.kind].harmless]
    count = Counter(each.outcome for each in at_fault)
    exact = [
        each.delay
        for each in at_fault
        if each.outcome == "right" and kinds[each.kind].exact and each.delay is not None
    ]
    other = [
        each.delay
        for each in at_fault
        if each.outcome == "right" and not kinds[each.kind].exact and each.delay is not None
    ]
    n = max(len(at_fault), 1)
    return {
        "cases": len(cases),
        "kinds": len({each.kind for each in cases}),
        "markets": sorted({each.market for each in cases}),
        "fault_cases": len(at_fault),
        "harmless_cases": len(calm),
        "cause_right": count["right"] / n,
        "wrong_party": count["wrong_party"] / n,
        "missed": count["missed"] / n,
        "vague": count["vague"] / n,
        "early": count["early"],
        "crashed": sum(each.outcome == "crashed" for each in cases),
        "false_accusations": sum(each.outcome == "false" for each in calm) + count["early"],
        "exact_delay_rows": _median(exact),
        "statistical_delay_rows": _median(other),
        "case_us_per_row": _cost(cases),
    }


def by_origin(cases: Sequence[Case], kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return the share of right causes among kinds written blind and informed, and by market."""
    found: dict[str, Any] = {}
    for name, chosen in (
        ("blind", [each for each in cases if kinds[each.kind].blind]),
        ("informed", [each for each in cases if not kinds[each.kind].blind]),
    ):
        found[name] = _short(chosen, kinds)
    for market in sorted({each.market for each in cases}):
        found[market] = _short([each for each in cases if each.market == market], kinds)
    return found


def _short(cases: Sequence[Case], kinds: dict[str, Kind]) -> dict[str, Any]:
    whole = summary(cases, kinds)
    names = ("cases", "cause_right", "wrong_party", "missed", "vague", "false_accusations")
    return {name: whole[name] for name in (*names, "exact_delay_rows", "statistical_delay_rows")}


def _median(values: Sequence[int]) -> float | None:
    return float(np.median(values)) if values else None


def _cost(cases: Sequence[Case]) -> float | None:
    rows = sum(each.rows for each in cases)
    return 1e6 * sum(each.seconds for each in cases) / rows if rows else None


def table(cases: Sequence[Case], kinds: dict[str, Kind], *, failing: bool = False) -> str:
    """Return a line for each kind: how often right, what else was said, and the delays."""
    grouped: dict[str, list[Case]] = defaultdict(list)
    for each in cases:
        grouped[each.kind].append(each)
    lines = [
        "| kind | side | right | said otherwise | markets that fall short | rows |",
        "|---|---|---|---|---|---|",
    ]
    for name, kind in kinds.items():
        own = grouped.get(name, [])
        right = [each for each in own if each.outcome == "right"]
        if not own or (failing and len(right) == len(own)):
            continue
        delays = [each.delay for each in right if each.delay is not None]
        rows = f"{np.median(delays):.0f}" if delays else "-"
        mark = ("blind" if kind.blind else "") + (" exact" if kind.exact else "")
        mark += " recompute" if kind.recompute else ""
        lines.append(
            f"| {name} ({mark.strip()}) | {kind.side} | {len(right)} of {len(own)} "
            f"| {_counted(_said(each) for each in own if each.outcome != 'right')} "
            f"| {_counted(each.market for each in own if each.outcome != 'right')} | {rows} |"
        )
    return "\n".join(lines)


def _said(case: Case) -> str:
    if case.outcome == "early":
        return f"{case.answer} (before)"
    return "a crash" if case.outcome == "crashed" else case.answer or "nothing"


def _counted(values: Iterable[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in Counter(values).most_common()) or "-"
