"""Logging of a process: structlog to stdout, JSON unless a terminal is attached."""

from __future__ import annotations

import logging
import sys

import structlog
import structlog.stdlib
import structlog.tracebacks
from structlog.typing import Processor


def configure_logging() -> None:
    """Set up the logging of this process; called by entry points alone.

    One JSON object a line, or something for people at a terminal. What libraries tell the standard
    logging (their warnings; more where a library has set itself up, as BentoML has) goes to the
    same place in the same form. Tracebacks come without the values of variables: one may be secret.
    """
    people = sys.stdout.isatty()
    last = structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer()
    common: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    traceback = [] if people else [structlog.processors.ExceptionRenderer(plain)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *common, *traceback, last],
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout)
    logging.getLogger("httpx").setLevel(
        logging.WARNING
    )  # it tells whole addresses: some are secret
    if not people:
        remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
        _form_all(
            structlog.stdlib.ProcessorFormatter(
                processors=[remove, *traceback, last],
                foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder(allow=["component"])],
            )
        )


def _form_all(formatter: logging.Formatter) -> None:
    """Give every plain handler of a stream a formatter; those of others' own kinds stay theirs."""
    named = logging.root.manager.loggerDict.values()
    for logger in (logging.root, *(each for each in named if isinstance(each, logging.Logger))):
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setFormatter(formatter)
