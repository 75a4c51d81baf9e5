"""The judge of one version's live stream: row by row, whatever the batches.

Two questions are kept apart. *Is the input what it was?* The `InputGuard` answers within a few
rows; as long as it objects, nothing is held against the model, and the rows it objects to are
never shown to the output detectors. *Do the outputs follow it as they did?* When an output detector
alarms, the watcher waits for enough rows since the onset and asks `diagnosis` what it is. The
answer stands until another version serves: a collapsed model does not recover by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis, Verdict
from plumbline.diagnosis.baseline import Baseline
from plumbline.diagnosis.diagnose import diagnose
from plumbline.diagnosis.evidence import Evidence
from plumbline.diagnosis.guarantee import guarantee
from plumbline.diagnosis.sample import Context
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.panel import RUN_LENGTH, Measured, Panel
from plumbline.monitoring.watching.episode import RECENT_ROWS, InputGuard
from plumbline.monitoring.watching.stream import Stream
from plumbline.store.prediction import PredictionBatch

HEALTHY_ROWS = 100
"""Clean rows before a stream is called healthy."""

JUDGED_EVERY = 50
"""Clean rows between two looks at a stream in which no detector has alarmed."""

ASKED_EVERY = 20
"""The same once one has."""

PATIENCE = 200
"""Clean rows in which an alarm must find its explanation; then the evidence starts anew."""

MOST_ROWS = 400


@dataclass(frozen=True)
class Judgement:
    """A verdict, and the row that decided it.

    Attributes
    ----------
    diagnosis
        The verdict, its findings and its cause.
    decided_by
        Prediction id of the row at which it was reached; None before any row.
    detected_after
        Rows from the estimated onset to that row, both included; 0 where nothing is the matter.
    rows
        Rows of the version judged until then, retries left out.
    evidence
        Of every detector.
    """

    diagnosis: Diagnosis
    decided_by: str | None
    detected_after: int
    rows: int
    evidence: tuple[Evidence, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict alone."""
        return self.diagnosis.verdict


class Watcher:
    """Judges the rows that one bundle version answered.

    Parameters
    ----------
    bundle
        The version; its reference teaches the detectors what is normal. Watchers of the same
        reference share what was learnt.
    thresholds
        Where a statistic becomes a finding.
    """

    def __init__(self, bundle: Bundle, *, thresholds: Thresholds | None = None) -> None:
        self.version = bundle.version
        self._thresholds = thresholds or Thresholds()
        self._context, panel = _learn(_Source(_key(bundle), bundle))
        self._panel = None if panel is None else panel.copy()
        self._stream = Stream(bundle.version, bundle.outputs, kept=MOST_ROWS)
        self._promise = guarantee(self._context.baseline, run_length=RUN_LENGTH)
        self._guard = InputGuard(self._panel, self._context.features, self._diagnose)
        self._row = -1
        self._clean: deque[int] = deque(maxlen=MOST_ROWS)
        self._n_clean = 0
        self._alarmed_at: int | None = None
        self._asked_at = 0
        self._model = _waiting()
        self._current = self._model

    @property
    def baseline(self) -> Baseline | None:
        """The measured reference; None if it is too short to measure."""
        return self._context.baseline

    @property
    def rows(self) -> int:
        """Rows judged, retries left out."""
        return self._row + 1

    @property
    def judgement(self) -> Judgement:
        """The present verdict, with the present evidence."""
        return replace(self._current, rows=self.rows, evidence=self._evidence())

    def feed(self, batch: PredictionBatch) -> list[Judgement]:
        """Take rows, oldest first, and return one judgement for each change of the verdict.

        Rows of other versions and retries are left out. The outcome does not depend on how the rows
        are cut into batches.
        """
        accepted = self._stream.accept(batch)
        if len(accepted) == 0:
            return []
        first = self.rows
        sample = self._stream.sample(range(first, first + len(accepted)))
        measured = None if self._panel is None else self._panel.measure(sample)
        found: list[Judgement] = []
        for i in range(len(accepted)):
            before = self._current
            self._row += 1
            self._step(measured, i)
            if self._current is not before:
                found.append(self._current)
        return found

    def _step(self, measured: Measured | None, i: int) -> None:
        """Take one row: inputs first, and the model only while they are sound."""
        said = self._guard.step(measured, i, self._row)
        if said.opened is not None:
            self._current = self._judgement(said.opened, said.since)
        elif said.ended:
            if said.forget:
                self._clean.clear()
            before = self._model
            self._model = self._current = self._judgement(before.diagnosis, before.detected_after)
        elif said.sound:
            self._take(measured, i)

    def _take(self, measured: Measured | None, i: int) -> None:
        """Show a clean row to the output detectors, and judge the model if it is time to."""
        self._clean.append(self._row)
        self._n_clean += 1
        if self._panel is not None and measured is not None:
            self._panel.step_outputs(measured, i)
        if not self._model.verdict.facts.of_model:
            self._ask()

    def _ask(self) -> None:
        """Judge the outputs, if it is time to."""
        since = 0 if self._panel is None else self._panel.since_onset
        if since == 0:
            self._alarmed_at = None
            if self._n_clean >= HEALTHY_ROWS and self._n_clean % JUDGED_EVERY == 0:
                self._settle(self._diagnose(self._newest(MOST_ROWS)), detected_after=0)
            return
        if self._alarmed_at is None:
            self._alarmed_at, self._asked_at = self._n_clean, 0
        if since < RECENT_ROWS or self._n_clean - self._asked_at < ASKED_EVERY:
            return
        self._asked_at = self._n_clean
        for rows in dict.fromkeys((min(since, MOST_ROWS), RECENT_ROWS)):
            diagnosis = self._diagnose(self._newest(rows))
            if diagnosis.verdict.facts.of_model or diagnosis.verdict.facts.of_input:
                self._settle(diagnosis, detected_after=since)
                return
        if self._n_clean - self._alarmed_at >= PATIENCE and self._panel is not None:
            self._panel.reset_outputs()

    def _settle(self, diagnosis: Diagnosis, *, detected_after: int) -> None:
        """Make a diagnosis of clean rows the verdict, if it changes anything."""
        if diagnosis.verdict.facts.of_input:
            self._guard.begin(diagnosis.verdict)
            self._current = self._judgement(diagnosis, detected_after or RECENT_ROWS)
            return
        if diagnosis.verdict is Verdict.INSUFFICIENT_DATA:
            return
        if diagnosis.verdict is not self._model.verdict:
            collapsed = diagnosis.verdict.facts.of_model
            after = detected_after or (len(self._clean) if collapsed else 0)
            self._model = self._current = self._judgement(diagnosis, after)

    def _newest(self, rows: int) -> Sequence[int]:
        return list(self._clean)[-rows:]

    def _diagnose(self, rows: Sequence[int]) -> Diagnosis:
        diagnosis = diagnose(
            self._stream.sample(rows),
            self._context,
            self._evidence(),
            thresholds=self._thresholds,
        )
        return diagnosis.model_copy(update={"findings": (*diagnosis.findings, self._promise)})

    def _judgement(self, diagnosis: Diagnosis, detected_after: int) -> Judgement:
        return Judgement(
            diagnosis=diagnosis,
            decided_by=self._stream.prediction_id(self._row),
            detected_after=detected_after,
            rows=self.rows,
            evidence=self._evidence(),
        )

    def _evidence(self) -> tuple[Evidence, ...]:
        return self._guard.evidence()


def _waiting() -> Judgement:
    diagnosis = Diagnosis(
        verdict=Verdict.INSUFFICIENT_DATA,
        cause=f"Fewer than {HEALTHY_ROWS} predictions of this version have been seen.",
        n=0,
    )
    return Judgement(diagnosis, decided_by=None, detected_after=0, rows=0)


@dataclass(frozen=True)
class _Source:
    """A bundle, equal to every other whose reference, decisions and detectors are the same."""

    key: tuple[str, ...]
    bundle: Bundle = field(compare=False)


def _key(bundle: Bundle) -> tuple[str, ...]:
    manifest = bundle.manifest
    return (
        manifest.files["reference.npz"].sha256,
        manifest.files["calibration.json"].sha256,
        *manifest.feature_names,
        *(spec.to_json().decode() for spec in manifest.outputs),
        *DETECTORS,
        manifest.policy.to_json().decode(),
    )


@lru_cache(maxsize=8)
def _learn(source: _Source) -> tuple[Context, Panel | None]:
    """Measure a reference and fit the detectors to it, once for all watchers of it."""
    bundle = source.bundle
    context = Context.of(bundle)
    baseline = context.baseline
    return context, None if baseline is None else Panel(baseline, context)
