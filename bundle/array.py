"""Array types shared by every package."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plumbline.bundle.errors import FormatError

FloatArray: TypeAlias = NDArray[np.floating[Any]]
IntArray: TypeAlias = NDArray[np.integer[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]

MAX_EXPANDED_BYTES = 2**30
"""No archive may unpack to more, whatever its size."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    NotImplementedError,  # a compression nobody uses
    RuntimeError,  # an encrypted member
    TypeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,  # numpy's own repair of old headers
)


def write_arrays(arrays: Mapping[str, AnyArray]) -> bytes:
    """Write named arrays as an ``.npz`` whose bytes depend on the values alone.

    `numpy.savez` stamps the time of day into it, so that equal arrays would get unequal digests.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(
                member, np.asarray(arrays[name], order="C"), allow_pickle=False
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
    arrays = read_named_arrays(data, source=source)
    if sorted(arrays) != sorted(names):
        raise FormatError(f"{source}: expected arrays {sorted(names)}, found {sorted(arrays)}")
    return {name: arrays[name] for name in names}


def read_named_arrays(data: bytes, *, source: str) -> dict[str, AnyArray]:
    """Read an ``.npz`` with whatever arrays it holds, sorted by name; raises as `read_arrays`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.filename)
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) != len(names) or any(
                not member.filename.endswith(".npy") for member in members
            ):
                raise FormatError(f"{source}: expected arrays by name, found {names}")
            expanded = sum(member.file_size for member in members)
            if expanded > MAX_EXPANDED_BYTES:
                raise FormatError(f"{source}: expands to {expanded} bytes, more than is allowed")
            return {
                name: _read_array(archive.read(member))
                for name, member in zip(names, members, strict=True)
            }
    except _UNREADABLE as error:
        raise FormatError(f"{source}: not a readable array archive: {error}") from error


def _read_array(data: bytes) -> AnyArray:
    """Read an ``.npy`` whose header claims exactly the bytes that follow it, and no objects."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"array format {version} is unknown")
    shape, fortran_order, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    body = bytearray(data[stream.tell() :])
    if len(body) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(body)} bytes do not make {shape} of {dtype}")
    return np.ndarray(shape, dtype, body, order="F" if fortran_order else "C")
