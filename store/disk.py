"""What the file system does for us: locks that die with their process, and names that last."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path


class FileLock:
    """An exclusive lock that a killed process cannot leave behind.

    Never lock a SQLite file itself: closing any descriptor of it drops SQLite's own locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; never waits.

        A file that was removed between opening and locking (the previous holder has just cleared
        its folder away) counts as taken.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            current = self._path.stat().st_ino == os.fstat(descriptor).st_ino
        except (BlockingIOError, FileNotFoundError):
            current = False
        if not current:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DurableFolder:
    """Files below a folder, created once, and on the disk when we say so."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[Path] = set()

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self._root.is_dir()

    def create(self, key: str, data: bytes) -> None:
        """Write a file that is durable before it has its name, and its name before we return.

        A listing leaves names that end in ``#`` and digits out: a killed writer leaves such a file.
        The folder itself is never made anew: in the place of a disk that was unmounted it would
        hide what lies there.

        Raises
        ------
        FileExistsError
            If there is one; its name is durable then, too.
        FileNotFoundError
            If the folder is not there.
        """
        if not self.exists():
            raise FileNotFoundError(f"its folder {self._root} is not there")
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}#{os.getpid()}{time.time_ns()}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
            self._flush(path.parent)

    def _flush(self, folder: Path) -> None:
        """Flush a folder, and those above it if this is the first time."""
        fsync_folder(folder)
        climbed = []
        while folder != self._root and folder not in self._durable:
            climbed.append(folder)
            folder = folder.parent
            fsync_folder(folder)
        self._durable.update(climbed)


def fsync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
