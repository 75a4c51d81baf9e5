"""A trainer of one's own for `[retrain] command`: three seeds, the best of which is answered.

    [retrain]
    command = ["python", "examples/own_trainer/best_of_three.py"]

It is called by `plumbline retrain`, which is called by the monitor; docs/retrain-command.md has the
contract. Anything may stand in the place of `plumbline train` here: another library, another
machine, a queue. What counts is the one JSON object at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

SEEDS = (0, 1, 2)


def main() -> int:
    """Train three successors of the champion and name the one with the lowest log loss."""
    made = [result for seed in SEEDS if (result := train(seed)) is not None]
    sound = [result for result in made if result["passed"]] or made
    if not sound:
        print("no training came to its end", file=sys.stderr)
        return 1
    best = min(sound, key=lambda result: result["metrics"]["log_loss"])
    print(json.dumps({"version": best["version"], "log_loss": best["metrics"]["log_loss"]}))
    return 0


def train(reseed: int) -> dict[str, Any] | None:
    """Train with another seed; a model that its gate refuses has a result, too."""
    told = os.environ
    command = [sys.executable, "-P", "-m", "plumbline.cli.main", "train"]
    command += ["--like", told["PLUMBLINE_CHAMPION"], "--model", told["PLUMBLINE_MODEL"]]
    command += ["--store", told["PLUMBLINE_STORE"], "--reseed", str(reseed), "--json"]
    for option, variable in (
        ("--until", "PLUMBLINE_UNTIL"),
        ("--live-since", "PLUMBLINE_LIVE_SINCE"),
        ("--live-until", "PLUMBLINE_LIVE_UNTIL"),
    ):
        if variable in told:
            command += [option, told[variable]]
    if told["PLUMBLINE_WARM"] == "1":
        command += ["--parent", told["PLUMBLINE_CHAMPION"]]
    print(f"training with the seed moved by {reseed}", file=sys.stderr)
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.stdout else None


if __name__ == "__main__":
    sys.exit(main())
