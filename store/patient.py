"""Objects that wait for a store that is away for a while.

For what took long to make and must not be lost to an outage: a training's bundle and its record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from typing_extensions import override

from plumbline.store.errors import ConflictError, NotFoundError, StoreError
from plumbline.store.objects import Objects

PATIENCE_SECONDS = 180.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0

T = TypeVar("T")


class PatientObjects(Objects):
    """The objects under one store URL, asked again until the store answers.

    A store that has never answered is not waited for, unless it is known to be right: its URL or
    its credentials may be wrong.

    An answer that was lost leaves it open whether an object was created, so `create` reads back
    what is there: these very bytes are ours. Use it where that is so, as of bundles, which are
    named by their content, and of records that name their writer.

    Parameters
    ----------
    url, create
        As for `Objects`.
    seconds
        How long an outage is waited for.
    tell
        Told once of each outage, in one sentence.
    known
        Whether somebody has just been answered by it.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        seconds: float = PATIENCE_SECONDS,
        tell: Callable[[str], None] = lambda _: None,
        known: bool = False,
    ) -> None:
        super().__init__(url, create=create)
        self._seconds = seconds
        self._tell = tell
        self._answered = known

    @override
    def create(self, key: str, data: bytes) -> None:
        make = super().create
        try:
            self._patiently(lambda: make(key, data))
        except ConflictError:
            if self.read(key) != data:
                raise

    @override
    def read(self, key: str) -> bytes:
        read = super().read
        return self._patiently(lambda: read(key))

    @override
    def keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        keys = super().keys
        return self._patiently(lambda: keys(prefix, after=after))

    @override
    def folders(self, prefix: str) -> list[str]:
        folders = super().folders
        return self._patiently(lambda: folders(prefix))

    @override
    def delete(self, key: str) -> None:
        delete = super().delete
        self._patiently(lambda: delete(key))

    def _patiently(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer, or the outage has lasted too long."""
        pause, until = _FIRST_PAUSE, None
        while True:
            try:
                answer = ask()
            except (ConflictError, NotFoundError):
                self._answered = True
                raise
            except StoreError as error:
                if until is None:
                    until = time.monotonic() + self._seconds
                    if self._answered:
                        limit = f"{self._seconds:.0f} s"
                        self._tell(f"the store is away, waiting up to {limit}: {error}")
                if not self._answered or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._answered = True
                return answer
