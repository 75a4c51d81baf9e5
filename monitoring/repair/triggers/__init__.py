"""Triggers: who may ask for a retrain. One file each, one line in `TRIGGERS`, first come first."""

from __future__ import annotations

from collections.abc import Mapping

from plumbline.monitoring.repair.triggers.base import Trigger
from plumbline.monitoring.repair.triggers.person import PersonTrigger
from plumbline.monitoring.repair.triggers.schedule import ScheduleTrigger
from plumbline.monitoring.repair.triggers.verdict import VerdictTrigger
from plumbline.monitoring.repair.triggers.webhook import WebhookTrigger

TRIGGERS: Mapping[str, type[Trigger]] = {
    "verdict": VerdictTrigger,
    "webhook": WebhookTrigger,
    "person": PersonTrigger,
    "schedule": ScheduleTrigger,
}
