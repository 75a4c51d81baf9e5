"""The verdicts: one row of facts each, and the only place that has them.

A verdict has a name, the side it blames, what it asks for, whether sizes go on under it, whether
all is well, what it means and what a person should do. Whoever wants to know asks the row, so that
a new verdict is one row here and one rule in `diagnosis.verdicts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self, TypeAlias

from typing_extensions import override

from plumbline.bundle.plugin import Plugins


class Side(StrEnum):
    """Where the fault lies."""

    MODEL = "model"
    CLIENT = "client"
    FEED = "feed"
    MARKET = "market"
    ARTEFACT = "artefact"
    DATA = "data"
    MEASUREMENT = "measurement"
    UNKNOWN = "unknown"
    NONE = "none"


class Remedy(StrEnum):
    """What a verdict asks for."""

    NONE = "none"
    RETRAIN = "retrain"
    RECALIBRATE = "recalibrate"
    ROLL_BACK = "roll_back"
    CALL = "call"
    REPORT = "report"
    REFUSE = "refuse"

    @property
    def carried_out(self) -> str:
        """One sentence: what the monitor does about it; empty where that is nothing."""
        return _CARRIED_OUT[self]


_CARRIED_OUT = {
    Remedy.NONE: "",
    Remedy.RETRAIN: "Sizes are held back; the model is retrained, checked and replaced.",
    Remedy.RECALIBRATE: "Sizes are held back; the calibration is fitted again, without a retrain.",
    Remedy.ROLL_BACK: "Sizes are held back; the version that was last well serves again.",
    Remedy.CALL: "Sizes are held back and a person is called. A retrain would learn the fault.",
    Remedy.REPORT: "A drift report is written; nothing else is done.",
    Remedy.REFUSE: "A model like this is not promoted.",
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of a verdict, whoever reaches it.

    Attributes
    ----------
    side
        Where the fault lies.
    remedy
        What it asks for.
    sized
        Whether a position size may be suggested under it.
    well
        Whether the model is known to be as it should be.
    meaning
        One sentence.
    doing
        What a person should do, in one sentence.
    """

    side: Side
    remedy: Remedy
    sized: bool = False
    well: bool = False
    meaning: str
    doing: str

    @property
    def of_input(self) -> bool:
        """Whether it is the input that is at fault, so that nothing can be said of the model."""
        return self.side in (Side.CLIENT, Side.FEED)

    @property
    def of_model(self) -> bool:
        """Whether it is the model that is at fault."""
        return self.side is Side.MODEL


OWN_VERDICTS: Plugins[Any] = Plugins("verdicts", "plumbline.diagnosis.verdicts.base:OwnVerdict", {})
"""Those from outside; ours are members of the enumeration."""

_KNOWN: dict[str, Any] = {}


class Verdict(StrEnum):
    """What is, or is not, the matter. Exactly one holds at a time.

    ``Verdict("my_own")`` is one from outside if a plug-in brings it; iteration yields ours.
    """

    facts: Facts

    def __new__(cls, name: str, facts: Facts) -> Self:
        """Make a verdict that equals its name and carries its facts."""
        member: Self = str.__new__(cls, name)
        member._value_ = name
        member.facts = facts
        return member

    @classmethod
    @override
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or value not in OWN_VERDICTS:
            return None
        if value not in _KNOWN:
            member = str.__new__(cls, value)
            member._name_, member._value_ = value.upper(), value
            member.facts = OWN_VERDICTS[value].facts
            _KNOWN[value] = member
        known: Self = _KNOWN[value]
        return known

    HEALTHY = (
        "healthy",
        Facts(
            side=Side.NONE,
            remedy=Remedy.NONE,
            sized=True,
            well=True,
            meaning="The model answers its inputs as it did when it was validated.",
            doing="Nothing needs to be done.",
        ),
    )
    INSUFFICIENT_DATA = (
        "insufficient_data",
        Facts(
            side=Side.NONE,
            remedy=Remedy.NONE,
            sized=True,
            meaning="There are too few predictions to judge.",
            doing="Wait for more predictions; if none come, look at the client.",
        ),
    )
    FLAT = (
        "flat",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RETRAIN,
            meaning="The outputs no longer follow the inputs.",
            doing="Follow the retrain; order one if the loop is switched off.",
        ),
    )
    DOMINANT_ACTION = (
        "dominant_action",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RETRAIN,
            meaning="One action is given whatever the inputs say.",
            doing="Follow the retrain; if it comes back the same, look at the labels' shares.",
        ),
    )
    SATURATED = (
        "saturated",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RETRAIN,
            meaning="The model is almost certain, always, and of the same thing.",
            doing="Follow the retrain; if it comes back the same, look at scaling and loss.",
        ),
    )
    BIAS_SHIFT = (
        "bias_shift",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RECALIBRATE,
            meaning="The ranking is intact, but one class is favoured by a constant.",
            doing="Follow the new fit of the calibration; find out what moved the prior.",
        ),
    )
    OVER_DISPERSED = (
        "over_dispersed",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RECALIBRATE,
            meaning="The outputs point where they should, and move too far.",
            doing="Follow the new fit of the calibration; if it comes back, retrain.",
        ),
    )
    SCHEMA_SKEW = (
        "schema_skew",
        Facts(
            side=Side.CLIENT,
            remedy=Remedy.CALL,
            meaning="The inputs are not the ones the model was trained on.",
            doing="Compare the named columns in the client with those of training.",
        ),
    )
    FROZEN_FEED = (
        "frozen_feed",
        Facts(
            side=Side.FEED,
            remedy=Remedy.CALL,
            meaning="The same input arrives again and again.",
            doing="Restart the feed, or the client that reads it.",
        ),
    )
    STALE_FEATURES = (
        "stale_features",
        Facts(
            side=Side.CLIENT,
            remedy=Remedy.CALL,
            meaning="Some features have stopped moving.",
            doing="Find out why the client repeats or imputes the named columns.",
        ),
    )
    ARTEFACT_FAULT = (
        "artefact_fault",
        Facts(
            side=Side.ARTEFACT,
            remedy=Remedy.ROLL_BACK,
            meaning="The answers given are not those of this version.",
            doing="Compare the version, the runtime and the files of the service with the bundle.",
        ),
    )
    UNEXPLAINED = (
        "unexplained",
        Facts(
            side=Side.UNKNOWN,
            remedy=Remedy.CALL,
            meaning="The outputs are not what they were, and nothing that was checked says why.",
            doing="Read the evidence; after 200 rows without an alarm it is let go.",
        ),
    )
    REGIME = (
        "regime",
        Facts(
            side=Side.MARKET,
            remedy=Remedy.NONE,
            sized=True,
            well=True,
            meaning="One action prevails, and for these inputs it always did.",
            doing="Nothing needs to be done: it is the market.",
        ),
    )
    DRIFT = (
        "drift",
        Facts(
            side=Side.MARKET,
            remedy=Remedy.REPORT,
            sized=True,
            meaning="The inputs have moved; the model still responds to them.",
            doing="Read the drift report; retrain when it suits.",
        ),
    )
    NO_SIGNAL = (
        "no_signal",
        Facts(
            side=Side.DATA,
            remedy=Remedy.REFUSE,
            meaning="The model is no better than a constant.",
            doing="Change the target or the features; more training will not help.",
        ),
    )
    ANTI_SIGNAL = (
        "anti_signal",
        Facts(
            side=Side.DATA,
            remedy=Remedy.CALL,
            meaning="Outcomes say that it pays to bet against the model.",
            doing="Compare the order of the classes and the sign of the label with training.",
        ),
    )
    MISCALIBRATED = (
        "miscalibrated",
        Facts(
            side=Side.MODEL,
            remedy=Remedy.RECALIBRATE,
            meaning="Outcomes say that the probabilities are off.",
            doing="Follow the new fit of the calibration; find out what moved the prior.",
        ),
    )
    LEAK = (
        "leak",
        Facts(
            side=Side.DATA,
            remedy=Remedy.REFUSE,
            meaning="The model is too good to be true.",
            doing="Look for the future among the features, and for training rows among these.",
        ),
    )


Accusation: TypeAlias = Verdict | Literal[Side.MODEL, Side.CLIENT]
"""What an alarm says: the input's fault by name, or that something is the matter with the model, or
with the columns, which `diagnosis` must find out."""

WELL = tuple(verdict for verdict in Verdict if verdict.facts.well)
"""The verdicts under which the model is known to be as it should be."""


def verdict_named(name: str) -> Verdict:
    """Return a verdict by name, one from outside too; raises `ValueError` if there is none."""
    return Verdict(name)  # type: ignore[call-arg]  # mypy takes the lookup for `__new__`
