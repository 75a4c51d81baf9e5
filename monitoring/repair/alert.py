"""Alertmanager's webhook, version 4: what it sends and what becomes of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from plumbline.bundle.digest import name_of
from plumbline.monitoring.repair.request import Request, RequestKind

MAX_ALERTS = 1_000


class _Payload(BaseModel):
    """Known fields are checked strictly; fields of later versions are let through."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)


class Alert(_Payload):
    """One alert."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    fingerprint: str = Field(pattern="^[0-9a-f]{1,64}$")

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.labels.get("alertname", "unnamed")[:200]

    @property
    def request_id(self) -> str:
        """Equal for every delivery of one firing, and for its end."""
        text = f"{self.fingerprint}|{self.starts_at.isoformat()}"
        return name_of(text)

    def request(self, now: datetime) -> Request:
        """Return what the alert asks for."""
        return Request(
            id=self.request_id,
            kind=RequestKind.WEBHOOK,
            actor=self.name,
            reason=self.annotations.get("summary", self.name)[:1_000],
            version=self.labels.get("version"),
            received=now,
        )


class AlertGroup(_Payload):
    """One delivery.

    References
    ----------
    Prometheus documentation, "Alerting configuration", section ``<webhook_config>``.
    """

    version: Literal["4"]
    group_key: str
    status: Literal["firing", "resolved"]
    receiver: str
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    alerts: tuple[Alert, ...] = Field(max_length=MAX_ALERTS)
    truncated_alerts: int = Field(0, ge=0)
