"""What an incident needs, how often it may try, and what may not replace what."""

from __future__ import annotations

from plumbline.bundle.finding import Diagnosis, Remedy
from plumbline.bundle.market import Market
from plumbline.bundle.verdict import Side
from plumbline.monitoring.settings import MonitoringSettings
from plumbline.store.incident import Incident, Origin
from plumbline.store.registry import ModelRegistry


def remedy_of(incident: Incident) -> Remedy:
    """Return what the incident asks for: its verdict's remedy, or the retrain that was ordered."""
    return Remedy.RETRAIN if incident.ordered else incident.diagnosis.remedy


def waits(origin: Origin, diagnosis: Diagnosis) -> bool:
    """Whether a repair must wait until what a person was called about is over.

    An order waits for broken inputs alone, whose fault a retrain would learn. A routine may go on
    where outcomes speak against the model: whoever switched it on wants a retrain tried.
    """
    facts = diagnosis.verdict.facts
    if diagnosis.remedy is not Remedy.CALL or origin is Origin.ORDER:
        return facts.of_input and diagnosis.remedy is Remedy.CALL
    return origin is Origin.VERDICT or facts.side is not Side.DATA


def attempts_allowed(incident: Incident, settings: MonitoringSettings) -> int:
    """Return how many attempts an incident has before a person is called."""
    if incident.origin is Origin.ROUTINE:
        return 1
    if remedy_of(incident) is Remedy.RECALIBRATE:
        return settings.recalibration_limit
    return settings.attempt_limit


def strangeness(registry: ModelRegistry, version: str, candidate: str) -> tuple[str, ...]:
    """Say in what a candidate is of another market than the version it is to replace.

    Raises
    ------
    BundleError, NotFoundError
        If either manifest cannot be read.
    """
    served = Market.of(registry.manifest(version))
    return served.differences(Market.of(registry.manifest(candidate)))
