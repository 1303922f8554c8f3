"""Spans for OpenTelemetry: what was done for how long, sent to a collector as OTLP over HTTP.

    tracing.start("tagboat")
    with tracing.span("pass", root=True, repository="acme/gitops") as told:
        with tracing.span("look"):
            ...
        told.failed("the registry does not answer")
    tracing.stop()

Only where OTEL_EXPORTER_OTLP_ENDPOINT (or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) is set and the extra `otel` is installed; elsewhere
nothing of it is imported, and a span does nothing. All that can be set besides is said by OpenTelemetry's own variables. Texts
of errors that nobody expected are not sent, and secrets that the settings name are masked in what is.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

from bot import logs

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PATIENCE = 2.0  # seconds for what is left at the end
_TEXT = 500  # characters of a text that is sent

Value = str | int | float | bool


class Span:
    """A stretch of work that is under way. This one is told to nobody."""

    __slots__ = ()

    def say(self, **attributes: Value) -> None:
        """Add what was learnt meanwhile."""

    def failed(self, why: str) -> None:
        """Mark it as failed."""


_SILENT = Span()


class _Told(Span):
    """One that is sent."""

    __slots__ = ("_span", "_trace")

    def __init__(self, trace: Any, span: Any) -> None:
        self._trace = trace
        self._span = span

    def say(self, **attributes: Value) -> None:
        self._span.set_attributes(_shown(attributes))

    def failed(self, why: str) -> None:
        self._span.set_status(self._trace.StatusCode.ERROR, logs.masked(why)[:_TEXT])


class _Sender:
    """OpenTelemetry, set up. It is ours alone: a provider that somebody else set for the process is left as it is."""

    def __init__(self, name: str) -> None:
        from opentelemetry import context, trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        # It would repeat a header of OTEL_EXPORTER_OTLP_HEADERS that it cannot read, and headers hold tokens.
        logging.getLogger("opentelemetry.util.re").addFilter(_without_arguments)
        named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        resource = Resource.create({} if named else {"service.name": name})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tagboat")
        self._trace = trace
        self._nowhere = context.Context()

    @contextmanager
    def span(self, name: str, root: bool, attributes: Mapping[str, Value]) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name,
            context=self._nowhere if root else None,
            attributes=_shown(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            told = _Told(self._trace, span)
            try:
                yield told
            except Exception as error:
                told.failed(type(error).__name__)
                raise

    def stop(self) -> None:
        last = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(_PATIENCE)


_sender: _Sender | None = None


def start(name: str) -> bool:
    """Begin to send spans, under the name of a service, where the environment says where to; whether it does."""
    global _sender
    if _sender is not None or not _is_wanted(os.environ):
        return _sender is not None
    try:
        _sender = _Sender(name)
    except ImportError as error:
        log.warning("no spans are sent: that needs the extra: pip install 'tagboat[otel]'", missing=error.name)
    except Exception as error:  # a variable that it cannot read is no reason not to work
        log.warning("no spans are sent: OpenTelemetry does not start", why=f"{type(error).__name__}: {error}"[:_TEXT])
    return _sender is not None


def stop() -> None:
    """Send what is left, and no longer than `patience` seconds."""
    global _sender
    sender, _sender = _sender, None
    if sender is not None:
        sender.stop()


def patience() -> float:
    """How many seconds `stop` may take."""
    return _PATIENCE if _sender is not None else 0.0


@contextmanager
def span(name: str, /, *, root: bool = False, **attributes: Value) -> Iterator[Span]:
    """A stretch of work. It belongs to the one around it; with `root`, to none, and it has all that every line of the log has."""
    if _sender is None:
        yield _SILENT
        return
    with _sender.span(name, root, structlog.contextvars.get_contextvars() | attributes if root else attributes) as told:
        yield told


def _is_wanted(environ: Mapping[str, str]) -> bool:
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    other = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() not in ("", "otlp")
    return not off and not other and any(environ.get(name, "").strip() for name in ENDPOINTS)


def _shown(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {key: logs.masked(value)[:_TEXT] if isinstance(value, str) else value for key, value in attributes.items()}


def _without_arguments(record: logging.LogRecord) -> bool:
    record.args = ("…",)
    return True
