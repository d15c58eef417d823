"""The reference of all signals: what the service in its sandbox sends to a strict OTLP receiver, as tables.

`python -m tests.support.signal_reference` writes `docs/reference/signals.md`.
"""

import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support import semantic_conventions
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import ROOT, Program, Programs, eventually, free_port

REFERENCE: Final = ROOT / "docs/reference/signals.md"
SCENARIO: Final = "scenario"
"""The scope of the scenario's own spans and log records."""
SECRET: Final = "scenario-5ecret-4111"
"""What no signal may contain."""
OPS_TOKEN: Final = "the-operators-own"
_KINDS: Final = {"sum": "counter", "gauge": "gauge", "histogram": "histogram"}
_HEAD: Final = """# Signals by OTLP

Every instrument, span and attribute that goes out. Made by `make reference` from what the service in its sandbox sends to a strict receiver; a test
fails when this page differs. On `/metrics` the instruments have [the names of the service](metrics.md).

The last column compares with OpenTelemetry's semantic conventions {version}, of the installed `opentelemetry-semantic-conventions`: `stable`,
`development`, `generative AI` (moved to conventions of their own), `deprecated`, or `own` where the conventions have no name.
"""


@dataclass
class Signals:
    """What arrived: by scope, then by instrument or by kind of span, the attributes."""

    resource: set[str] = field(default_factory=set)
    schemas: dict[str, str] = field(default_factory=dict)
    instruments: dict[tuple[str, str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    spans: dict[tuple[str, str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    logs: set[str] = field(default_factory=set)
    violations: set[str] = field(default_factory=set)


def collect() -> Signals:
    """Run the service, make everything happen once, end it, and return what it sent until then."""
    with tempfile.TemporaryDirectory() as home, otlp_receiver() as receiver:
        programs = Programs(Path(home))
        try:
            run_scenario(programs, receiver.url)
        finally:
            programs.kill()
        return read(receiver)


def run_scenario(programs: Programs, endpoint: str) -> None:
    """Make everything happen once in a service that sends there, and end it, with its last signals sent."""
    service = programs.uvicorn(
        "tests.support.signal_scenario:make_app",
        "--factory",
        SANDBOX="true",
        SANDBOX_PORT=str(free_port()),
        SCHEDULER="false",
        OPS_TOKEN=OPS_TOKEN,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_TRACES_SAMPLER="always_on",
    )
    service.wait_for("/readyz", within=240)
    for path in (
        f"/scenario/items/5?token={SECRET}",
        "/scenario/crash",
        "/api/v1/orders?limit=odd",
        "/nowhere",
        "/metrics",
    ):
        service.get(path)
    httpx.request("FETCH", f"{service.url}/scenario/items/5", trust_env=False)
    with connect(f"{service.url.replace('http', 'ws', 1)}/scenario/talk") as websocket, suppress(ConnectionClosed):
        websocket.recv(timeout=10)
    assert service.get("/scenario/run", timeout=300).status_code == 200, service.said()
    eventually(lambda: _are_alerts_sent(service), within=120)
    service.tell(signal.SIGTERM)
    service.exit_code(120)


def _are_alerts_sent(service: Program) -> bool:
    """Sent is also measured: the counter is on the page before the alert is shown as sent."""
    alerts = service.get("/alerts", Authorization=f"Bearer {OPS_TOKEN}").json()
    return bool(alerts["alerts"]) and alerts["pending"] == 0


def read(receiver: OtlpReceiver) -> Signals:
    found = Signals()
    for resource, scope, schema, items in _scopes(receiver):
        found.resource |= _keys(resource.attributes, "the resource", found)
        found.schemas["(resource)"] = resource_schema(receiver)
        for item in items:
            _read_item(scope, item, found)
            if SECRET.encode() in item.SerializeToString():
                found.violations.add(f"{scope}: {getattr(item, 'name', 'a log record')} has a secret")
        if not hasattr(items[0], "severity_number"):  # the scopes of log records are the loggers
            found.schemas[scope] = schema
        elif schema != found.schemas["(resource)"]:
            found.violations.add(f"logger {scope} has the schema {schema!r}")
    return found


def resource_schema(receiver: OtlpReceiver) -> str:
    [schema] = {each.schema_url for path in ("spans", "metrics", "logs") for each in _resources(receiver, path)}
    return str(schema)


def _resources(receiver: OtlpReceiver, kind: str) -> Iterator[Any]:
    path = "/v1/traces" if kind == "spans" else f"/v1/{kind}"
    for request in receiver.requests(path):
        yield from getattr(request, f"resource_{kind}")


def _scopes(receiver: OtlpReceiver) -> Iterator[tuple[Any, str, str, list[Any]]]:
    for kind, items in (("spans", "spans"), ("metrics", "metrics"), ("logs", "log_records")):
        for each in _resources(receiver, kind):
            for scope in getattr(each, f"scope_{kind}"):
                found = list(getattr(scope, items))
                if found and (scope.scope.name != SCENARIO or kind == "logs"):
                    yield each.resource, scope.scope.name, scope.schema_url, found


def _read_item(scope: str, item: Any, found: Signals) -> None:
    if isinstance(item, Span):
        _read_span(scope, item, found)
    elif hasattr(item, "severity_number"):
        if scope == SCENARIO:
            found.logs |= _keys(item.attributes, "a log record", found)
    else:
        _read_metric(scope, item, found)


def _read_span(scope: str, span: Span, found: Signals) -> None:
    where = f"span {span.name}"
    key = (scope, Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(), _pattern(span))
    found.spans[key] |= _keys(span.attributes, where, found)
    for event in span.events:
        found.spans[scope, "event", event.name] |= _keys(event.attributes, where, found)
    if not span.name or not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        found.violations.add(f"{where} has no name, or no times")


def _pattern(span: Span) -> str:
    """The name, with what varies as a placeholder."""
    values = {each.key: each.value.string_value for each in span.attributes}
    for key in ("db.query.summary", "http.route", "url.template", "gen_ai.request.model", "job.name"):
        if value := values.get(key):
            return span.name.replace(value, f"{{{key}}}", 1).replace(
                values.get("http.request.method", "\0"), "{method}", 1
            )
    if span.name.startswith("alert "):
        return "alert {kind of message}"
    if "db.system.name" in values:
        return "other statements"
    return span.name.replace(values.get("http.request.method", "\0"), "{method}", 1)


def _read_metric(scope: str, metric: Any, found: Signals) -> None:
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    name = "updowncounter" if kind == "sum" and not data.is_monotonic else _KINDS.get(kind, kind)
    if not metric.name or not metric.description:
        found.violations.add(f"instrument {metric.name} has no name, or no description")
    for point in data.data_points:
        found.instruments[scope, metric.name, name, metric.unit] |= _keys(point.attributes, metric.name, found)


def _keys(attributes: Iterable[Any], where: str, found: Signals) -> set[str]:
    keys = [each.key for each in attributes]
    if len(keys) != len(set(keys)) or "" in keys:
        found.violations.add(f"{where} has an attribute twice, or one without a name")
    return set(keys)


def render(found: Signals, version: str) -> str:
    parts = [_HEAD.format(version=version)]
    parts += ["## Resource\n", _table(("attribute", "conventions"), _with_status(found.resource))]
    parts += ["## Schemas\n", _table(("scope", "schema"), sorted(found.schemas.items()))]
    for scope, instruments in _by_scope(found.instruments):
        rows = [
            (*_code(each[:1]), *each[1:], _list(attributes), _of_instrument(each)) for each, attributes in instruments
        ]
        parts += [
            f"## Instruments of `{scope}`\n",
            _table(("instrument", "type", "unit", "attributes", "conventions"), rows),
        ]
    for scope, spans in _by_scope(found.spans):
        rows = [(each[1], each[0], _list(attributes)) for each, attributes in spans]
        parts += [f"## Spans of `{scope}`\n", _table(("name", "kind", "attributes"), rows)]
    parts += ["## Log records of errors\n", _table(("attribute", "conventions"), _with_status(found.logs))]
    used = set[str]().union(*found.spans.values(), *found.instruments.values())
    parts += ["## Attributes of instruments and spans\n", _table(("attribute", "conventions"), _with_status(used))]
    return "\n".join(parts)


def _by_scope(items: Mapping[tuple[str, ...], set[str]]) -> list[tuple[str, list[tuple[tuple[str, ...], set[str]]]]]:
    scopes: dict[str, list[tuple[tuple[str, ...], set[str]]]] = defaultdict(list)
    for (scope, *rest), attributes in sorted(items.items()):
        scopes[scope].append((tuple(rest), attributes))
    return sorted(scopes.items())


def _of_instrument(instrument: tuple[str, ...]) -> str:
    return semantic_conventions.instrument(instrument[0]).status


def _with_status(names: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", semantic_conventions.attribute(name).status) for name in sorted(names)]


def _list(names: Iterable[str]) -> str:
    return ", ".join(_code(sorted(names))) or "none"


def _code(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    from telemetry import semconv

    REFERENCE.parent.mkdir(exist_ok=True)
    REFERENCE.write_text(render(collect(), semconv.SCHEMA_URL.rpartition("/")[2]))
    sys.stdout.write(f"Wrote {REFERENCE.relative_to(ROOT)}.\n")
