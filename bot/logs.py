"""Logs: a constant sentence and its fields, on standard error. Tracebacks show no local variables: one could hold a secret.

A server whose standard error is no terminal writes a JSON object a line, with the `pass_id` of the pass that it belongs to.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import structlog

_hidden: list[str] = []
_SHORTEST = 6  # characters of a secret: shorter ones would mask words


def configure(*, level: int = logging.WARNING, server: bool = False) -> None:
    """Set up logging for a command, from `level` on: plain lines, or JSON for a `server` that nobody watches."""
    json = server and not sys.stderr.isatty()
    render: Any = structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    if not json:
        render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if json else "%H:%M:%S", utc=json),
            *([structlog.processors.format_exc_info] if json else []),
            render,
            _mask,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # What libraries say goes the same way.
    logging.basicConfig(handlers=[_Forward()], level=logging.WARNING, force=True)


def hide(secrets: Iterable[str]) -> None:
    """Mask these wherever they would turn up in a log: the last net, below code that does not log them."""
    _hidden[:] = sorted({one for one in secrets if len(one) >= _SHORTEST}, key=len, reverse=True)


def masked(text: str) -> str:
    """A text without what is hidden."""
    for secret in _hidden:
        if secret in text:
            text = text.replace(secret, "***")
    return text


def _mask(logger: object, method: str, rendered: Any) -> Any:
    return masked(rendered)


class _Forward(logging.Handler):
    """Hands records of the standard library's logging on."""

    def emit(self, record: logging.LogRecord) -> None:
        said: Mapping[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger().log(record.levelno, record.getMessage()[:2000], logger=record.name, **said)
