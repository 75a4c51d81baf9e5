"""The model registry: immutable bundles and the aliases that point at them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import Field

from plumbline.bundle.archive import Bundle, digest_of, open_bundle
from plumbline.bundle.errors import IntegrityError
from plumbline.bundle.manifest import MANIFEST, Manifest
from plumbline.bundle.record import Record
from plumbline.bundle.validation import ValidationReport
from plumbline.store.errors import ConflictError, NotFoundError, RefusedError
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer

CHAMPION = "champion"
CHALLENGER = "challenger"
_ALIAS = re.compile(r"[a-z][a-z_-]*")


class AliasTarget(Record):
    """Where an alias points, who moved it and why."""

    version: str
    previous: str | None = Field(None, description="What it pointed at before.")
    actor: str
    reason: str
    time: datetime
    rollback: bool = Field(False, description="Moved back, rather than promoted.")
    forced: bool = Field(False, description="Against the rule that would have refused it.")
    incident: str | None = Field(None, description="The incident it was moved for, if for one.")
    shadow_rows: int | None = Field(
        None, description="Requests it answered in shadow before; None if shadow was skipped."
    )
    retired: bool = Field(False, description="The alias points at nothing since; this was there.")


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

    def uploads(self) -> list[str]:
        """Return every version that has any file at all, complete or not."""
        return self._objects.folders(f"models/{self.name}/versions")

    def resolve(self, text: str) -> str:
        """Return the version meant by an alias, by the first characters of one, or by all of it.

        Raises
        ------
        NotFoundError
            If there is no such version, or several begin so; names what there is.
        """
        head = self.alias(text) if _ALIAS.fullmatch(text) else None
        if head is not None:
            return head.value.version
        versions = self.uploads()
        found = [text] if text in versions else [v for v in versions if v.startswith(text)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            raise NotFoundError(f"{text!r} could be any of {', '.join(found)}: give more of it")
        known = ", ".join(versions) or "none"
        change = (
            ": name one of them, or make one the champion with `plumbline models promote`"
            if text == "champion" and versions
            else ""
        )
        raise NotFoundError(
            f"model {self.name} has no version or alias {text!r}; it has {known}{change}"
        )

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
        return open_bundle(version, lambda name: self._read(version, name))

    def manifest(self, version: str) -> Manifest:
        """Read the manifest alone, unverified; for listings.

        Raises
        ------
        BundleError
            If it is missing or unreadable.
        """
        return Manifest.from_json(self._read(version, MANIFEST), source=MANIFEST)

    def validation(self, version: str) -> ValidationReport:
        """Read the gate's evidence alone, unverified; for listings. Raises as `manifest`."""
        name = "validation.json"
        return ValidationReport.from_json(self._read(version, name), source=name)

    def aliases(self) -> list[str]:
        """Return the names of the aliases there are."""
        return self._objects.folders(f"models/{self.name}/aliases")

    def alias(self, alias: str = CHAMPION) -> Generation[AliasTarget] | None:
        """Return where an alias points now, or None."""
        head = self._pointer(alias).newest()
        return None if head is None or head.value.retired else head

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
        incident: str | None = None,
        shadow_rows: int | None = None,
    ) -> Generation[AliasTarget]:
        """Point an alias at a version that verifies and whose gate passed.

        Parameters
        ----------
        version, actor, reason, alias
            What, by whom, why, and which alias.
        force
            Promote although the gate refused; goes on record.
        expected
            The generation the decision was based on; the present head by default.
        incident
            The incident that is repaired by it, if it is one.
        shadow_rows
            How many requests it answered in shadow before; None goes on record as skipped.

        Raises
        ------
        BundleError, NotFoundError
            If the bundle does not verify.
        RefusedError
            If its validation report did not pass and ``force`` is off, or if it is to be the
            challenger of itself or of nobody.
        ConflictError
            If another promoter was first.
        """
        if alias == CHALLENGER:
            self._refuse_challenger(version)
        report = self.open(version).validation
        if not report.passed and not force:
            why = "; ".join(report.reasons) or report.verdict.value
            raise RefusedError(f"{self.name} {version} did not pass its gate: {why}")
        forced = "" if report.passed else " (forced: the gate refused it)"
        target = AliasTarget(
            version=version,
            actor=actor,
            reason=reason + forced,
            time=datetime.now(UTC),
            forced=not report.passed,
            incident=incident,
            shadow_rows=shadow_rows,
        )
        return self._move(alias, target, expected)

    def retire(
        self,
        *,
        actor: str,
        reason: str,
        alias: str = CHALLENGER,
        expected: int | None = None,
        incident: str | None = None,
    ) -> Generation[AliasTarget]:
        """Point an alias at nothing; what it pointed at stays in its history.

        Raises
        ------
        NotFoundError
            If it points at nothing already.
        RefusedError
            If it is the champion: a model that has served goes on to.
        ConflictError
            If somebody moved it meanwhile.
        """
        if alias == CHAMPION:
            raise RefusedError(f"the {CHAMPION} of {self.name} is replaced, never retired")
        head = self.alias(alias)
        if head is None:
            raise NotFoundError(f"{self.name} has no {alias} to retire")
        target = AliasTarget(
            version=head.value.version,
            actor=actor,
            reason=reason,
            time=datetime.now(UTC),
            incident=incident,
            retired=True,
        )
        return self._move(alias, target, head.number if expected is None else expected)

    def rollback(
        self,
        *,
        actor: str,
        reason: str,
        alias: str = CHAMPION,
        to: str | None = None,
        force: bool = False,
        incident: str | None = None,
    ) -> Generation[AliasTarget]:
        """Point an alias back at what it was before its last promotion, or at ``to``.

        Two rollbacks in a row go back twice; they never return to what was rolled back from.

        Parameters
        ----------
        actor, reason, alias, incident
            As in `promote`.
        to
            A version that the alias has pointed at, or that passed its gate.
        force
            Go to any version that verifies; goes on record.

        Raises
        ------
        BundleError, NotFoundError
            If that bundle does not verify, or there is nothing to go back to.
        RefusedError
            If ``to`` was never there and did not pass its gate, and ``force`` is off.
        ConflictError
            If another promoter was first.
        """
        moves = self.history(alias)
        trail = _trail([move for move in moves if not move.value.retired])
        if not moves or (to is None and len(trail) < 2):
            raise NotFoundError(f"{self.name} has no earlier {alias} to roll back to")
        version = to or trail[-2]
        report = self.open(version).validation
        known = report.passed or any(move.value.version == version for move in moves)
        if not known and not force:
            raise RefusedError(
                f"{self.name} {version} was never {alias} and did not pass its gate: it is "
                "nothing to go back to; force it if it must be"
            )
        forced = "" if known else f" (forced: it was never {alias} and its gate refused it)"
        target = AliasTarget(
            version=version,
            actor=actor,
            reason=reason + forced,
            time=datetime.now(UTC),
            rollback=True,
            forced=not known,
            incident=incident,
        )
        return self._move(alias, target, moves[-1].number)

    def _move(
        self, alias: str, target: AliasTarget, expected: int | None
    ) -> Generation[AliasTarget]:
        head = self._pointer(alias).newest()
        number = head.number if head else 0
        previous = None if head is None or head.value.retired else head.value.version
        after = number if expected is None else expected
        try:
            moved = target.model_copy(update={"previous": previous})
            return self._pointer(alias).advance(moved, after=after)
        except ConflictError as error:
            raise self._beaten(alias, target.version) from error

    def _refuse_challenger(self, version: str) -> None:
        """Refuse a challenger that has nobody to stand beside."""
        champion = self.alias(CHAMPION)
        if champion is None:
            raise RefusedError(
                f"{self.name} has no {CHAMPION} whose requests a {CHALLENGER} could answer too: "
                f"promote {version} itself"
            )
        if champion.value.version == version:
            raise RefusedError(f"{version} is the {CHAMPION} of {self.name}: it answers already")

    def _beaten(self, alias: str, version: str) -> ConflictError:
        head = self._pointer(alias).newest()
        winner = "the generation it was to follow does not exist"
        if head is not None:
            value = head.value
            winner = f"{value.actor} was first, with {value.version} as generation {head.number}"
        return ConflictError(
            f"{self.name}: {alias} was not pointed at {version}: {winner}; "
            "look at the history and decide again"
        )

    def _read(self, version: str, name: str) -> bytes:
        folder = self._folder(version)
        try:
            return self._objects.read(f"{folder}/{name}")
        except NotFoundError as error:
            if not self._objects.keys(folder):
                raise NotFoundError(f"model {self.name} has no version {version}") from error
            raise IntegrityError(f"{name}: missing from {self.name} {version}") from error

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


def _trail(moves: Sequence[Generation[AliasTarget]]) -> list[str]:
    """Return the versions that lead to the present one: promotions add, rollbacks take away."""
    trail: list[str] = []
    for move in moves:
        version = move.value.version
        if move.value.rollback and version in trail:
            del trail[len(trail) - trail[::-1].index(version) :]
        elif trail[-1:] != [version]:
            trail.append(version)
    return trail
