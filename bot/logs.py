"""Logs: a constant sentence and its fields, on standard error. Tracebacks show no local variables: one could hold a secret."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(*, level: int = logging.WARNING) -> None:
    """Set up logging for a command: plain lines, from `level` on."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
