"""Is the promise about false alarms kept? Sound models on made and on real markets.

Every alarm is a false one here. Of each market it prints how many each side has raised, in how many
rows, how many the promise allows, and the 95 % interval of Clopper and Pearson (1934) of what the
rate may be. Real series are read where a folder is named by ``--data`` or PLUMBLINE_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy.stats import beta

from benchmarks._sound import SERIES, Said, Sound, bars, real, regimes, several, tested
from plumbline.diagnosis.sample import Context
from plumbline.monitoring.watching.detectors.panel import RUN_LENGTH, Panel

PIECE = 1_024
ROWS = 12_000
REFERENCE = 13_000
STREAMS = 5
"""Streams that one reference is put to."""

MADE: dict[str, tuple[Callable[[int, int, int, int], Sound], int]] = {
    "regimes": (regimes, 40),
    "bars": (bars, 40),
    "several symbols": (several, 10),
    "of the tests": (tested, 10),
}
"""By name: how it is made, and how many references are."""


@dataclass
class Tally:
    """What the detectors said of some streams."""

    market: str
    streams: int = 0
    rows: int = 0
    symbol_rows: float = 0.0
    input_alarms: int = 0
    output_alarms: int = 0
    detectors: Counter[str] = field(default_factory=Counter)
    guaranteed: bool = True
    coverage: str = ""
    seconds: float = 0.0

    def allowed(self) -> float:
        """Return how many alarms of each side the promise allows."""
        return self.symbol_rows / RUN_LENGTH

    def line(self) -> str:
        """Return the line of the table."""
        cells = [self.market, f"{self.streams}", f"{self.rows:,}", f"{self.allowed():.2f}"]
        for found in (self.input_alarms, self.output_alarms):
            low, high = interval(found, self.symbol_rows)
            cells += [f"{found}", f"{1e6 * low:.2f} to {1e6 * high:.2f}"]
        who = ", ".join(f"{name} {count}" for name, count in self.detectors.items()) or "-"
        cells += [who, f"{1e6 * self.seconds / max(self.rows, 1):.1f}"]
        return "| " + " | ".join(cells) + " |"


def interval(found: int, rows: float) -> tuple[float, float]:
    """Return the 95 % interval of a rate of which so many were found in so many rows."""
    n = max(int(rows), found)
    low = float(beta.ppf(0.025, found, n - found + 1)) if found else 0.0
    return low, float(beta.ppf(0.975, found + 1, n - found)) if found < n else 1.0


def watch(panel: Panel, sound: Sound, context: Context, said: Said, tally: Tally) -> None:
    """Show a stream to fresh detectors and count what they object to."""
    for start in range(0, len(said), PIECE):
        sample = sound.sample(said.take(slice(start, start + PIECE)), context)
        began = time.process_time()
        measured, at = panel.measure(sample), 0
        while at < len(measured):
            at = panel.advance(measured, at, len(measured), outputs=True)
            if panel.alarm == "input":
                tally.input_alarms += 1
            elif panel.alarm == "output":
                tally.output_alarms += 1
            if panel.alarm is not None:
                evidence = panel.evidence({})
                tally.detectors.update(each.detector for each in evidence if each.alarmed)
                (panel.reset_inputs if panel.alarm == "input" else panel.reset_outputs)()
        tally.seconds += time.process_time() - began
    tally.streams += 1
    tally.rows += len(said)
    tally.symbol_rows += len(said) / len(np.unique(said.symbol))


def put_to_test(sound: Sound, tally: Tally) -> None:
    """Learn a reference and watch the streams."""
    context = sound.context()
    if context.baseline is None or context.reference is None:
        raise ValueError(f"{sound.name}: the reference is too short to be measured")
    learnt = Panel(context.baseline, context)
    tally.guaranteed &= context.reference.guaranteed
    tally.coverage = str(context.reference.coverage)
    for said in sound.streams:
        watch(learnt.copy(), sound, context, said, tally)


def tallies(data: Path | None, *, short: bool, only: str | None) -> Iterator[Tally]:
    """Yield the result of each market."""
    for name, (make, references) in MADE.items():
        if only not in (None, "made", name):
            continue
        tally = Tally(name)
        for seed in range(references // 10 if short else references):
            put_to_test(make(seed, STREAMS, ROWS, REFERENCE), tally)
        yield tally
    for name, (file, _) in SERIES.items():
        if data is None or not (data / file).exists() or only not in (None, "real", name):
            continue
        for sound in real(data, name):
            tally = Tally(sound.name)
            put_to_test(sound, tally)
            yield tally
            if short:
                break


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("PLUMBLINE_DATA"))
    parser.add_argument("--short", action="store_true", help="a tenth of the references")
    parser.add_argument("--only", help="one market, or made, or real")
    parser.add_argument("--json", action="store_true", help="one object a market")
    arguments = parser.parse_args()
    data = None if arguments.data is None else Path(arguments.data)
    if not arguments.json:
        print(
            "| market | streams | rows | allowed | input alarms | in 10⁶ | output alarms | in 10⁶ "
            "| detectors | µs a row |\n|---|---|---|---|---|---|---|---|---|---|"
        )
    for tally in tallies(data, short=arguments.short, only=arguments.only):
        if arguments.json:
            print(json.dumps(asdict(tally) | {"allowed": tally.allowed()}), flush=True)
        else:
            print(tally.line(), flush=True)
            refused = "" if tally.guaranteed else "; not guaranteed"
            print(f"<!-- reference: {tally.coverage}{refused} -->", flush=True)


if __name__ == "__main__":
    main()
