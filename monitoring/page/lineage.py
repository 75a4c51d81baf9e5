"""The newest versions of a model, with where each comes from and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from plumbline.bundle.errors import BundleError
from plumbline.bundle.finding import Verdict
from plumbline.bundle.record import Record
from plumbline.monitoring.page.holdings import Move, RunLink, VersionLine
from plumbline.store.board import verdict_board
from plumbline.store.objects import Objects
from plumbline.store.pointer import Generation, Pointer
from plumbline.store.registry import CHALLENGER, CHAMPION, AliasTarget, ModelRegistry

MAX_VERSIONS = 20
MAX_MOVES = 100
"""Of the champion and of the verdict board that are read, the newest."""

MAX_READ = 50
"""Manifests read at one look; of a model with thousands the rest come with the next ones."""

R = TypeVar("R", bound=Record)


class Lineage:
    """Reads each manifest, move and bulletin once: they never change."""

    def __init__(self, objects: Objects, model: str) -> None:
        self._registry = ModelRegistry(objects, model)
        self._moves = _Newest(Pointer(objects, f"models/{model}/aliases/{CHAMPION}", AliasTarget))
        self._board = _Newest(verdict_board(objects, model))
        self._lines: dict[str, VersionLine] = {}

    def moves(self) -> tuple[Move, ...]:
        """Return the newest moves of the champion, oldest first."""
        return tuple(
            Move(
                version=move.version,
                time=move.time,
                actor=move.actor,
                reason=move.reason,
                rollback=move.rollback,
                incident=move.incident,
            )
            for move in self._moves.read()
        )

    def versions(self, runs: Iterable[RunLink]) -> tuple[tuple[VersionLine, ...], int]:
        """Return the newest versions, newest first, and how many older ones there are."""
        moves = {move.version: move for move in self._moves.read()}
        kinds = {run.version: run.kind for run in runs if run.version}
        uploads = self._registry.uploads()
        lines = self._read(uploads, first={*moves, *kinds})
        lines.sort(key=lambda line: (line.created is not None, line.created or 0), reverse=True)
        said = {bulletin.version: bulletin.diagnosis.verdict for bulletin in self._board.read()}
        roles = self._roles(moves)
        shown = tuple(
            _told(line, roles.get(line.version, ""), said, moves, kinds)
            for line in lines[:MAX_VERSIONS]
        )
        return shown, len(uploads) - len(shown)

    def _read(self, versions: list[str], first: set[str]) -> list[VersionLine]:
        """Return the lines of these versions that have been read, some more than last time."""
        unread = [version for version in versions if version not in self._lines]
        unread.sort(key=lambda version: version not in first)
        fresh = [self._line(version) for version in unread[:MAX_READ]]
        known = [self._lines[version] for version in versions if version in self._lines]
        return [*known, *(line for line in fresh if line.problem)]

    def _roles(self, moves: Iterable[str]) -> dict[str, str]:
        roles = dict.fromkeys(moves, "former champion")
        for alias, role in ((CHALLENGER, "in shadow"), (CHAMPION, "champion")):
            head = self._registry.alias(alias)
            if head is not None:
                roles[head.value.version] = role
        return roles

    def _line(self, version: str) -> VersionLine:
        if version not in self._lines:
            try:
                manifest = self._registry.manifest(version)
                report = self._registry.validation(version)
            except BundleError as error:  # perhaps it is still being uploaded
                return VersionLine(version=version, problem=str(error))
            self._lines[version] = VersionLine(
                version=version,
                created=manifest.created,
                parent=manifest.parent,
                family=manifest.family,
                passed=report.passed,
                gate=report.verdict,
                why="; ".join(report.reasons),
            )
        return self._lines[version]


class _Newest(Generic[R]):
    """The newest generations of a pointer, each read once."""

    def __init__(self, pointer: Pointer[R]) -> None:
        self._pointer = pointer
        self._known: list[Generation[R]] = []

    def read(self) -> list[R]:
        """Return the values, oldest first."""
        known = self._known[-1].number if self._known else 0
        head = self._pointer.newest()
        if head is not None and head.number > known:
            self._known += self._pointer.since(max(known, head.number - MAX_MOVES))
            del self._known[:-MAX_MOVES]
        return [each.value for each in self._known]


def _told(
    line: VersionLine,
    role: str,
    said: dict[str, Verdict],
    moves: dict[str, AliasTarget],
    kinds: dict[str, str],
) -> VersionLine:
    """Return a line with all that has come of the version since."""
    move = moves.get(line.version)
    kind = kinds.get(line.version, "")
    why = line.why
    if move is not None:
        why = f"{'rolled back to' if move.rollback else 'promoted'} by {move.actor}: {move.reason}"
    elif not line.passed and why:
        why = f"refused: {why}"
    return line.model_copy(
        update={
            "role": role,
            "verdict": said.get(line.version),
            "incident": move.incident if move else None,
            "why": f"{kind}; {why}" if kind and why else kind or why,
        }
    )
