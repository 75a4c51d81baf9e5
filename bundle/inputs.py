"""All inputs of a batch: what is watched of them, how they are told apart, how they are logged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

from plumbline.bundle.array import FloatArray
from plumbline.bundle.errors import FormatError
from plumbline.bundle.spec import InputSpec


def given(specs: Sequence[InputSpec]) -> tuple[InputSpec, ...]:
    """Return the inputs that differ from row to row: all but the bundle's own."""
    return tuple(spec for spec in specs if spec.source != "bundle")


def with_constants(
    specs: Sequence[InputSpec], inputs: Mapping[str, FloatArray], rows: int
) -> dict[str, FloatArray]:
    """Return every input the graph takes, the bundle's own repeated for each row."""
    whole = dict(inputs)
    for spec in specs:
        if spec.value is not None:
            one = np.asarray(spec.value, spec.dtype).reshape(spec.shape)
            whole[spec.name] = np.broadcast_to(one, (rows, *spec.shape)).copy()
    return whole


def last_steps(specs: Sequence[InputSpec], inputs: Mapping[str, FloatArray]) -> FloatArray:
    """Return the newest step of all feature inputs beside each other: ``(n, f) float32``."""
    columns = [
        inputs[spec.name] if len(spec.shape) == 1 else inputs[spec.name][:, -1]
        for spec in specs
        if spec.source == "features"
    ]
    if not columns:
        raise ValueError("no input has columns of its own: the graph computes them from bars")
    joined = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    return np.asarray(joined, np.float32)


def input_bytes(specs: Sequence[InputSpec], inputs: Mapping[str, FloatArray], i: int) -> bytes:
    """Return row ``i`` of every given input, end to end in the manifest's order and dtype."""
    return b"".join(
        np.ascontiguousarray(inputs[spec.name][i], spec.dtype).tobytes() for spec in given(specs)
    )


def inputs_hash(data: bytes) -> str:
    """Return 16 hexadecimal digits over a row's `input_bytes`; equal inputs have equal hashes."""
    return blake2b(data, digest_size=8).hexdigest()


def parse_inputs(specs: Sequence[InputSpec], rows: Sequence[bytes]) -> dict[str, FloatArray]:
    """Turn logged `input_bytes` back into arrays, by name: ``(n, *shape)``.

    Raises
    ------
    FormatError
        If a row has another length than these inputs make.
    """
    wanted = given(specs)
    sizes = [math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in wanted]
    for row in rows:
        if len(row) != sum(sizes):
            raise FormatError(f"logged inputs: expected {sum(sizes)} bytes, found {len(row)}")
    arrays: dict[str, FloatArray] = {}
    begin = 0
    for spec, size in zip(wanted, sizes, strict=True):
        joined = b"".join(row[begin : begin + size] for row in rows)
        arrays[spec.name] = np.frombuffer(joined, spec.dtype).reshape(len(rows), *spec.shape)
        begin += size
    return arrays
