"""Ends what a `plumbline up` started once that is gone, however it went.

``python -m plumbline.cli.guardian ID FILE`` reads its standard input, the other end of which
`plumbline up` holds open for as long as it lives: a kill -9 closes it, too. Then the file that says
where the system runs is removed, and whatever bears the system id is ended. The guardian has a
session of its own and ignores what a terminal sends to all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from plumbline.cli.kinship import GRACE_SECONDS, end_members

_END_SECONDS = GRACE_SECONDS + 10.0


class Guardian:
    """The process that outlives us for a moment."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @classmethod
    def start(cls, system_id: str, sign: Path) -> Self:
        """Start it; from now on all that bears the id, and the sign, end with this process."""
        return cls(
            subprocess.Popen(  # noqa: S603 -- our own command line
                [sys.executable, "-P", "-m", "plumbline.cli.guardian", system_id, str(sign)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        )

    def dismiss(self) -> None:
        """Let it end what is left, and wait for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(_END_SECONDS)


def main(system_id: str, sign: Path) -> None:
    """Wait for the end of whoever started us, and tidy up."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    sign.unlink(missing_ok=True)
    end_members(system_id)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
