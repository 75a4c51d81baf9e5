"""Logging: structlog to stdout, JSON unless a terminal is attached."""

from __future__ import annotations

import sys

import structlog


def configure_logging() -> None:
    """Set up structlog for this process; called by entry points alone."""
    people = sys.stdout.isatty()
    last = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if people else [structlog.processors.dict_tracebacks]),
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
