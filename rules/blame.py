"""Which alert a verdict raises: read off its facts, so that a new one has an alert at once."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline.bundle.verdict import OWN_VERDICTS, Facts, Remedy, Side, Verdict, verdict_named


def known_verdicts() -> Iterator[Verdict]:
    """Yield our verdicts and those that plug-ins bring."""
    yield from Verdict
    yield from (verdict_named(name) for name in OWN_VERDICTS)


def alert_about(facts: Facts) -> str | None:
    """Return the name of the alert that a verdict raises; None where all may go on."""
    if facts.sized:
        moved = facts.side is Side.MARKET and not facts.well
        return "InputDrift" if moved else None
    if facts.of_input:
        return "InputBroken"
    if facts.side is Side.ARTEFACT:
        return "ArtefactFault"
    by_remedy = {Remedy.RETRAIN: "CollapseEvidence", Remedy.RECALIBRATE: "CalibrationOff"}
    if facts.remedy in by_remedy:
        return by_remedy[facts.remedy]
    return "SkillLost" if facts.side is Side.DATA else "OutputsUnexplained"


def verdicts_of(alert: str) -> str:
    """Return the verdicts that raise an alert, as a pattern of PromQL."""
    return "|".join(each for each in known_verdicts() if alert_about(each.facts) == alert)


def sized_verdicts() -> str:
    """Return the verdicts under which sizes go on, as a pattern of PromQL."""
    return "|".join(each for each in known_verdicts() if each.facts.sized)


def input_verdicts() -> str:
    """Return the verdicts that blame the input, as a pattern of PromQL."""
    return "|".join(each for each in known_verdicts() if each.facts.of_input)
