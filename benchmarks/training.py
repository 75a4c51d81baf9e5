"""What the default training achieves and how long it takes, over seeds and over moments.

A model is worth what it gains on the best constant in hindsight, on rows it has not seen: the
skill, with the 90 % interval of a block bootstrap. The gate wants that interval above zero. It is
counted in nats of a choice, relative to the constant's log loss; in CRPS of a value, relative to
its deviation; of a ranking it is a rank correlation.
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
CONSTANTS = ("log_loss_constant", "rmse_constant")
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
        COLUMNS.format("training", "seconds", "skill", "relative", "interval", "actions", "verdict")
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
    skill = next(f for f in report.validation.findings if f.name == "skill")
    constant = next(
        (result.metrics[name] for name in CONSTANTS if name in result.metrics), float("nan")
    )
    relative = skill.value / constant
    shares = "/".join(
        f"{value:.0%}" for name, value in result.metrics.items() if name.startswith("share_")
    )
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
