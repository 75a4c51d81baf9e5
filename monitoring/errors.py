"""Errors of the monitor.

MonitoringError
├── SettingsError               a setting is unknown or out of range
├── OrderError                  what a person ordered cannot be done
└── PermanentError              trying again would end the same way
"""

from __future__ import annotations


class MonitoringError(Exception):
    """The monitor could not do what was asked; the message says what and why."""


class SettingsError(MonitoringError):
    """A setting is unknown, missing or out of range."""


class OrderError(MonitoringError):
    """What a person ordered cannot be done; says why, for whoever ordered it."""


class PermanentError(MonitoringError):
    """Trying again would end the same way."""
