"""Watches what predictions of one version were worth, as their outcomes come.

`feed` takes predictions as they are read from the log, `outcomes` what became of them, `settle`
lets time pass. None of it reads a clock or a store, and nothing depends on how rows are cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from plumbline.bundle.archive import Bundle
from plumbline.bundle.finding import Diagnosis, Finding, Level
from plumbline.bundle.verdict import Remedy, Verdict
from plumbline.diagnosis.outcomes.bet import Inquiry
from plumbline.diagnosis.outcomes.settled import Settled
from plumbline.diagnosis.outcomes.skill import OutputSkill, watched
from plumbline.monitoring.watching.skill.join import Join, Ready
from plumbline.monitoring.watching.skill.ledger import CAPACITY, Ledger
from plumbline.monitoring.watching.skill.report import (
    OutputReport,
    SkillEvidence,
    SkillFigure,
    SkillReport,
)
from plumbline.store.outcome import OutcomeBatch
from plumbline.store.prediction import PredictionBatch

FIGURE_ROWS = 20_000
"""Newest rows with a known truth that figures are made of."""


class SkillWatch:
    """The skill of one version.

    Parameters
    ----------
    bundle
        The version; what its reference gained on its truths is what outcomes are held against.
    capacity
        Predictions that are kept for their outcomes.
    """

    def __init__(self, bundle: Bundle, *, capacity: int = CAPACITY) -> None:
        self._bundle = bundle
        self._ledger = Ledger(bundle.manifest, bundle.outputs, capacity=capacity)
        self._join = Join(bundle.manifest, bundle.outputs, self._ledger)
        self._skills: dict[int, OutputSkill] = {}
        self._decided: Diagnosis | None = None
        self._changed = True
        self._report = self._describe()

    def feed(self, rows: PredictionBatch) -> None:
        """Take predictions, oldest first; those of other versions are left out."""
        own = rows.take(rows.version == self._bundle.version)
        if len(own):
            self._join.add(own)
            self._changed = True

    def outcomes(self, batch: OutcomeBatch) -> None:
        """Take outcomes in the order in which they arrived."""
        if len(batch) or batch.from_future:
            self._changed = True
            self._bet(self._join.take(batch))

    def settle(self, now: int) -> None:
        """Let it be so late, microseconds: moments that have waited long enough are bet on."""
        self._bet(self._join.settle(now))

    def judgement(self) -> Diagnosis | None:
        """Return what outcomes say is the matter; None as long as that is nothing.

        It stands until another version serves.
        """
        said = [(skill.verdict, place) for place, skill in self._skills.items() if skill.verdict]
        if not said:
            return None
        verdict, place = min(said, key=lambda each: (_ORDER.index(each[0]), each[1]))
        if self._decided is None or self._decided.verdict is not verdict:
            self._decided = self._diagnose(verdict, place)
        return self._decided

    @property
    def report(self) -> SkillReport:
        """What outcomes have shown so far."""
        if self._changed:
            self._report, self._changed = self._describe(), False
        return self._report

    def _bet(self, moments: Iterable[Ready]) -> None:
        for place, slots, truth in moments:
            skill = self._skill(place)
            if skill is not None:
                skill.take(self._ledger.settled(place, slots, truth))
                self._changed = True

    def _skill(self, place: int) -> OutputSkill | None:
        """Return the watch over an output, made when its first outcome comes."""
        name = self._bundle.outputs.names[place]
        if place not in self._skills and name in watched(self._bundle):
            self._skills[place] = OutputSkill(self._bundle, name)
        return self._skills.get(place)

    def _diagnose(self, verdict: Verdict, place: int) -> Diagnosis:
        skill, name = self._skills[place], self._bundle.outputs.names[place]
        report = self._of_output(place)
        named = name if len(self._skills) > 1 else ""
        of = f" of {name}" if named else ""
        return Diagnosis(
            verdict=verdict,
            remedy=Remedy.CALL if verdict is Verdict.NO_SIGNAL else verdict.facts.remedy,
            cause=_CAUSES[verdict].format(of=of, moments=f"{skill.moments:,}")
            + f" {_said(report, verdict)}",
            findings=(
                *(_evidence(each, inquiry, named) for each, inquiry in skill.inquiries.items()),
                *(figure.finding(named) for figure in report.figures),
            ),
            n=skill.rows,
        )

    def _describe(self) -> SkillReport:
        decided = self.judgement()
        return SkillReport(
            version=self._bundle.version,
            counts=dict(self._join.counts),
            verdict=decided.verdict.value if decided else None,
            outputs=tuple(self._of_output(place) for place in sorted(self._skills)),
        )

    def _of_output(self, place: int) -> OutputReport:
        skill = self._skills[place]
        rows = self._ledger.settled(place, self._ledger.known(place, FIGURE_ROWS))
        return OutputReport(
            output=self._bundle.outputs.names[place],
            rows=skill.rows,
            moments=skill.moments,
            waiting=self._ledger.waiting(place),
            promised=skill.promise.moments,
            figures=_figures(skill, rows),
            evidence=tuple(
                SkillEvidence(
                    verdict=verdict.value,
                    log_e=inquiry.log_e,
                    threshold=inquiry.threshold,
                    alarmed=inquiry.alarmed,
                )
                for verdict, inquiry in skill.inquiries.items()
            ),
        )


def _figures(skill: OutputSkill, rows: Settled) -> tuple[SkillFigure, ...]:
    """Return what bets were made on, with intervals, and behind it what is of all rows at once."""
    values = skill.figures(rows)
    gains = {**skill.promised("skill"), **skill.promised("resolution")}
    bet_on = (
        SkillFigure(
            name=score.name,
            meaning=score.meaning,
            unit=score.unit,
            value=values[score.name],
            interval=skill.interval(score.name),
            promised=score.scale * gains[score.name] if score.name in gains else None,
            n=skill.counted(score.name),
        )
        for score in skill.scorer.scores
    )
    moments = len(set(rows.moment.tolist()))
    summed_up = (
        SkillFigure(name=score.name, meaning=score.meaning, unit=score.unit, value=value, n=moments)
        for score, value in (skill.scorer.summary(rows).items() if moments else ())
    )
    return *bet_on, *summed_up


_ORDER = (Verdict.ANTI_SIGNAL, Verdict.MISCALIBRATED, Verdict.NO_SIGNAL)

_CAUSES = {
    Verdict.ANTI_SIGNAL: "The output{of} points the wrong way in {moments} moments with an "
    "outcome, or the outcomes are turned round.",
    Verdict.MISCALIBRATED: "What the output{of} says of its own certainty is not borne out in "
    "{moments} moments with an outcome.",
    Verdict.NO_SIGNAL: "The output{of} has gained less than its reference promised in {moments} "
    "moments with an outcome, and nothing that can be told from none.",
}

_TELLING = {
    Verdict.ANTI_SIGNAL: ("direction",),
    Verdict.MISCALIBRATED: ("sharpness", "bias", "dispersion"),
    Verdict.NO_SIGNAL: ("gain_constant", "gain_clock", "ic"),
}


def _evidence(verdict: Verdict, inquiry: Inquiry, output: str) -> Finding:
    return Finding(
        name="evidence_nats",
        level=Level.FAIL if inquiry.alarmed else Level.PASS,
        value=inquiry.log_e,
        threshold=inquiry.threshold,
        n=inquiry.taken,
        message=f"Outcomes have gathered {inquiry.log_e:.1f} nats for {verdict}; "
        f"{inquiry.threshold:.1f} are an alarm.",
        output=output,
    )


def _said(report: OutputReport, verdict: Verdict) -> str:
    """Return the figures that tell, in a sentence."""
    parts = []
    for figure in report.figures:
        if figure.name not in _TELLING[verdict] or figure.value is None:
            continue
        promised = "" if figure.promised is None else f", at least {figure.promised:.3g} promised"
        parts.append(f"{figure.value:+.3g} {figure.unit} {figure.meaning}{promised}")
    return f"Over the newest: {'; '.join(parts)}." if parts else ""
