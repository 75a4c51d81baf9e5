"""Is the input what it was? From the row that shows it is not, to the row that ends the episode.

While the input is broken nothing is held against the model. An episode is opened by an input
detector at the row of its alarm, or by a look at clean rows whose columns no longer relate as they
did. It ends after so many clean rows in a row; one found by relation ends only if the newest rows
relate again, and since nobody can say how many of the rows before it were sound, they are
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.diagnosis.evidence import Evidence
from plumbline.monitoring.watching.detectors.panel import Measured, Panel

CLEAN_ROWS = 20
"""Clean rows in a row before an input verdict is lifted."""

RECENT_ROWS = 60
"""Rows of one stretch: two of them must relate as they did before an episode by relation ends."""

Judge = Callable[[Sequence[int]], Diagnosis]
"""From the numbers of some rows to what is said of them."""


@dataclass(frozen=True)
class InputStep:
    """What one row said of the input.

    Attributes
    ----------
    sound
        Whether the row may be held against the model.
    opened
        The diagnosis, where the row opened an episode or gave it another name.
    since
        Rows from the onset of that episode to this row, both included.
    ended
        Whether the row ended an episode.
    forget
        Whether the clean rows before it are in doubt.
    """

    sound: bool = False
    opened: Diagnosis | None = None
    since: int = 0
    ended: bool = False
    forget: bool = False


_SOUND = InputStep(sound=True)
_BROKEN = InputStep()


@dataclass
class _Episode:
    """A stretch of broken input."""

    verdict: Verdict
    by_relation: bool
    clean: int = 0


class InputGuard:
    """Stands between the rows and the judgement of the model.

    Parameters
    ----------
    panel
        The detectors; None where the reference is too short to have taught them.
    features
        Names of the columns.
    judge
        Says what is the matter with some rows.
    """

    def __init__(self, panel: Panel | None, features: Sequence[str], judge: Judge) -> None:
        self._panel = panel
        self._features = features
        self._judge = judge
        self._episode: _Episode | None = None
        self._columns: dict[str, tuple[str, ...]] = {}

    @property
    def open(self) -> bool:
        """Whether the input is thought to be broken."""
        return self._episode is not None

    def evidence(self) -> tuple[Evidence, ...]:
        """Return the state of every detector, with the columns that it objects to."""
        return () if self._panel is None else self._panel.evidence(self._columns)

    def step(self, measured: Measured | None, i: int, row: int) -> InputStep:
        """Take one row.

        Parameters
        ----------
        measured
            A batch; None without a panel.
        i
            Place of the row in it.
        row
            Number of the row in the stream, by which `judge` knows it.
        """
        broken = False
        if self._panel is not None and measured is not None:
            broken = bool(measured.broken[i])
            if self._panel.step_inputs(measured, i):
                self._columns = self._panel.culprits(measured, i, self._features)
                return self._alarm(self._panel.since_input_onset, row)
        if self._episode is not None:
            return self._endure(self._episode, row, broken=broken)
        return _BROKEN if broken else _SOUND

    def begin(self, verdict: Verdict) -> None:
        """Open an episode that a look at clean rows has found."""
        self._episode = _Episode(verdict, by_relation=True)

    def _alarm(self, since: int, row: int) -> InputStep:
        """Judge the input at the row at which one of its detectors alarmed."""
        diagnosis = self._judge(range(row + 1 - since, row + 1))
        if self._episode is not None and self._episode.verdict is diagnosis.verdict:
            self._episode.clean = 0
            return _BROKEN
        self._episode = _Episode(diagnosis.verdict, by_relation=False)
        return InputStep(opened=diagnosis, since=since)

    def _endure(self, episode: _Episode, row: int, *, broken: bool) -> InputStep:
        """Wait for the input to be sound again."""
        episode.clean = 0 if broken else episode.clean + 1
        if episode.clean < CLEAN_ROWS:
            return _BROKEN
        self._columns = {}
        if self._panel is not None:
            self._panel.reset_inputs()
        if episode.by_relation:
            newest = range(max(0, row + 1 - 2 * RECENT_ROWS), row + 1)
            if _objected(self._judge(newest)):
                episode.clean = 0
                return _BROKEN
        self._episode = None
        if self._panel is not None:
            self._panel.reset()
        return InputStep(ended=True, forget=episode.by_relation)


def _objected(diagnosis: Diagnosis) -> bool:
    """Whether some columns are still not what they were, whatever the verdict."""
    return diagnosis.verdict.facts.of_input or any(
        each.columns for each in diagnosis.findings if each.name == "foreign_columns"
    )
