"""What the default training achieves and how long it takes, over seeds and over moments.

A model is worth its log loss against the best constant in hindsight, on rows it has not seen: the
skill, with the 90 % interval of a block bootstrap. The gate wants that interval above zero.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta

import numpy as np

from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from plumbline.training.config import Experiment, read_experiment
from plumbline.training.run import train

MOMENTS = tuple(datetime(2017, 9, 11, tzinfo=UTC) + timedelta(weeks=5 * n) for n in range(4))
COLUMNS = "{:<24} {:>7} {:>8} {:>8}  {:<18} {:>18} {:>8}"


def main() -> None:
    """Train with several seeds, then with the first seed at several later moments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="eurusd-1h")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    experiment = read_experiment(given.config)
    objects = Objects("memory://benchmark")
    print(
        COLUMNS.format(
            "training", "seconds", "skill", "relative", "interval", "SELL/HOLD/BUY", "verdict"
        )
    )
    rows = [
        measure(objects, experiment.changed(seed=seed), f"seed {seed}")
        for seed in range(given.seeds)
    ]
    rows += [
        measure(objects, experiment.changed(data={"until": moment}), f"until {moment:%Y-%m-%d}")
        for moment in MOMENTS
    ]
    seconds, relative, passed = (np.array(column) for column in zip(*rows, strict=True))
    print(
        f"median {np.median(seconds):.1f} s, median skill {np.median(relative):.1%}; "
        f"{passed.sum()} of {len(passed)} passed the gate"
    )


def measure(objects: Objects, experiment: Experiment, name: str) -> tuple[float, float, bool]:
    """Train once, print a line, and return seconds, relative skill and whether it passed."""
    result = train(experiment, objects, "benchmark")
    report = ModelRegistry(objects, "benchmark").open(result.version).validation
    (skill,) = (f for f in report.validation.findings if f.name == "log_loss_skill")
    relative = skill.value / result.metrics["log_loss_constant"]
    shares = "/".join(f"{result.metrics[f'share_{a}']:.0%}" for a in ("sell", "hold", "buy"))
    interval = f"{skill.interval.low:+.4f} .. {skill.interval.high:+.4f}"
    print(
        COLUMNS.format(
            name,
            f"{result.seconds:.1f}",
            f"{skill.value:+.4f}",
            f"{relative:.1%}",
            interval,
            shares,
            result.verdict.value,
        ),
        flush=True,
    )
    return result.seconds, relative, result.passed


if __name__ == "__main__":
    main()
