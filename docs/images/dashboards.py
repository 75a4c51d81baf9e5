"""Draw the pictures of docs/dashboards.md: the four dashboards over the scripted collapse.

Usage: ``PLUMBLINE_GRAFANA_PREVIEW=/path/to/render python -m docs.images.dashboards``, where
``render`` is a program as docs/dashboards.md describes it. The committed pictures were made smaller
with ``pngquant 128``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.support.preview import PROGRAM, View, draw
from tests.support.story.script import COLLAPSED, FROZEN, RECOVERED
from tests.support.story.server import told

HERE = Path(__file__).parent
PICTURES = {
    "fleet": View("fleet", COLLAPSED),
    "fleet-light": View("fleet", FROZEN, minutes=120, theme="light"),
    "model": View("model", COLLAPSED, model="eurusd-1m"),
    "model-light": View("model", FROZEN, model="btcusd-5m", theme="light"),
    "incident": View("incident", RECOVERED, minutes=110, theme="light"),
    "service": View("service", RECOVERED, minutes=110),
}


def main() -> int:
    """Tell the story once and draw all; returns 1 if a panel could not be drawn."""
    program = os.environ[PROGRAM]
    failed = 0
    with tempfile.TemporaryDirectory() as folder, told(Path(folder)) as prometheus:
        for name, view in PICTURES.items():
            picture = HERE / f"dashboard-{name}.png"
            status, said = draw(program, view, prometheus.url, picture, "--allow-empty")
            sys.stdout.write(f"{picture.name}: {status}\n{said if status else ''}")
            failed |= status
    return failed


if __name__ == "__main__":
    sys.exit(main())
