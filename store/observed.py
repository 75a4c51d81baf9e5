"""Objects whose operations somebody counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from typing_extensions import override

from plumbline.store.errors import ConflictError, NotFoundError, StoreError
from plumbline.store.objects import Objects

OPERATIONS = ("create", "read", "list", "delete")


class Recorder(Protocol):
    """Who is told of each operation; the metrics of service and monitor are two."""

    def record_operation(self, operation: str, seconds: float, *, failed: bool) -> None:
        """Take in one operation.

        Parameters
        ----------
        operation
            One of `OPERATIONS`.
        seconds
            How long it took.
        failed
            Whether the store failed. A key that is not there, or there already, is an answer.
        """


class ObservedObjects(Objects):
    """The objects under one store URL, each operation told to a recorder.

    Parameters
    ----------
    url
        As for `Objects`.
    recorder
        Who is told; called from any thread.
    """

    def __init__(self, url: str, recorder: Recorder) -> None:
        super().__init__(url)
        self._recorder = recorder

    @override
    def create(self, key: str, data: bytes) -> None:
        with self._told("create"):
            super().create(key, data)

    @override
    def read(self, key: str) -> bytes:
        with self._told("read"):
            return super().read(key)

    @override
    def keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        with self._told("list"):
            return super().keys(prefix, after=after)

    @override
    def folders(self, prefix: str) -> list[str]:
        with self._told("list"):
            return super().folders(prefix)

    @override
    def delete(self, key: str) -> None:
        with self._told("delete"):
            super().delete(key)

    @contextmanager
    def _told(self, operation: str) -> Iterator[None]:
        begun, failed = perf_counter(), False
        try:
            yield
        except (ConflictError, NotFoundError):
            raise
        except StoreError:
            failed = True
            raise
        finally:
            self._recorder.record_operation(operation, perf_counter() - begun, failed=failed)
