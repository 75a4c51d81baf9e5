"""A bundle that lies in a folder of its own, outside any store."""

from __future__ import annotations

from pathlib import Path

from plumbline.bundle.archive import Bundle, open_bundle
from plumbline.bundle.errors import IntegrityError
from plumbline.bundle.manifest import MANIFEST, version_of


def read_folder(folder: Path) -> Bundle:
    """Read and verify a bundle that lies in a folder.

    Raises
    ------
    BundleError
        If a file is missing or is not the one the manifest names.
    """

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as error:
            raise IntegrityError(f"{folder / name}: {error.strerror}") from error

    return open_bundle(version_of(read(MANIFEST)), read)
