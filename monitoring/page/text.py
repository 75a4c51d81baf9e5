"""How times, numbers and identifiers are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from plumbline.monitoring.watching.skill.join import UNUSED

MINUTE, HOUR, DAY = 60, 3600, 86400


def words(text: str) -> str:
    """Return an identifier as words: ``dominant_action`` as ``dominant action``."""
    return text.replace("_", " ")


def span(seconds: float) -> str:
    """Return a duration in its largest unit that fits, ``3 min``; never below zero."""
    whole = max(0, int(seconds))
    for unit, size in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in one unit."""
    return f"{span((now - moment).total_seconds())} ago"


def stamp(moment: datetime) -> str:
    """Return a time as ``2017-06-01 12:00:00``, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def figure(number: float | None) -> str:
    """Return a number with three digits and its sign; a dash where there is none."""
    return "–" if number is None else f"{number:+.3g}"


def lost(counts: Mapping[str, int]) -> str:
    """Return how many outcomes were not used and why, in words; empty where all were."""
    unused = {name: counts.get(name, 0) for name in UNUSED}
    return ", ".join(f"{count:,} {words(name)}" for name, count in unused.items() if count)
