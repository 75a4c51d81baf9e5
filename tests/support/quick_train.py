"""A training that takes no time: called like `plumbline`, it writes a small real bundle.

The file given as ``--config`` (for ``calibrate``: the environment's ``QUICK_TRAIN``) is a JSON
object that says what comes of it: ``seed``, ``passed``, ``parted``, ``seconds`` to take, ``crash``,
``silent``, ``damage`` the bundle once it is written; ``data`` and ``interval`` are put into its
manifest.
Every call adds a line to ``<config>.calls``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from plumbline.bundle.validation import ValidationReport
from plumbline.store.objects import Objects
from plumbline.store.registry import ModelRegistry
from tests.support.bundles import small_bundle


def main() -> int:
    """Do what the plan says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--config", default=os.environ.get("QUICK_TRAIN"))
    parser.add_argument("--store", required=True)
    parser.add_argument("--model", required=True)
    given, _ = parser.parse_known_args()
    path = Path(given.config)
    plan = json.loads(path.read_text())
    with Path(f"{path}.calls").open("a") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    sys.stderr.write("training\n")
    time.sleep(plan.get("seconds", 0))
    if plan.get("crash"):
        sys.stderr.write("out of memory\n")
        return 137
    passed = plan.get("passed", True)
    manifest, files = small_bundle(
        given.model,
        seed=plan.get("seed", 1),
        rows=plan.get("rows", 300),
        passed=passed,
        parted=plan.get("parted", False),
    )
    data = manifest.data.model_copy(update=plan.get("data", {}))
    interval = plan.get("interval", manifest.bar_interval_seconds)
    manifest = manifest.model_copy(update={"data": data, "bar_interval_seconds": interval})
    bundle = ModelRegistry(Objects(given.store), given.model).write(manifest, files)
    if plan.get("damage"):
        _damage(given.store, given.model, bundle.version)
    if plan.get("silent"):
        return 0
    said = {"version": bundle.version, "seconds": 0.1, **_said(bundle.validation)}
    sys.stdout.write(json.dumps(said, indent=2))
    return 0 if passed else 1


def _said(report: ValidationReport) -> dict[str, Any]:
    return report.model_dump(mode="json", include={"passed", "reasons", "metrics"}) | {
        "verdict": report.verdict
    }


def _damage(store: str, model: str, version: str) -> None:
    root = Path(unquote(urlparse(store).path))
    path = root / "models" / model / "versions" / version / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])


if __name__ == "__main__":
    sys.exit(main())
