"""Random-walk markets: bars that look real enough for plumbing, and teach nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from plumbline.testing.market import HOUR, START, walk
from plumbline.training.bars import Bars

__all__ = ["HOUR", "START", "walk", "write_csv"]


def write_csv(path: Path, bars: Bars, *, header: str = "Time,Open,High,Low,Close,Volume") -> Path:
    """Write bars as a CSV file with times in ISO 8601."""
    lines = [header]
    for row in range(len(bars)):
        moment = datetime.fromtimestamp(bars.time[row] / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        values = (bars.open, bars.high, bars.low, bars.close, bars.volume)
        lines.append(",".join([moment, *(repr(float(column[row])) for column in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path
