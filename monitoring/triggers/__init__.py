"""Triggers: who may ask for a retrain. One file each, one line in `TRIGGERS`, first come first."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.triggers.base import Trigger
from monitoring.triggers.person import PersonTrigger
from monitoring.triggers.schedule import ScheduleTrigger
from monitoring.triggers.verdict import VerdictTrigger
from monitoring.triggers.webhook import WebhookTrigger

TRIGGERS: Mapping[str, type[Trigger]] = {
    "verdict": VerdictTrigger,
    "webhook": WebhookTrigger,
    "person": PersonTrigger,
    "schedule": ScheduleTrigger,
}
