"""Stopping a long command: Ctrl-C and SIGTERM both end it in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code, as shells have it: 128 and the number of SIGINT."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn both signals into `KeyboardInterrupt` for as long as this lasts.

    A shell starts its background jobs with SIGINT ignored, and a scheduler sends SIGTERM.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
