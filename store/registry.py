"""The model registry: immutable bundles and the aliases that point at them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import Field

from bundle.archive import Bundle, digest_of, open_bundle
from bundle.errors import IntegrityError
from bundle.manifest import MANIFEST, Manifest
from bundle.record import Record
from store.errors import ConflictError, NotFoundError, RefusedError
from store.objects import Objects
from store.pointer import Generation, Pointer

CHAMPION = "champion"
CHALLENGER = "challenger"


class AliasTarget(Record):
    """Where an alias points, who moved it and why."""

    version: str
    previous: str | None = Field(None, description="What it pointed at before.")
    actor: str
    reason: str
    time: datetime


class ModelRegistry:
    """Bundles and aliases of one model name.

    Layout: ``models/<name>/versions/<version>/<file>`` and
    ``models/<name>/aliases/<alias>/<generation>.json``.
    """

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects = objects
        self.name = name
        self._pointers: dict[str, Pointer[AliasTarget]] = {}

    @staticmethod
    def names(objects: Objects) -> list[str]:
        """Return the names of all models in a store."""
        return objects.folders("models")

    def versions(self) -> list[str]:
        """Return every version with a manifest; a half-uploaded one has none."""
        prefix = f"models/{self.name}/versions"
        keys = self._objects.keys(prefix)
        return [key.split("/")[-2] for key in keys if key.endswith(f"/{MANIFEST}")]

    def write(self, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
        """Upload a bundle, its manifest last; writing the same one again is a no-op.

        Raises
        ------
        IntegrityError
            If the files are not the ones the manifest names.
        """
        for name, expected in manifest.files.items():
            if name not in files or digest_of(files[name]) != expected:
                raise IntegrityError(f"{name}: not the file the manifest names")
        bundle = Bundle(manifest, dict(files))
        bundle.check()
        for name in manifest.files:
            self._create(f"{self._folder(bundle.version)}/{name}", files[name])
        self._create(f"{self._folder(bundle.version)}/{MANIFEST}", manifest.to_json())
        return bundle

    def open(self, version: str) -> Bundle:
        """Read and verify a bundle.

        Raises
        ------
        BundleError
            If a file is missing, truncated, changed or unreadable; the message names it.
        NotFoundError
            If there is no such version at all.
        """
        folder = self._folder(version)

        def read(name: str) -> bytes:
            try:
                return self._objects.read(f"{folder}/{name}")
            except NotFoundError as error:
                if not self._objects.keys(folder):
                    raise NotFoundError(f"model {self.name} has no version {version}") from error
                raise IntegrityError(f"{name}: missing from {self.name} {version}") from error

        return open_bundle(version, read)

    def manifest(self, version: str) -> Manifest:
        """Read the manifest alone, unverified; for listings."""
        key = f"{self._folder(version)}/{MANIFEST}"
        return Manifest.from_json(self._objects.read(key), source=key)

    def alias(self, alias: str = CHAMPION) -> Generation[AliasTarget] | None:
        """Return where an alias points now, or None."""
        return self._pointer(alias).head()

    def history(self, alias: str = CHAMPION) -> list[Generation[AliasTarget]]:
        """Return every target an alias has had, oldest first."""
        return self._pointer(alias).history()

    def promote(
        self,
        version: str,
        *,
        actor: str,
        reason: str,
        alias: str = CHAMPION,
        force: bool = False,
        expected: int | None = None,
    ) -> Generation[AliasTarget]:
        """Point an alias at a version that verifies and whose gate passed.

        Parameters
        ----------
        version, actor, reason, alias
            What, by whom, why, and which alias.
        force
            Promote although the gate refused; recorded in the reason.
        expected
            The generation the decision was based on; the present head by default.

        Raises
        ------
        BundleError, NotFoundError
            If the bundle does not verify.
        RefusedError
            If its validation report did not pass and ``force`` is off.
        ConflictError
            If another promoter was first.
        """
        report = self.open(version).validation
        if not report.passed and not force:
            why = "; ".join(report.reasons) or report.verdict.value
            raise RefusedError(f"{self.name} {version} did not pass its gate: {why}")
        forced = "" if report.passed else " (forced: the gate refused it)"
        return self._move(alias, version, actor, reason + forced, expected)

    def rollback(
        self, *, actor: str, reason: str, alias: str = CHAMPION, to: str | None = None
    ) -> Generation[AliasTarget]:
        """Point an alias back at the version before, or at ``to``, which must verify.

        Raises
        ------
        NotFoundError
            If there is nothing to go back to.
        """
        head = self.alias(alias)
        target = to or (head.value.previous if head else None)
        if head is None or target is None:
            raise NotFoundError(f"{self.name} has no earlier {alias} to roll back to")
        self.open(target)
        return self._move(alias, target, actor, reason, head.number)

    def _move(
        self, alias: str, version: str, actor: str, reason: str, expected: int | None
    ) -> Generation[AliasTarget]:
        head = self.alias(alias)
        number = head.number if head else 0
        target = AliasTarget(
            version=version,
            previous=head.value.version if head else None,
            actor=actor,
            reason=reason,
            time=datetime.now(UTC),
        )
        after = number if expected is None else expected
        return self._pointer(alias).advance(target, after=after)

    def _pointer(self, alias: str) -> Pointer[AliasTarget]:
        if alias not in self._pointers:
            folder = f"models/{self.name}/aliases/{alias}"
            self._pointers[alias] = Pointer(self._objects, folder, AliasTarget)
        return self._pointers[alias]

    def _folder(self, version: str) -> str:
        return f"models/{self.name}/versions/{version}"

    def _create(self, key: str, data: bytes) -> None:
        try:
            self._objects.create(key, data)
        except ConflictError:
            if self._objects.read(key) != data:
                raise IntegrityError(f"{key}: exists with other content") from None
