"""A detector nobody has heard of is heard: its alarm leads to what it accuses."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

from plumbline.bundle.array import FloatArray, IntArray
from plumbline.bundle.finding import Level, Verdict
from plumbline.bundle.verdict import Accusation, Side
from plumbline.diagnosis.measure import Measures
from plumbline.monitoring.watching.detectors import DETECTORS
from plumbline.monitoring.watching.detectors.base import Detector, exceeds, quantiles
from plumbline.monitoring.watching.judgement import Judgement
from plumbline.monitoring.watching.watcher import Watcher
from tests.support.streams import Stream, bundle, context, healthy

ONSET = 300
INPUT_VERDICTS = [verdict for verdict in Verdict if verdict.facts.of_input]


class Disorder(Detector):
    """Bars that arrive out of order: every step of the input is one of the largest."""

    name: ClassVar[str] = "disorder"
    accuses: ClassVar[Accusation] = Verdict.SCHEMA_SKEW

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return quantiles(reference.input_step, (0.97, 0.995, 1.0))

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        return exceeds(measures.input_step, edges)


class Leaning(Detector):
    """The first class is said more often than the reference model would."""

    name: ClassVar[str] = "leaning"
    accuses: ClassVar[Accusation] = Side.MODEL

    @override
    def learn(self, reference: Measures) -> FloatArray:
        return quantiles(reference.residual[:, 0], (0.95, 0.99))

    @override
    def events(self, measures: Measures, edges: FloatArray) -> IntArray:
        return exceeds(measures.residual[:, 0], edges)


def disordered() -> Stream:
    """Return a sound stretch, and after it sound rows in no order."""
    far = healthy(12_000, 31)
    rows = np.random.default_rng(0).permutation(len(far))[:300]
    return healthy(ONSET, 7) + Stream(far.features[rows], far.logits[rows])


def biased() -> Stream:
    """Return a stream whose model leans towards the first class from a row on."""
    sound = healthy(700, 7)
    lean = sound.rows(ONSET, 700)
    return sound.rows(0, ONSET) + lean.saying(lean.logits + np.array([1.2, 0, 0]))


def judge(stream: Stream) -> Watcher:
    """Show a stream to a new watcher."""
    watcher = Watcher(bundle())
    watcher.feed(stream.batch(bundle().version))
    return watcher


def only(*kinds: type[Detector]) -> AbstractContextManager[None]:
    """Leave the input detectors as they are, and watch outputs with these alone."""
    kept = {name: kind for name, kind in DETECTORS.items() if kind.of_input()}
    return DETECTORS.instead({**kept, **{kind.name: kind for kind in kinds}})


def alarm_of(judgement: Judgement, name: str) -> bool:
    """Return whether a detector has alarmed."""
    return next(each.alarmed for each in judgement.evidence if each.detector == name)


@pytest.mark.parametrize("verdict", INPUT_VERDICTS)
def test_an_input_alarm_is_the_verdict_it_accuses(
    verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No rule knows it; sizes stop, and the finding says who objected and how much."""
    monkeypatch.setattr(Disorder, "accuses", verdict)
    monkeypatch.setattr(Disorder, "name", f"disorder_{verdict}")
    with only(Disorder):
        said = judge(disordered()).judgement
    finding = next(each for each in said.diagnosis.findings if each.name == "evidence_nats")

    assert alarm_of(said, Disorder.name)
    assert said.verdict is verdict
    assert not said.diagnosis.sized
    assert finding.level is Level.FAIL
    assert Disorder.name in said.diagnosis.cause


def test_without_it_nothing_is_said() -> None:
    """The rows that the new detector objects to are sound to all others."""
    with only():
        said = judge(disordered()).judgement

    assert said.diagnosis.sized


def test_an_output_alarm_makes_the_model_suspect() -> None:
    """What is the matter the rules find; without an alarm they accuse nobody."""
    with only():
        unwatched = judge(biased()).judgement
    with only(Leaning):
        watched = judge(biased()).judgement

    assert unwatched.diagnosis.sized
    assert watched.verdict is Verdict.BIAS_SHIFT


def test_an_accusation_must_stop_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm under which sizes go on, or that nobody hears, is a mistake."""
    baseline = context().baseline
    assert baseline is not None
    for verdict in (Verdict.HEALTHY, Verdict.ARTEFACT_FAULT):
        monkeypatch.setattr(Disorder, "accuses", verdict)
        with (
            only(Disorder),
            pytest.raises(ValueError, match=f"disorder accuses {verdict}; expected one of"),
        ):
            Watcher(bundle(version_seed=3))
