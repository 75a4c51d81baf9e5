"""Errors of the monitor.

MonitoringError
├── SettingsError               a setting is unknown or out of range
├── TemporaryError              worth trying again after `retry_after`
└── PermanentError              trying again would end the same way
"""

from __future__ import annotations

from datetime import timedelta


class MonitoringError(Exception):
    """The monitor could not do what was asked; the message says what and why."""


class SettingsError(MonitoringError):
    """A setting is unknown, missing or out of range."""


class TemporaryError(MonitoringError):
    """Worth trying again."""

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(MonitoringError):
    """Trying again would end the same way."""
