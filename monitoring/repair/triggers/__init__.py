"""Triggers: who may ask for a retrain. One file each, one line in `TRIGGERS`, first come first."""

from __future__ import annotations

from plumbline.bundle.plugin import Plugins
from plumbline.monitoring.repair.triggers.base import Trigger
from plumbline.monitoring.repair.triggers.drift import DriftTrigger
from plumbline.monitoring.repair.triggers.outcome import OutcomeTrigger
from plumbline.monitoring.repair.triggers.person import PersonTrigger
from plumbline.monitoring.repair.triggers.schedule import ScheduleTrigger
from plumbline.monitoring.repair.triggers.verdict import VerdictTrigger
from plumbline.monitoring.repair.triggers.webhook import WebhookTrigger

TRIGGERS: Plugins[Trigger] = Plugins(
    "triggers",
    Trigger,
    {
        "verdict": VerdictTrigger,
        "webhook": WebhookTrigger,
        "person": PersonTrigger,
        "schedule": ScheduleTrigger,
        "drift": DriftTrigger,
        "outcome": OutcomeTrigger,
    },
)
