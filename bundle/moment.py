"""Moments as the files and logs hold them: whole microseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
"""A second, in microseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970 UTC; exact, and rounded down.

    Raises
    ------
    ValueError
        If it has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with a time zone, found {moment.isoformat()}")
    return (moment - _EPOCH) // MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """Return microseconds since 1970 as a time in UTC; exact, the inverse of `microseconds`.

    Raises
    ------
    OverflowError
        If no calendar reaches that far.
    """
    return _EPOCH + timedelta(microseconds=int(microseconds))
