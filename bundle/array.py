"""Array types shared by every package."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bundle.errors import FormatError

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]


def write_arrays(arrays: Mapping[str, AnyArray]) -> bytes:
    """Write named arrays as an ``.npz`` whose bytes depend on the values alone.

    `numpy.savez` stamps the time of day into the archive, so equal arrays would get unequal digests.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(
                member, np.ascontiguousarray(arrays[name]), allow_pickle=False
            )
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def read_arrays(data: bytes, names: tuple[str, ...], *, source: str) -> dict[str, AnyArray]:
    """Read an ``.npz`` that must hold exactly the named arrays.

    Raises
    ------
    FormatError
        If it is no such archive, an array is missing or unknown, or one holds Python objects.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise FormatError(f"{source}: not a readable array archive: {error}") from error
    if set(found) != set(names):
        raise FormatError(f"{source}: expected arrays {sorted(names)}, found {sorted(found)}")
    return found
