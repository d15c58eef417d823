"""How the requests of one application are measured: by which instruments, in which trace, and which of them."""

import os
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

from telemetry import semconv
from telemetry.instrumentation.fastapi.active_requests import active_requests
from telemetry.instrumentation.fastapi.headers import HEADER_GETTER, Headers, captured
from telemetry.instrumentation.fastapi.published import PublishedMiddleware, Scope
from telemetry.instrumentation.fastapi.request_duration import RequestDurations
from telemetry.instrumentation.fastapi.request_spans import request_tracer
from telemetry.instrumentation.fastapi.route_template import RouteResolver

EMPTY_CONTEXT: Final = Context()
[SPAN_KEY] = set_span_in_context(INVALID_SPAN, EMPTY_CONTEXT)
"""The key of the current span in a context."""
_KNOWN_METHODS: Final = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
_ALL_BELOW: Final = "*"


class RequestMeasuring:
    """What the requests of one application share."""

    def __init__(
        self, app: FastAPI, published: PublishedMiddleware, provider: MeterProvider, untraced_paths: Iterable[str]
    ) -> None:
        self.published = published
        self.request_hook = published.request_hook
        self.response_headers = published.response_headers
        self.tracer = request_tracer(published.tracer)
        self.durations = RequestDurations(published.duration)
        self.active = active_requests(provider)
        self.active.watch()
        self.routes = RouteResolver(app)
        self.known_methods = known_methods()
        untraced = tuple(untraced_paths)
        self.untraced_paths = frozenset(path for path in untraced if not path.endswith(_ALL_BELOW))
        self.untraced_beginnings = tuple(
            path.removesuffix(_ALL_BELOW) for path in untraced if path.endswith(_ALL_BELOW)
        )
        self.provider = provider
        self._propagated = frozenset(field.lower().encode("latin-1") for field in propagate.get_global_textmap().fields)

    def parent(self, scope: Scope) -> Context:
        """The trace context of the request's headers, or an empty one.

        Never the current context: a server may start a request in the context of the previous one.
        """
        for name, _ in scope["headers"]:
            if name in self._propagated:
                return propagate.extract(scope, EMPTY_CONTEXT, getter=HEADER_GETTER)
        return EMPTY_CONTEXT

    def captured(self, headers: Headers, patterns: list[str], side: str) -> dict[str, Any]:
        """The attributes of the headers that a user wants to have in spans."""
        return captured(headers, patterns, side, self.published.sanitize)


def known_methods() -> frozenset[str]:
    """The methods that are told apart; all others are `_OTHER`. The variable replaces OpenTelemetry's list."""
    named = frozenset(name.strip() for name in os.environ.get(_KNOWN_METHODS, "").split(",")) - {""}
    return named or semconv.KNOWN_METHODS
