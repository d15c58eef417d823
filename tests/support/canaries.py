"""A service that says an invented secret in every place where a name, a key or a value goes out; the places are a table."""

import asyncio
import hashlib
import logging
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.metrics import Observation
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.rules.condition import Condition, fire
from telemetry.alerts.service import get_alert_service
from telemetry.jobs import monitor_job
from tests.support.secret_forms import FORMS

_log: Final = logging.getLogger("canaries")
Place = Callable[[str], object]
CUTS: Final = (slice(None), slice(None, -1), slice(1, None))
_tasks: Final[set[Any]] = set()


def _record(**fields: Any) -> None:
    made: dict[str, Any] = {
        "name": "canaries",
        "level": logging.ERROR,
        "fn": "app.py",
        "lno": 1,
        "msg": "a record",
        "args": (),
        "exc_info": None,
        **fields,
    }
    _log.handle(_log.makeRecord(**made))


def _level(secret: str) -> None:
    logging.addLevelName(33, secret)
    _log.log(33, "a level of its own")
    logging.addLevelName(33, "Level 33")


def _thread(secret: str) -> None:
    def fail() -> None:
        raise RuntimeError("in a thread")

    made = threading.Thread(target=fail, name=secret)
    made.start()
    made.join()


async def _task(secret: str) -> None:
    async def fail() -> None:
        raise RuntimeError("in a task")

    task = asyncio.create_task(fail(), name=secret)
    await asyncio.wait([task])
    asyncio.get_running_loop().call_exception_handler({"message": "a task failed", "task": task})


def _raise(error: BaseException) -> None:
    try:
        raise error
    except BaseException as raised:  # groups, too
        _log.critical("it failed", exc_info=raised)


def _with_note(secret: str) -> None:
    error = ValueError("with a note")
    error.add_note(secret)
    _raise(error)


def _with_cause(secret: str) -> None:
    try:
        raise ValueError(secret)
    except ValueError as error:
        try:
            raise RuntimeError("because") from error
        except RuntimeError:
            _log.exception("with a cause")


def _span(name: str = "a span", **fields: Any) -> Any:
    return trace.get_tracer("canaries").start_as_current_span(name, **fields)


def _on_span(change: Callable[[Any, str], object]) -> Place:
    def say(secret: str) -> None:
        with _span() as span:
            change(span, secret)

    return say


def _state(key: str, value: str) -> Any:
    context = SpanContext(
        0xABC, 0xDEF, is_remote=True, trace_state=TraceState([(key, value)]), trace_flags=TraceFlags(1)
    )
    return trace.NonRecordingSpan(context)


def _inherited(key: str, value: str) -> None:
    with _span(context=trace.set_span_in_context(_state(key, value))):
        pass


def _linked(key: str, value: str) -> None:
    with _span(links=[Link(_state(key, value).get_span_context(), {value: 1})]):
        pass


def _scope(name: str, version: str | None = None, attributes: Any = None) -> None:
    with trace.get_tracer(name, version, attributes=attributes).start_as_current_span("of a scope"):
        pass


def _counter(name: str = "canaries_counted", **fields: Any) -> Any:
    return metrics.get_meter("canaries").create_counter(name, **fields)


def _observed(secret: str) -> None:
    def observe(_options: Any) -> list[Observation]:
        return [Observation(1, {secret: secret})]

    metrics.get_meter("canaries").create_observable_gauge("canaries_observed", [observe])


def _meter(name: str, version: str | None = None) -> None:
    metrics.get_meter(name, version).create_counter("canaries_of_a_meter").add(1)


def _native(**fields: Any) -> None:
    _logs.get_logger("canaries", "1").emit(LogRecord(severity_number=SeverityNumber.ERROR, **fields))


def _condition(**fields: Any) -> None:
    made: dict[str, Any] = {
        "key": "canary",
        "level": AlertLevel.ERROR,
        "component": "c",
        "summary": "it is so",
        **fields,
    }
    fire(Condition(**made))


def _job(name: str = "canary", metadata: Any = None, error: Exception | None = None) -> None:
    try:
        with monitor_job(name, metadata=metadata):
            if error is not None:
                raise error
    except RuntimeError:
        pass


NAMES_AND_KEYS: Final[dict[str, Place]] = {
    "logger": lambda secret: logging.getLogger(secret).error("from a logger"),
    "child logger": lambda secret: logging.getLogger(f"shop.{secret}.sync").warning("from a logger"),
    "level name": _level,
    "function": lambda secret: _record(func=secret),
    "module": lambda secret: _record(fn=f"{secret}.py"),
    "path of the code": lambda secret: _record(fn=f"/srv/{secret}/app.py"),
    "stack": lambda secret: _record(sinfo=f"Stack:\n  {secret}"),
    "thread": _thread,
    "extra key": lambda secret: _log.error("with extra", extra={secret: 1}),
    "extra key in it": lambda secret: _log.error("with extra", extra={"more": {"in": [{secret: 1}]}}),
    "extra key of bytes": lambda secret: _log.error("with extra", extra={"more": {secret.encode(): 1}}),
    "extra key in a tuple": lambda secret: _log.error("with extra", extra={"more": {("a", secret): 1}}),
    "extra key in a set": lambda secret: _log.error("with extra", extra={"more": {frozenset((secret,)): 1}}),
    "extra value": lambda secret: _log.error("with extra", extra={"more": secret}),
    "extra of a foreign type": lambda secret: _log.error("with extra", extra={"more": ValueError(secret)}),
    "argument": lambda secret: _log.error("with %s", secret),
    "argument that does not fit": lambda secret: _log.error("with %d", secret),
    "warning": lambda secret: warnings.warn(secret, stacklevel=1),
    "class of an exception": lambda secret: _raise(type(secret, (Exception,), {})("of a class")),
    "note of an exception": _with_note,
    "cause of an exception": _with_cause,
    "member of a group": lambda secret: _raise(ExceptionGroup("several", [ValueError(secret), KeyError(secret)])),
    "key that is missing": lambda secret: _raise(KeyError(secret)),
    "file that is missing": lambda secret: _raise(FileNotFoundError(2, "no such file", f"/srv/{secret}")),
    "alert": lambda secret: get_alert_service().report(secret),
    "alert component": lambda secret: get_alert_service().report("of a component", component=secret),
    "alert cause": lambda secret: get_alert_service().report("with a cause", inhibited_by=secret),
    "component in extra": lambda secret: _log.error("of a component", extra={"component": secret}),
    "alert fingerprint": lambda secret: _log.error("with an identity", extra={"alert.fingerprint": secret}),
    "condition": lambda secret: _condition(key=f"canary:{secret}"),
    "fact name": lambda secret: _condition(key="facts", facts={secret: "a value"}),
    "fact value": lambda secret: _condition(key="values", facts={"a name": secret}),
    "condition's component": lambda secret: _condition(key="component", component=secret),
    "condition's summary": lambda secret: _condition(key="summary", summary=secret),
    "span name": lambda secret: _span(secret).__enter__().end(),
    "attribute key": _on_span(lambda span, secret: span.set_attribute(secret, 1)),
    "attribute value": _on_span(lambda span, secret: span.set_attribute("a", [secret])),
    "event name": _on_span(lambda span, secret: span.add_event(secret)),
    "event key": _on_span(lambda span, secret: span.add_event("an event", {secret: 1})),
    "status": _on_span(lambda span, secret: span.set_status(trace.StatusCode.ERROR, secret)),
    "link key": lambda secret: _linked("a", secret),
    "link trace state": lambda secret: _linked("linked", secret),
    "trace state value": lambda secret: _inherited("vendor", secret),
    "trace state key": lambda secret: _inherited(secret, "value"),
    "scope": _scope,
    "scope version": lambda secret: _scope("canaries.version", secret),
    "scope attribute": lambda secret: _scope("canaries.attribute", attributes={secret: secret}),
    "client span": lambda secret: _span(f"GET {secret}", kind=SpanKind.CLIENT).__enter__().end(),
    "metric": lambda secret: _counter(f"canary_{secret}").add(1),
    "metric description": lambda secret: _counter("canaries_described", description=f"Counts {secret}.").add(1),
    "metric unit": lambda secret: _counter("canaries_in_units", unit=f"{{{secret}}}").add(1),
    "metric key": lambda secret: _counter().add(1, {secret: 1}),
    "metric value": lambda secret: _counter().add(1, {"a": secret}),
    "observed attribute": _observed,
    "histogram description": lambda secret: (
        metrics.get_meter("canaries").create_histogram("canaries_timed", description=secret).record(1)
    ),
    "meter": _meter,
    "meter version": lambda secret: _meter("canaries.version", secret),
    "body of a native record": lambda secret: _native(body={"a": {secret: [secret]}}),
    "event of a native record": lambda secret: _native(event_name=secret, body="an event"),
    "severity of a native record": lambda secret: _native(severity_text=secret, body="a severity"),
    "key of a native record": lambda secret: _native(attributes={secret: 1}, body="a key"),
    "job": lambda secret: _job(f"canary-{secret}"),
    "metadata key": lambda secret: _job(metadata={"a": {secret: 1}}),
    "metadata value": lambda secret: _job(metadata={"a": [secret]}),
    "error of a job": lambda secret: _job(error=RuntimeError(secret)),
}
IN_REQUESTS: Final = ("X-Request-ID", "tracestate", "user-agent", "referer", "path", "query", "host")
ON_LOOP: Final[dict[str, Callable[[str], Any]]] = {"task": _task}
SILENCES: Final = ("silence reason", "silence component")
SPOKEN: Final = tuple(name for number, name in enumerate(FORMS) if "as it is" in name or number % 9 == 0)
TABLE: Final = (*NAMES_AND_KEYS, *ON_LOOP, *IN_REQUESTS, *SILENCES, *(f"form: {name}" for name in SPOKEN))
"""Each has a secret of its own."""
PLAIN: Final = (*NAMES_AND_KEYS, *ON_LOOP, *IN_REQUESTS, *SILENCES)


def core(place: str) -> str:
    """The middle of the secret, which no escape changes, and which is nowhere else."""
    return hashlib.sha256(place.encode()).hexdigest()[:12]


def secret_of(place: str) -> str:
    return f"x1{core(place)}q7" if place in PLAIN else f"x/{core(place)}&'\"é+z"


def variables() -> dict[str, str]:
    return {f"CANARY_{number:03d}_TOKEN": secret_of(place) for number, place in enumerate(TABLE)}


def application() -> FastAPI:
    from service.main import create_app  # noqa: PLC0415  # where the tests import the table, no service is wanted

    app = create_app()

    @app.get("/canaries/say")
    async def say() -> list[str]:
        failed = []
        for place, speak in NAMES_AND_KEYS.items():
            try:
                await asyncio.to_thread(speak, secret_of(place))
            except Exception as error:  # a place that is none is a finding of its own
                failed.append(f"{place}: {type(error).__name__}")
        for place, coroutine in ON_LOOP.items():
            await coroutine(secret_of(place))
        await asyncio.to_thread(_speak_forms)
        silences = app.state.telemetry.alerts.silences
        silences.create("canaries", 4e9, f"because of {secret_of('silence reason')}", 1.0)
        silences.create(secret_of("silence component"), 4e9, "because", 1.0)
        return failed

    return app


def _speak_forms() -> None:
    for name in SPOKEN:
        encode, secret = FORMS[name], secret_of(f"form: {name}")
        for cut in CUTS:
            _log.warning("before %s, and after", encode(secret[cut]))
            _log.warning("before %s, and after", encode(secret)[cut])
