"""Samples as OpenMetrics, as `promtool tsdb create-blocks-from openmetrics` reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.support.story.script import START, TICK, TICKS

NAMESPACE = "trading"
BLOCK = 7200
"""Prometheus keeps two hours in a block; a file for each saves promtool from reading all twice."""

Labels = Mapping[str, str]
When = np.ndarray | None


class Samples:
    """All series of the story, and the text of them."""

    def __init__(self) -> None:
        self.series: list[tuple[str, dict[str, str], np.ndarray, np.ndarray]] = []

    def gauge(self, name: str, labels: Labels, value: object, when: When = None) -> None:
        """Add a gauge.

        Parameters
        ----------
        value
            A number, or one for each scrape.
        when
            (ticks,) whether it was exposed; always if None.
        """
        values = np.broadcast_to(np.asarray(value, dtype=float), len(TICKS))
        keep = np.full(len(TICKS), True) if when is None else when
        self.series.append((name, dict(labels), TICKS[keep], values[keep]))

    def counter(self, name: str, labels: Labels, grown: object, when: When = None) -> None:
        """Add a counter by what it grew in each tick; it begins at 0."""
        each = np.array(np.broadcast_to(np.asarray(grown, dtype=float), len(TICKS)))
        each[0] = 0
        self.gauge(name, labels, np.cumsum(each), when)

    def recorded(
        self, name: str, labels: Labels, stamps: Sequence[float], values: Sequence[str]
    ) -> None:
        """Add what a rule gave: Prometheus' own numbers, at times since 1970."""
        times = np.array(stamps, dtype=float).astype(int) - START
        self.series.append((name, dict(labels), times, np.array(values, dtype=float)))

    def histogram(
        self, name: str, labels: Labels, bounds: Sequence[float], values: Sequence[np.ndarray]
    ) -> None:
        """Add a histogram by what was observed in each tick."""
        under = np.array([[np.sum(np.asarray(v) <= b) for b in bounds] for v in values])
        for place, bound in enumerate(bounds):
            self.counter(f"{name}_bucket", {**labels, "le": f"{bound:g}"}, under[:, place])
        count = np.array([len(v) for v in values])
        self.counter(f"{name}_bucket", {**labels, "le": "+Inf"}, count)
        self.counter(f"{name}_count", labels, count)
        self.counter(f"{name}_sum", labels, np.array([np.sum(v) for v in values]))

    def write(self, folder: Path, stem: str) -> list[Path]:
        """Write one file for each block, and return them."""
        files = []
        for begin in range(START, START + int(TICKS[-1]) + TICK, BLOCK):
            path = folder / f"{stem}-{begin}.om"
            path.write_text("".join([*self._lines(begin, begin + BLOCK), "# EOF\n"]))
            files.append(path)
        return files

    def _lines(self, begin: int, end: int) -> Iterator[str]:
        for name, labels, times, values in self.series:
            head = name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}"
            stamps = times + START
            inside = (stamps >= begin) & (stamps < end)
            for value, stamp in zip(values[inside].tolist(), stamps[inside].tolist(), strict=True):
                yield f"{head} {value!r} {stamp}\n"
