"""A worker to be killed: appends rows, says which are acknowledged, and ships beside it.

``python spool_worker.py SPOOLS STORE SLOT [FAILPOINT COUNT]``. An id is printed only after `append`
has returned. At a failpoint the process kills itself, without clearing up, at the COUNT-th time.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import wraps
from itertools import count

from plumbline.store.objects import Objects
from plumbline.store.shipper import Shipper
from plumbline.store.spool import Spool, SpoolDatabase
from tests.support.rows import outcome_row, prediction_row

FAILPOINTS = {
    "before seal": (SpoolDatabase, "seal", "before"),
    "after seal": (SpoolDatabase, "seal", "after"),
    "before upload": (Objects, "create", "before"),
    "after upload": (Objects, "create", "after"),
    "before shipped": (SpoolDatabase, "shipped", "before"),
    "before clear": (SpoolDatabase, "_clear", "before"),
    "after shipped": (SpoolDatabase, "shipped", "after"),
}


def arm(failpoint: str, times: int) -> None:
    """Make the process die by SIGKILL when it comes past here for the ``times``-th time."""
    owner, name, side = FAILPOINTS[failpoint]
    original = getattr(owner, name)
    passes = count(1)

    @wraps(original)
    def patched(*args: object, **kwargs: object) -> object:
        last = next(passes) == times
        if last and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, patched)


def main(spools: str, store: str, slot: str, failpoint: str = "", times: str = "1") -> None:
    """Append for ever."""
    if failpoint:
        arm(failpoint, int(times))
    spool = Spool(spools, slot)
    shipper = Shipper(spools, Objects(store))

    def ship() -> None:
        while True:
            shipper.ship()

    for number in count(1):
        ids = [f"{slot}-{os.getpid()}-{number}-{i}" for i in range(number % 7 + 1)]
        spool.append(
            [prediction_row(i, prediction_id=text) for i, text in enumerate(ids)]
            + [outcome_row(ids[0])]
        )
        sys.stdout.write("".join(f"{text}\n" for text in ids))
        sys.stdout.flush()
        if number == 3:
            threading.Thread(target=ship, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
