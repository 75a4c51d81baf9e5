"""A controller in a process of its own, to be killed: ``python -m tests.support.lone_controller``.

Its arguments are the folder of a `Control` that another process has made, and its settings as JSON.
Its model is flat.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from plumbline.bundle.finding import Verdict
from tests.support.control import Control


def main(folder: str, settings: str = "{}") -> None:
    """Step until killed."""
    control = Control(Path(folder), settings=json.loads(settings), made=True)
    controller = control.controller()
    while True:
        controller.step(control.situation(Verdict.FLAT))
        time.sleep(0.02)


if __name__ == "__main__":
    main(*sys.argv[1:])
