"""Run every benchmark, or those named: ``python -m benchmarks serving gate``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(names: list[str]) -> int:
    """Run each benchmark in a process of its own and return the number that failed."""
    here = Path(__file__).parent
    packages = (path.parent for path in here.glob("[a-z]*/__main__.py"))
    known = sorted(path.stem for path in (*here.glob("[a-z]*.py"), *packages))
    if unknown := set(names) - set(known):
        print(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}, Python {platform.python_version()}")
    failed = 0
    for name in names or known:
        print(f"\n== {name}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
            != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
