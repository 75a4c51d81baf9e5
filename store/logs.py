"""Logging of a process: structlog to stdout, JSON unless a terminal is attached."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging() -> None:
    """Set up the logging of this process; called by entry points alone.

    One JSON object a line, or something for people at a terminal; warnings of libraries that use
    the standard logging go to the same place.
    """
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
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
