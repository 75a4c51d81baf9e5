"""Sealing a set of files into a bundle, and opening one again, both without any input or output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic_core import from_json

from plumbline.bundle.calibration import Calibration
from plumbline.bundle.digest import sha256_of
from plumbline.bundle.errors import FormatError, IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import FORMAT, MANIFEST, FileDigest, Manifest, version_of
from plumbline.bundle.reference import ReferenceProfile
from plumbline.bundle.validation import ValidationReport


def digest_of(data: bytes) -> FileDigest:
    """Return what a manifest says of these bytes."""
    return FileDigest(sha256=sha256_of(data), size=len(data))


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every byte has been checked against its manifest.

    The parts are parsed on first use; shapes are checked by `check`.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    address: str | None = None
    """The version it was opened under; for one that was just made, its manifest's."""

    @cached_property
    def version(self) -> str:
        """Content address of the bundle."""
        return self.address or self.manifest.version

    @cached_property
    def calibration(self) -> Calibration:
        """Logits to probabilities."""
        name = "calibration.json"
        return Calibration.from_json(self.files[name], source=name)

    @cached_property
    def reference(self) -> ReferenceProfile:
        """The healthy stream."""
        return ReferenceProfile.from_bytes(self.files["reference.npz"])

    @cached_property
    def golden(self) -> GoldenRows:
        """Rows a loaded backend must reproduce."""
        return GoldenRows.from_bytes(self.files["golden.npz"])

    @cached_property
    def validation(self) -> ValidationReport:
        """The gate's evidence."""
        name = "validation.json"
        return ValidationReport.from_json(self.files[name], source=name)

    def check(self) -> None:
        """Parse every part and compare its shape with the manifest's.

        Raises
        ------
        FormatError
            Naming the file and what was expected.
        """
        window = (self.manifest.window_length, len(self.manifest.features.names))
        classes = len(self.manifest.classes)
        golden = self.golden
        if len(golden.inputs) == 0:
            raise FormatError("golden.npz: expected at least one row, found none")
        if golden.inputs.shape[1:] != window or golden.logits.shape[1] != classes:
            raise FormatError(
                f"golden.npz: expected rows of {window} and {classes} logits, "
                f"found {golden.inputs.shape[1:]} and {golden.logits.shape[1]}"
            )
        found = (self.reference.features.shape[1], self.reference.logits.shape[1])
        if found != (window[1], classes):
            raise FormatError(f"reference.npz: expected {(window[1], classes)}, found {found}")
        if len(self.calibration.bias) != classes:
            raise FormatError(
                f"calibration.json: expected {classes} biases, found {len(self.calibration.bias)}"
            )
        _ = self.validation


def open_bundle(version: str, read: Callable[[str], bytes]) -> Bundle:
    """Read, verify and parse a bundle.

    Parameters
    ----------
    version
        The content address asked for.
    read
        Returns the bytes of a file of the bundle; raises `IntegrityError` where there is none.

    Raises
    ------
    IntegrityError
        A file is missing or is not the one the manifest was written for.
    FormatError
        A file cannot be read, or the format number is unknown.
    """
    data = read(MANIFEST)
    if version_of(data) != version:
        raise IntegrityError(
            f"{MANIFEST}: truncated or changed: it makes version {version_of(data)}, not {version}"
        )
    _refuse_unknown_format(data)
    manifest = Manifest.from_json(data, source=MANIFEST)
    files: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        files[name] = read(name)
        found = digest_of(files[name])
        if found.size != expected.size:
            raise IntegrityError(
                f"{name}: truncated or changed: {found.size} bytes, expected {expected.size}"
            )
        if found.sha256 != expected.sha256:
            raise IntegrityError(f"{name}: changed: its sha256 is not the manifest's")
    bundle = Bundle(manifest, files, version)
    bundle.check()
    return bundle


def _refuse_unknown_format(data: bytes) -> None:
    try:
        found = from_json(data)["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{MANIFEST}: not a manifest: {error}") from error
    if found != FORMAT:
        raise FormatError(f"{MANIFEST}: format {found!r} is unknown, this version reads {FORMAT}")
