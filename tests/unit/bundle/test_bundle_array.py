"""Array archives: exact, bounded, and never code."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from plumbline.bundle.array import read_arrays, write_arrays
from plumbline.bundle.errors import FormatError


def archive(**members: bytes) -> bytes:
    """Return a zip of raw members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy(shape: str, dtype: str = "<f8", body: bytes = b"") -> bytes:
    """Return an ``.npy`` with a header of one's own."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + body


def test_equal_arrays_make_equal_bytes():
    """Whatever the order of names or the memory layout."""
    array = np.arange(6.0).reshape(2, 3)

    assert write_arrays({"a": array, "b": array}) == write_arrays(
        {"b": np.asfortranarray(array), "a": array.copy()}
    )


def test_what_numpy_itself_has_saved_is_read():
    """Fortran order included."""
    buffer = io.BytesIO()
    np.savez(buffer, a=np.asfortranarray(np.arange(6).reshape(2, 3)))
    found = read_arrays(buffer.getvalue(), ("a",), source="x")

    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "x")])
def test_missing_and_unknown_arrays_are_refused(names):
    """Exactly the named ones, no more and no fewer."""
    data = write_arrays({"a": np.zeros(1), "b": np.zeros(1)})

    with pytest.raises(FormatError, match=r"x\.npz: expected arrays"):
        read_arrays(data, names, source="x.npz")


def test_python_objects_are_refused():
    """They would be unpickled, and unpickling runs code."""
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}, []], dtype=object))

    with pytest.raises(FormatError, match="Python objects"):
        read_arrays(buffer.getvalue(), ("a",), source="x")


@pytest.mark.parametrize(
    ("shape", "body"),
    [("(1000000000000,)", b""), ("(3,)", b"12345678"), ("(-1,)", b""), ("(2**60, 2**60)", b"")],
)
def test_a_header_that_claims_more_than_there_is_allocates_nothing(shape, body):
    """Its claim is held against the bytes that follow."""
    with pytest.raises(FormatError, match="not a readable array archive"):
        read_arrays(archive(a=npy(shape, body=body)), ("a",), source="x")


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch):
    """By its directory, before it is unpacked."""
    monkeypatch.setattr("plumbline.bundle.array.MAX_EXPANDED_BYTES", 10_000)
    data = write_arrays({"a": np.zeros(100_000)})

    assert len(data) < 10_000
    with pytest.raises(FormatError, match="expands to 800128 bytes"):
        read_arrays(data, ("a",), source="x")


def test_a_member_that_is_there_twice_is_refused():
    """Readers would differ in which one they take."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a.npy", npy("(0,)"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("a.npy", npy("(0,)"))

    with pytest.raises(FormatError, match="expected arrays"):
        read_arrays(buffer.getvalue(), ("a",), source="x")
