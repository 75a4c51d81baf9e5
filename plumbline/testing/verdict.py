"""The contract of verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from plumbline.bundle.finding import Verdict
from plumbline.bundle.verdict import Remedy
from plumbline.diagnosis.case import Case
from plumbline.diagnosis.ruling import Ruling
from plumbline.diagnosis.sample import Context, Sample
from plumbline.diagnosis.thresholds import Thresholds
from plumbline.diagnosis.verdicts import VERDICTS
from plumbline.diagnosis.verdicts.base import OwnVerdict
from plumbline.testing.contract import hold, require, require_kind


def check_verdict(
    kind: type[OwnVerdict], *, context: Context, healthy: Sample, faulty: Sample
) -> None:
    """Hold a verdict to everything it promises.

    Parameters
    ----------
    kind
        The class.
    context
        The outputs that are judged, and the reference.
    healthy
        Rows of a sound model.
    faulty
        Rows in which that is the matter which the verdict names.

    Raises
    ------
    ContractError
        With the first promise that is broken.
    """
    require_kind(kind, OwnVerdict)
    hold(kind.__qualname__, _PROMISES, _Subject(kind, context, healthy, faulty))


@dataclass
class _Subject:
    kind: type[OwnVerdict]
    context: Context
    healthy: Sample
    faulty: Sample

    def rulings(self, sample: Sample) -> Iterator[Ruling]:
        """Yield what it says of each output."""
        for output in self.context.outputs.names:
            yield self.kind().rule(Case(sample, self.context, Thresholds(), output))


def _has_a_place(subject: _Subject) -> None:
    """It stands before one of the built-in verdicts, under a name that none of them has."""
    names = [verdict.value for verdict in VERDICTS]
    require(subject.kind.before in names, f"before is {subject.kind.before!r}, not one of {names}")
    taken = {verdict.value for verdict in Verdict}
    require(subject.kind.name not in taken, f"the name {subject.kind.name!r} is taken")


def _tells_people(subject: _Subject) -> None:
    """It says what it means and what is to be done; nothing is repaired while all is well."""
    facts = subject.kind.facts
    for name in ("meaning", "doing"):
        require(getattr(facts, name).strip().endswith("."), f"{name} is no sentence")
    idle = facts.remedy in (Remedy.NONE, Remedy.REPORT)
    require(idle or not facts.well, f"all is well, and it asks for {facts.remedy}")


def _is_silent(subject: _Subject) -> None:
    """It does not hold of a sound model."""
    held = [ruling.cause for ruling in subject.rulings(subject.healthy) if ruling.holds]
    require(not held, f"it holds of healthy rows: {held}")


def _holds(subject: _Subject) -> None:
    """It holds where it is the matter, and says why in a sentence."""
    held = [ruling for ruling in subject.rulings(subject.faulty) if ruling.holds]
    require(held, "it does not hold of the faulty rows")
    require(all(ruling.cause.strip() for ruling in held), "it holds and gives no cause")


def _says_the_same_again(subject: _Subject) -> None:
    """Asked twice it says the same: it keeps nothing, and changes nothing."""
    once, again = list(subject.rulings(subject.faulty)), list(subject.rulings(subject.faulty))
    require(once == again, "the second time it says something else")


def _bears_bare_rows(subject: _Subject) -> None:
    """It bears three rows with outputs alone: no features, truths or times."""
    few = {name: read.take(np.arange(3)) for name, read in subject.faulty.readings.items()}
    action = subject.faulty.action
    bare = Sample(few, None if action is None else action[:3])
    alone = replace(subject, context=replace(subject.context, reference=None))
    list(alone.rulings(bare))


_PROMISES = (
    _has_a_place,
    _tells_people,
    _is_silent,
    _holds,
    _says_the_same_again,
    _bears_bare_rows,
)
