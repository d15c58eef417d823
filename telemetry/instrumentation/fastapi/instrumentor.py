"""The instrumentor: the published one patches an application and parses its configuration, ours measures its requests.

The measuring follows OpenTelemetry's semantic conventions for HTTP servers, as the published middleware does, with these
differences:

- The duration ends with the response's last byte, not with the background tasks.
- The route is read from the ASGI scope, instead of matching every route a second time, and is that of a mounted application.
- A request is counted before its last byte is sent, so a client that has its response finds it counted.
- The messages of a request have no spans, unless `exclude_spans=[]` or a client hook asks for them.
- It costs a fraction (`make bench`).
"""

import inspect
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import wraps
from types import MethodType
from typing import Any, Final

import fastapi
from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor as PublishedInstrumentor
from starlette.background import BackgroundTask
from starlette.middleware.errors import ServerErrorMiddleware

from telemetry.instrumentation.fastapi.measuring import RequestMeasuring
from telemetry.instrumentation.fastapi.native_telemetry import NATIVE_OFF, disable, restore
from telemetry.instrumentation.fastapi.published import (
    SETTINGS,
    ASGIApp,
    PublishedMiddleware,
    UnexpectedShape,
    find_middleware,
)
from telemetry.instrumentation.fastapi.server_middleware import HTTPServerMiddleware

_INSTRUMENTED: Final = "_is_instrumented_by_opentelemetry"  # the published package's own mark
_RECORD: Final = "_telemetry_instrumentation"
_UNTRACED: Final = "_telemetry_untraced_paths"
_EXCLUDED: Final = ("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS")
_log = logging.getLogger(__name__)
_warned: set[str] = set()


@dataclass(slots=True)
class _Instrumentation:
    """How an application is instrumented, and what it was before."""

    providers: tuple[Any, Any]
    untraced_paths: set[str]
    original: Any
    native: dict[str, Any]
    settings: dict[str, Any]
    complaint: str = ""


class FastAPIInstrumentor(PublishedInstrumentor):
    """The published instrumentor, with our measuring in its common path.

    `instrument`, `uninstrument` and the static methods take what the published ones take, and read the same variables.
    """

    _instance = None  # a subclass would get the published one's

    @staticmethod
    def instrument_app(app: FastAPI, *given: Any, untraced_paths: Iterable[str] = (), **options: Any) -> None:
        """Instrument an application from its next request on. More than once is harmless.

        An application that the published package alone has instrumented, or that measures with other providers, is
        instrumented anew, with its hooks and other settings.

        Args:
            app: in use already or not; a stack that is built is built anew.
            given: the published arguments, by position.
            untraced_paths: paths whose requests are counted, without a span; `/console*` stands for all that begin so.
            options: the published arguments, by name.
        """
        options = _by_name(app, given, options)
        providers = (
            options.get("tracer_provider") or trace.get_tracer_provider(),
            options.get("meter_provider") or metrics.get_meter_provider(),
        )
        if _is_measured(app, providers):
            return
        is_built = app.middleware_stack is not None
        settings = _take_over(app) if getattr(app, _INSTRUMENTED, False) else {}
        original, app.build_middleware_stack = app.build_middleware_stack, _outermost_handler(app)  # type: ignore[method-assign]
        _instrument_background_tasks_anew()
        PublishedInstrumentor.instrument_app(**_completed(options, settings))
        settings = {name: value for name, value in settings.items() if options.get(name) is None}
        record = _Instrumentation(
            providers, {*untraced_paths, *app.__dict__.get(_UNTRACED, ())}, original, disable(app), settings
        )
        setattr(app, _RECORD, record)
        _measure(app, record)
        if is_built:
            app.middleware_stack = app.build_middleware_stack()

    @staticmethod
    def uninstrument_app(app: FastAPI) -> None:
        """Undo `instrument_app`. Idempotent."""
        record: _Instrumentation | None = app.__dict__.pop(_RECORD, None)
        PublishedInstrumentor.uninstrument_app(app)
        if record is not None:
            app.build_middleware_stack = record.original  # type: ignore[method-assign]
            app.middleware_stack = app.build_middleware_stack()
            restore(app, record.native)

    @staticmethod
    def leave_untraced(app: FastAPI, path: str) -> None:
        """Make no spans for one more path of an application that serves no requests yet, instrumented already or later."""
        app.__dict__.setdefault(_UNTRACED, set()).add(path)
        if (record := app.__dict__.get(_RECORD)) is not None:
            record.untraced_paths.add(path)

    @staticmethod
    def complaint(app: FastAPI) -> str:
        """Why the published package alone measures an application that serves; empty if ours does."""
        record: _Instrumentation | None = app.__dict__.get(_RECORD)
        return record.complaint if record is not None else "it is not instrumented"

    def _instrument(self, **options: Any) -> None:
        original = fastapi.FastAPI
        super()._instrument(**options)  # remembers what to restore
        fastapi.FastAPI = _instrumenting(original, options)  # type: ignore[misc]


def _instrumenting(original: type[FastAPI], options: dict[str, Any]) -> type[FastAPI]:
    """The class whose applications are instrumented when they are made, and measure nothing themselves."""

    class InstrumentedFastAPI(original):  # type: ignore[misc, valid-type]
        def __init__(self, *, telemetry: Any = None, **arguments: Any) -> None:
            super().__init__(telemetry={**(telemetry or {}), **NATIVE_OFF}, **arguments)
            FastAPIInstrumentor.instrument_app(self, **options)

    return InstrumentedFastAPI


def _by_name(app: FastAPI, given: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    return dict(inspect.signature(PublishedInstrumentor.instrument_app).bind(app, *given, **options).arguments)


def _is_measured(app: FastAPI, providers: tuple[Any, Any]) -> bool:
    record: _Instrumentation | None = app.__dict__.get(_RECORD)
    if record is None or not getattr(app, _INSTRUMENTED, False):
        return False
    return all(mine is theirs for mine, theirs in zip(record.providers, providers, strict=True))


def _take_over(app: FastAPI) -> dict[str, Any]:
    """Uninstrument an application. Returns the settings of the published middleware that it had."""
    middleware = find_middleware(app.middleware_stack or app.build_middleware_stack())
    FastAPIInstrumentor.uninstrument_app(app)
    app.middleware_stack = None
    return {name: getattr(middleware, name) for name in SETTINGS if hasattr(middleware, name)}


def _completed(options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The published arguments, with our defaults and what an application was instrumented with before."""
    excluded = next((os.environ[name] for name in _EXCLUDED if name in os.environ), "")
    hooks = {**settings, **options}
    needs_spans = hooks.get("client_request_hook") or hooks.get("client_response_hook")
    defaults = {"excluded_urls": excluded, "exclude_spans": [] if needs_spans else ["receive", "send"]}
    return {**options, **{name: value for name, value in defaults.items() if options.get(name) is None}}


def _outermost_handler(app: FastAPI) -> Any:
    """Builds the application's stack, in a handler of errors: the published package instruments no other.

    An application may have put something around its own handler, which then is measured as well.
    """
    build = app.build_middleware_stack

    def build_middleware_stack() -> ASGIApp:
        stack: ASGIApp = build()
        return stack if isinstance(stack, ServerErrorMiddleware) else ServerErrorMiddleware(stack)

    return build_middleware_stack


def _instrument_background_tasks_anew() -> None:
    """The published package does this once for a process, with the provider of the first application."""
    if (original := getattr(BackgroundTask, "_otel_original_call", None)) is not None:
        BackgroundTask.__call__ = original  # type: ignore[method-assign]
        del BackgroundTask._otel_original_call  # type: ignore[attr-defined]  # noqa: SLF001


def _measure(app: FastAPI, record: _Instrumentation) -> None:
    build = app.build_middleware_stack

    @wraps(build)
    def measured(_self: FastAPI) -> ASGIApp:
        stack: ASGIApp = build()
        if (middleware := find_middleware(stack)) is not None:
            for name, value in record.settings.items():
                setattr(middleware, name, value)
        _measure_mounted(app, record)
        try:
            published = PublishedMiddleware.find(stack)
        except UnexpectedShape as unexpected:
            _leave_to_published(record, unexpected)
            return stack
        return HTTPServerMiddleware(stack, RequestMeasuring(app, published, record.providers[1], record.untraced_paths))

    app.build_middleware_stack = MethodType(measured, app)  # type: ignore[method-assign]


def _measure_mounted(app: FastAPI, record: _Instrumentation) -> None:
    """Let mounted applications that the published package has instrumented see that a request is measured already."""
    providers = dict(zip(("tracer_provider", "meter_provider"), record.providers, strict=True))
    for mounted in (getattr(route, "app", None) for route in app.routes):
        if isinstance(mounted, FastAPI) and getattr(mounted, _INSTRUMENTED, False) and _RECORD not in mounted.__dict__:
            FastAPIInstrumentor.instrument_app(mounted, untraced_paths=record.untraced_paths, **providers)


def _leave_to_published(record: _Instrumentation, unexpected: UnexpectedShape) -> None:
    record.complaint = str(unexpected)
    if record.complaint not in _warned:
        _warned.add(record.complaint)
        _log.warning(
            "opentelemetry-instrumentation-fastapi has an unexpected structure: %s. "
            "It measures requests alone now, at several times the cost.",
            record.complaint,
        )
