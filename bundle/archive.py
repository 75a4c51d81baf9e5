"""Sealing a set of files into a bundle, and opening one again, both without any input or output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic_core import from_json

from plumbline.bundle.digest import sha256_of
from plumbline.bundle.errors import FormatError, IntegrityError
from plumbline.bundle.golden import GoldenRows
from plumbline.bundle.manifest import FORMAT, MANIFEST, FileDigest, Manifest, version_of
from plumbline.bundle.outputs import Outputs, read_calibrations
from plumbline.bundle.reference import NO_ACTION, ReferenceProfile
from plumbline.bundle.stress import StressRows
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
    def outputs(self) -> Outputs:
        """The heads with their calibrations, and the policy."""
        read = read_calibrations(self.files["calibration.json"], self.manifest.outputs)
        return Outputs.of(self.manifest, read)

    @cached_property
    def reference(self) -> ReferenceProfile:
        """The healthy stream."""
        return ReferenceProfile.from_bytes(self.files["reference.npz"])

    @cached_property
    def stress(self) -> StressRows | None:
        """Markets under stress; None of a model whose columns are a stranger's own."""
        data = self.files.get("stress.npz")
        return None if data is None else StressRows.from_bytes(data)

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
        manifest, reference = self.manifest, self.reference
        _check_golden(self.golden, manifest)
        features = len(manifest.feature_names)
        widths = {
            "features": features,
            "raw": manifest.raw_width,
            "centre": sum(spec.width for spec in manifest.outputs),
            "epistemic": len(manifest.outputs),
            "truth": len(manifest.outputs),
        }
        for name, width in widths.items():
            found = getattr(reference, name).shape[1]
            if found != width:
                raise FormatError(
                    f"reference.npz: expected {name} (n, {width}), found (n, {found})"
                )
        if self.stress is not None and self.stress.features.shape[1] != features:
            raise FormatError(
                f"stress.npz: expected features (n, {features}), found {self.stress.features.shape}"
            )
        most = max(len(manifest.actions) - 1, NO_ACTION)
        if len(reference) and reference.action.max() > most:
            raise FormatError(
                f"reference.npz: action must lie in {NO_ACTION}..{most}, "
                f"found {reference.action.max()}"
            )
        for place, spec in enumerate(manifest.outputs):
            fault = self.outputs.heads[spec.name].untrue(reference.truth[:, place])
            if fault:
                raise FormatError(f"reference.npz: truth of {spec.name}: {fault}")
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
        raise FormatError(
            f"{MANIFEST}: format {found!r} is unknown, this version reads {FORMAT}: "
            "train or pack the model again"
        )


def _check_golden(golden: GoldenRows, manifest: Manifest) -> None:
    """Compare names and shapes of the golden rows with the manifest's."""
    if len(golden) == 0:
        raise FormatError("golden.npz: expected at least one row, found none")
    given = {spec.name: spec.shape for spec in manifest.inputs if spec.source != "bundle"}
    said = {spec.name: (spec.numbers,) for spec in manifest.outputs}
    for what, expected, found in (
        ("inputs", given, golden.inputs),
        ("outputs", said, golden.outputs),
    ):
        shapes = {name: array.shape[1:] for name, array in found.items()}
        if shapes != expected:
            raise FormatError(f"golden.npz: expected {what} {expected}, found {shapes}")
