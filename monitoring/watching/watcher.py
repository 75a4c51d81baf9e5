"""The judge of one version's live stream: start reading here.

Three voices, in this order. *Arithmetic*: are the answers this version's, and the windows the
stream's (`audit/`)? *The input*: is it what it was (`episode.py`)? As long as either objects,
nothing is held against the model, and the rows objected to are never shown to the output detectors.
*The outputs*: do they follow the input as they did? When an output detector alarms, the watcher
collects rows since the onset and asks `diagnosis` what it is. Nothing is said of a model without an
alarm or an exact check, and an alarm that nothing names is `unexplained`, never `healthy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from plumbline.bundle.archive import Bundle
from plumbline.bundle.array import BoolArray
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.exact.facts import Exact
from plumbline.diagnosis.guarantee import guarantee
from plumbline.diagnosis.sample import Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.monitoring.watching.alarms import (
    accused_symbols,
    doubts_columns,
    names_input_fault,
)
from plumbline.monitoring.watching.audit.account import Others
from plumbline.monitoring.watching.audit.auditor import Auditor
from plumbline.monitoring.watching.audit.notice import Notice
from plumbline.monitoring.watching.audit.scope import Covers, everybody
from plumbline.monitoring.watching.audit.tally import Tally
from plumbline.monitoring.watching.detectors.panel import RUN_LENGTH, Measured
from plumbline.monitoring.watching.episode import RECENT_ROWS, Episode, Opening, still_foreign
from plumbline.monitoring.watching.judgement import Judgement, waiting
from plumbline.monitoring.watching.learning import learn
from plumbline.monitoring.watching.schedule import HEALTHY_ROWS, QUIET_ROWS, Looks
from plumbline.monitoring.watching.stream import Accepted, Stream
from plumbline.monitoring.watching.unnamed import unnamed
from plumbline.store.prediction import PredictionBatch

MOST_ROWS = 400
"""Rows that a diagnosis looks at, at most."""

ASKED_EVERY = 20
"""Rows between two inquiries about an alarm."""

DOUBTED_ROWS = 90
"""Rows since the onset before anything is said where the relation of the columns is in doubt."""

PATIENCE = 120
"""Rows since the onset in which an output alarm must find its explanation."""


class Watcher:
    """Judges the rows that one bundle version answered.

    Parameters
    ----------
    bundle
        The version; its reference teaches the detectors what is normal. Watchers of the same
        reference share what was learnt.
    thresholds
        Where a statistic becomes a finding.
    others
        Opens other versions, to say whose answers a faulty server gives.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        thresholds: Thresholds | None = None,
        others: Others | None = None,
    ) -> None:
        self.version = bundle.version
        self._thresholds = thresholds or Thresholds()
        self._context, panel = learn(bundle)
        self._panel = None if panel is None else panel.copy()
        self._stream = Stream(bundle.version, bundle.outputs, kept=MOST_ROWS)
        self._auditor = Auditor(bundle, self._context, others=others)
        self._promise = guarantee(self._context.baseline, run_length=RUN_LENGTH)
        self._columns: dict[str, tuple[str, ...]] = {}
        self._looks = Looks()
        self._row = -1
        self._sound = 0
        self._begun = False
        self._asked_at = 0
        self._episode: Episode | None = None
        self._client_notice: Notice | None = None
        self._artefact: Judgement | None = None
        self._input: Judgement | None = None
        self._model = waiting()
        self._innate: Judgement | None = None
        self._looked = self._model

    @property
    def tally(self) -> Tally:
        """How many rows were checked by arithmetic, and how many came out otherwise."""
        return self._auditor.tally

    @property
    def baseline(self) -> Baseline | None:
        """The measured reference; None if it is too short to measure."""
        return self._context.baseline

    @property
    def rows(self) -> int:
        """Rows judged, retries and stragglers left out."""
        return self._row + 1

    @property
    def judgement(self) -> Judgement:
        """The present verdict, with the present evidence."""
        return replace(self._current, rows=self.rows, evidence=self._evidence())

    @property
    def measured(self) -> Judgement:
        """The newest look: findings and the evidence of the same moment, at its `rows`."""
        return self._artefact or self._input or self._looked

    @property
    def next_look(self) -> int | None:
        """How many more sound rows there must be before it looks again; None while it does not."""
        if self._artefact is not None or self._episode is not None:
            return None
        if self._model.verdict.facts.of_model:
            return None
        due = self._due - self._since if self._alarmed else self._looks.due - self._sound
        return max(due, 1)

    @property
    def _current(self) -> Judgement:
        return self._artefact or self._input or self._model

    def accept_inputs(self, covers: Covers = everybody) -> None:
        """Take the inputs of some as they are now for right: a client's change is accepted."""
        self._client_notice = self._auditor.accept(covers)
        if self._episode is not None and self._episode.opening is Opening.ARITHMETIC:
            self._end_episode(forget=False)
            if self._client_notice is not None:
                self._open_by_arithmetic(self._client_notice, self._stream.prediction_id(self._row))

    def forget(self) -> None:
        """Hold nothing that came so far against the model: what it was shown was wrong."""
        self._stream.forget_sound()
        self._sound, self._asked_at, self._looks = 0, 0, Looks()
        self._model = self._looked = self._innate or waiting()
        if self._panel is not None:
            self._panel.reset()

    def feed(self, batch: PredictionBatch) -> list[Judgement]:
        """Take rows, oldest first, and return one judgement for each change of the verdict.

        Rows of other versions are left out. What the detectors say does not depend on
        how the rows are cut into batches.
        """
        self._stream.hold(self._in_question())
        accepted = self._stream.accept(batch)
        if len(accepted.own) == 0:
            return []
        notices = self._auditor.take(accepted.own)
        found: list[Judgement] = []
        self._walk(accepted, notices, found)
        return found

    # -- row by row

    def _walk(self, accepted: Accepted, notices: Sequence[Notice], found: list[Judgement]) -> None:
        """Take the ordered rows in stretches, each up to where something may be said."""
        n, i = len(accepted.ordered), 0
        due = [(int(accepted.place[notice.place]), notice) for notice in notices]
        measured = None
        if n and self._panel is not None:
            measured = self._panel.measure(self._stream.newest_piece())
        while i < n or due:
            before = self._current
            if due and due[0][0] <= i:
                self._heed(due[0][1], str(accepted.own.prediction_id[due.pop(0)[1].place]))
            else:
                stop = min(n, i + self._stride(), due[0][0] if due else n)
                i = self._stretch(measured, i, stop)
                self._ask()
            if self._current is not before:
                found.append(self._current)

    def _stride(self) -> int:
        """How many rows may be taken before something must be asked."""
        if self._episode is not None:
            return self._episode.pending
        if self._artefact is not None or self._model.verdict.facts.of_model:
            return 10**9
        due = self._due - self._since if self._alarmed else self._looks.due - self._sound
        return max(due, 1)

    def _stretch(self, measured: Measured | None, i: int, stop: int) -> int:
        """Take rows up to ``stop``, or to the first alarm before it; return where it ended."""
        holds = self._artefact is None and self._episode is None
        broken: BoolArray = np.zeros(stop - i, bool)
        alarm = None
        if self._panel is not None and measured is not None:
            stop = self._panel.advance(measured, i, stop, outputs=holds)
            broken = measured.broken[i:stop]
            alarm = self._panel.alarm
        self._row += stop - i
        if alarm == "input" and names_input_fault(self._evidence()):
            self._alarm(measured, stop - 1)
        elif self._episode is not None:
            if self._episode.endure(broken, self._stream.symbols(stop - len(broken), stop)):
                self._try_ending(self._episode)
        elif holds:
            self._stream.mark_sound(i, stop, ~broken)
            self._sound += int((~broken).sum())
        return stop

    # -- the input

    def _alarm(self, measured: Measured | None, place: int) -> None:
        """Open an episode, or give it another name, at the row at which a detector alarmed."""
        if self._panel is None or measured is None:
            return
        self._columns = self._panel.culprits(measured, place, self._context.features)
        since = self._panel.since_input_onset
        accused = self._accused("input")
        rows = self._stream.newest(max(since, 1), self._row + 1, accused)
        diagnosis = self._diagnose(rows)
        episode = self._episode
        if episode is not None and (
            episode.verdict is diagnosis.verdict or episode.opening is Opening.ARITHMETIC
        ):
            episode.take_in(accused)
            episode.go_on()
            return
        self._episode = Episode(diagnosis.verdict, Opening.ALARM, accused)
        self._input = self._judgement(diagnosis, since, accused)

    def _try_ending(self, episode: Episode) -> None:
        """End an episode after clean rows enough, unless the columns are still foreign."""
        if episode.take_in(self._accused("input")):
            return
        self._columns = {}
        if self._panel is not None:
            self._panel.reset_inputs()
        if episode.opening is Opening.RELATION and still_foreign(
            self._diagnose(
                self._stream.newest(2 * RECENT_ROWS, self._row + 1, episode.symbols), alone=True
            )
        ):
            episode.go_on()
        elif self._client_notice is not None:
            self._open_by_arithmetic(self._client_notice, self._stream.prediction_id(self._row))
        else:
            self._end_episode(forget=episode.opening is Opening.RELATION)

    def _end_episode(self, *, forget: bool) -> None:
        self._episode = self._input = None
        self._columns = {}
        self._model = self._judgement(self._model.diagnosis, self._model.detected_after)
        if forget:
            self._stream.forget_sound()
        if self._panel is not None:
            self._panel.reset()

    def _open_by_arithmetic(self, notice: Notice, prediction_id: str) -> None:
        self._episode = Episode(notice.verdict, Opening.ARITHMETIC)
        self._input = self._of_notice(notice, prediction_id)

    # -- arithmetic

    def _heed(self, notice: Notice, prediction_id: str) -> None:
        """Take in what the exact checks say."""
        if notice.verdict is Verdict.ARTEFACT_FAULT:
            self._artefact = None if notice.ended else self._of_notice(notice, prediction_id)
            if notice.ended:
                self._model = self._judgement(self._model.diagnosis, self._model.detected_after)
            if self._panel is not None:
                self._panel.reset_outputs()
        elif notice.verdict.facts.of_input:
            self._client_notice = None if notice.ended else notice
            if self._episode is None and not notice.ended:
                self._open_by_arithmetic(notice, prediction_id)
            elif (
                notice.ended
                and self._episode is not None
                and self._episode.opening is Opening.ARITHMETIC
            ):
                self._end_episode(forget=False)
        else:
            self._model = self._innate = self._looked = self._of_notice(notice, prediction_id)

    def _of_notice(self, notice: Notice, prediction_id: str) -> Judgement:
        findings = () if notice.finding is None else (notice.finding,)
        findings, n = (*findings, self._promise), max(notice.since, 1)
        diagnosis = Diagnosis(verdict=notice.verdict, cause=notice.cause, findings=findings, n=n)
        return Judgement(
            diagnosis,
            prediction_id,
            notice.since,
            self.rows,
            self._evidence(),
            **self._times(notice.since),
        )

    # -- the outputs

    @property
    def _alarmed(self) -> bool:
        """Whether a detector accuses the model, or doubts the columns."""
        return self._panel is not None and (
            self._panel.since_onset > 0 or self._panel.since_input_onset > 0
        )

    @property
    def _since(self) -> int:
        """Rows since the onset of the output alarm, or else of the doubt."""
        if self._panel is None:
            return 0
        return self._panel.since_onset or self._panel.since_input_onset

    @property
    def _due(self) -> int:
        """Rows since the onset at which to inquire next."""
        first = DOUBTED_ROWS if doubts_columns(self._evidence()) else RECENT_ROWS
        return max(first, self._asked_at + ASKED_EVERY)

    def _ask(self) -> None:
        """Judge the sound rows, if it is time to."""
        if self._artefact is not None or self._episode is not None:
            return
        if self._model.verdict.facts.of_model:
            return
        if self._alarmed:
            self._inquire()
            return
        self._asked_at = 0
        if self._sound >= max(self._looks.due, HEALTHY_ROWS):
            self._looks.taken(self._sound)
            found = self._diagnose(self._stream.sound(MOST_ROWS, self._row + 1))
            self._looked = self._judgement(found, 0)
            self._settle(found, 0)

    def _inquire(self) -> None:
        """Find out what an alarm is about."""
        panel = self._panel
        if panel is None:
            return
        doubt, since = panel.since_onset == 0, self._since
        self._asked_at *= since >= self._asked_at  # else another alarm than the last one
        if since < self._due:
            return
        self._asked_at = since
        accused = self._accused("input" if doubt else "output")
        last = self._named(since, accused)
        if last is None or since < PATIENCE:
            return
        if not doubt and last.verdict in (Verdict.HEALTHY, Verdict.INSUFFICIENT_DATA):
            exact = self._auditor.exact(accused)
            begun = self._begun or not doubts_columns(self._evidence())
            probed = self._auditor.probe()
            said = unnamed(last, self._evidence(), exact, probed, since=since, begun=begun)
            self._settle(said, since)
            self._looks.wait(self._sound, QUIET_ROWS)
        panel.reset_outputs()
        panel.reset_inputs()

    def _named(self, since: int, accused: tuple[str, ...]) -> Diagnosis | None:
        """Settle on what the rules find in the rows since the onset; else return what they say."""
        last: Diagnosis | None = None
        for rows in dict.fromkeys((min(since, MOST_ROWS), RECENT_ROWS)):
            sample = self._stream.sound(rows, self._row + 1, accused)
            diagnosis = self._diagnose(sample, self._auditor.exact(accused))
            self._looked = self._judgement(diagnosis, since)
            if diagnosis.verdict.facts.of_model or diagnosis.verdict.facts.of_input:
                self._settle(diagnosis, since, accused)
                return None
            last = last or diagnosis
        if last is not None and last.verdict in (Verdict.REGIME, Verdict.DRIFT):
            self._settle(last, 0)
        return last

    def _settle(self, diagnosis: Diagnosis, since: int, symbols: tuple[str, ...] = ()) -> None:
        """Make a diagnosis of sound rows the verdict, if it changes anything."""
        if diagnosis.verdict.facts.of_input:
            self._episode = Episode(diagnosis.verdict, Opening.RELATION, symbols)
            self._input = self._judgement(diagnosis, since or RECENT_ROWS, symbols)
        elif diagnosis.verdict in (Verdict.INSUFFICIENT_DATA, self._model.verdict):
            self._looks.undrifted *= diagnosis.verdict is Verdict.INSUFFICIENT_DATA
        elif not self._looks.drift_lingers(self._model.verdict, diagnosis.verdict):
            self._model = self._judgement(diagnosis, since, symbols)
            self._begun |= diagnosis.verdict.facts.well

    def _accused(self, subject: str) -> tuple[str, ...]:
        return accused_symbols(self._evidence(), subject)

    def _in_question(self) -> tuple[str, ...]:
        """Return the symbols whose rows are needed for the next inquiry."""
        if self._episode is not None:
            return self._episode.symbols
        if not self._alarmed:
            return ()
        return (*self._accused("output"), *self._accused("input"))

    def _diagnose(
        self, rows: Sample | None, exact: Exact | None = None, *, alone: bool = False
    ) -> Diagnosis:
        if rows is None:
            return waiting().diagnosis
        evidence = () if alone else self._evidence()
        diagnosis = diagnose(
            rows,
            self._context,
            evidence,
            exact=exact or Exact(),
            thresholds=self._thresholds,
        )
        findings = (*diagnosis.findings, *self._auditor.findings(), self._promise)
        return diagnosis.model_copy(update={"findings": findings})

    def _judgement(
        self, diagnosis: Diagnosis, detected_after: int, symbols: tuple[str, ...] = ()
    ) -> Judgement:
        return Judgement(
            diagnosis=diagnosis,
            decided_by=self._stream.prediction_id(self._row),
            detected_after=detected_after,
            rows=self.rows,
            evidence=self._evidence(),
            **self._times(detected_after, symbols),
        )

    def _times(self, since: int, symbols: tuple[str, ...] = ()) -> dict[str, datetime | None]:
        """Return when the present row and the onset so many rows before were answered."""
        answered = self._stream.answered
        decided = answered(1, self.rows)
        return {"decided": decided, "onset": answered(since, self.rows, symbols)}

    def _evidence(self) -> tuple[Evidence, ...]:
        return () if self._panel is None else self._panel.evidence(self._columns)
