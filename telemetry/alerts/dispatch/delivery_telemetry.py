"""Spans and metrics of notification delivery, from the report of an alert until a channel accepts it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer

from telemetry import semconv
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.incident import Incident
from telemetry.alerts.notification import Notification
from telemetry.alerts.rendering.message import NO_LINKS, Links
from telemetry.failsafe import failsafe

_SENT, _RATE_LIMITED, _REJECTED, _UNKNOWN, _FAILED = semconv.SEND_RESULTS
_MAX_LINKS: Final = 20
_QUEUE: Final = {semconv.QUEUE: "alerts"}


class DeliveryTelemetry:
    """Its instruments, and the `links` of messages."""

    def __init__(self, tracer: Tracer, meter: Meter, dropped: Counter, links: Links = NO_LINKS) -> None:
        self.links = links
        self._tracer = tracer
        self._dropped = dropped
        self._delay: Histogram = meter.create_histogram(
            semconv.ALERT_DELAY, unit="s", description="From an alert's first report until a channel accepted it."
        )
        self._sends: Counter = meter.create_counter(
            semconv.ALERT_NOTIFICATIONS, unit="{message}", description="Messages by channel and result."
        )

    @contextmanager
    def span(self, notification: Notification) -> Generator[Span]:
        """A span in the trace that reported the first incident, with links to the traces of the others.

        Its context is that trace's alone: the dispatcher's own suppresses tracing, which is meant for its queries and calls.
        """
        contexts = [found for each in notification.incidents[:_MAX_LINKS] if (found := _context(each)) is not None]
        parent = trace.set_span_in_context(NonRecordingSpan(contexts[0]), Context()) if contexts else None
        links = [trace.Link(each) for each in contexts[1:]]
        with self._tracer.start_as_current_span(
            f"alert {notification.kind}",
            parent,
            SpanKind.PRODUCER,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            span.set_attribute(semconv.ALERT_FINGERPRINT, notification.incidents[0].fingerprint)
            try:
                yield span
            except ChannelError as error:
                span.set_status(Status(StatusCode.ERROR, str(error)))
                raise

    @failsafe
    def record_delivery(self, channel: str, notification: Notification, now: float) -> None:
        self._sends.add(1, {semconv.CHANNEL: channel, semconv.RESULT: _SENT})
        if notification.kind in {"alert", "digest", "summary"}:
            for incident in notification.incidents:
                self._delay.record(max(0.0, now - incident.first_at), {semconv.CHANNEL: channel})

    @failsafe
    def record_failure(self, channel: str, error: ChannelError) -> None:
        self._sends.add(1, {semconv.CHANNEL: channel, semconv.RESULT: _result(error)})

    @failsafe
    def record_expired(self, number: int) -> None:
        self._dropped.add(number, {**_QUEUE, semconv.REASON: "too old"})

    @failsafe
    def record_dropped(self, number: int, reason: str) -> None:
        self._dropped.add(number, {**_QUEUE, semconv.REASON: reason})


def _result(error: ChannelError) -> str:
    if error.retry_after is not None:
        return _RATE_LIMITED
    if error.permanent or error.message_rejected:
        return _REJECTED
    return _UNKNOWN if error.outcome_unknown else _FAILED


def _context(incident: Incident) -> SpanContext | None:
    if not incident.trace_id:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED if incident.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(incident.trace_id, 16), int(incident.span_id, 16), is_remote=True, trace_flags=flags)
