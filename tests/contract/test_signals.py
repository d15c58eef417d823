"""All signals by OTLP, held against OpenTelemetry's semantic conventions and against their page."""

import re
from typing import Final

import pytest

from telemetry import semconv
from tests.support import semantic_conventions
from tests.support.signal_reference import REFERENCE, Signals, collect, render

# An alert is sent ten seconds after its first occurrence.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("signals")]

OUR_SCOPES: Final = {"telemetry", "service", "service.advice.drafter"}
DESCRIBED_BY_US: Final = {"opentelemetry.instrumentation.httpx"}
SDK: Final = "opentelemetry-sdk"
# Not ours to change: `state` is a name of our own; the SDK adds the last to each exception.
DEPRECATED: Final = {"state", "exception.escaped"}


@pytest.fixture(scope="module")
def signals() -> Signals:
    return collect()


def test_everything_that_goes_out_is_on_its_page(signals):
    """`make reference` writes it."""
    assert render(signals, semconv.SCHEMA_URL.rpartition("/")[2]) == REFERENCE.read_text()


def test_the_receiver_takes_all_of_it(signals):
    assert signals.violations == set()


def test_an_instrument_of_the_conventions_has_their_type_and_unit(signals):
    differing = {
        name: (kind, unit)
        for scope, name, kind, unit in signals.instruments
        if (said := semantic_conventions.instrument(name)).kind
        and (said.kind, said.unit) != (kind, unit)
        and scope != SDK
    }

    assert differing == {}


def test_nothing_deprecated_goes_out(signals):
    attributes = set[str]().union(
        *signals.spans.values(), *signals.instruments.values(), signals.resource, signals.logs
    )
    deprecated = {each for each in attributes if semantic_conventions.attribute(each).status == "deprecated"}
    deprecated |= {
        name for _, name, _, _ in signals.instruments if semantic_conventions.instrument(name).status == "deprecated"
    }

    assert deprecated == DEPRECATED


def test_the_resource_and_each_scope_of_ours_have_the_schema_of_the_conventions(signals):
    assert signals.schemas.keys() >= OUR_SCOPES
    assert {signals.schemas[scope] for scope in (*OUR_SCOPES, *DESCRIBED_BY_US, "(resource)")} == {semconv.SCHEMA_URL}


def attributes_of_spans(signals, scope, kind):
    [found] = [
        keys for (its_scope, its_kind, name), keys in signals.spans.items() if (its_scope, its_kind) == (scope, kind)
    ]
    return found


def test_the_attributes_that_the_conventions_ask_for_are_on_the_spans_of_queries(signals):
    assert attributes_of_spans(signals, "opentelemetry.instrumentation.sqlalchemy", "client") >= {
        "db.system.name",
        "db.namespace",
        "db.operation.name",
        "db.query.summary",
        "db.query.text",
        "db.response.status_code",
        "error.type",
    }


def test_the_attributes_that_the_conventions_ask_for_are_on_the_spans_of_calls(signals):
    spans = [keys for (scope, kind, _), keys in signals.spans.items() if scope.endswith("httpx") and kind == "client"]
    assert spans
    assert all(
        keys
        >= {
            "error.type",
            "http.request.method",
            "http.response.status_code",
            "network.protocol.version",
            "server.address",
            "server.port",
            "url.full",
        }
        for keys in spans
    )


def test_the_attributes_that_the_conventions_ask_for_are_on_the_spans_of_a_model(signals):
    assert attributes_of_spans(signals, "service.advice.drafter", "client") >= {
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "gen_ai.response.model",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "server.address",
        "server.port",
    }


@pytest.mark.parametrize(
    ("instrument", "attributes"),
    [
        (
            "http.client.request.duration",
            {"http.request.method", "http.response.status_code", "server.address", "server.port", "error.type"},
        ),
        (
            "db.client.operation.duration",
            {"db.system.name", "db.namespace", "db.operation.name", "db.response.status_code", "error.type"},
        ),
        (
            "gen_ai.client.operation.duration",
            {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"},
        ),
        ("db.client.connection.count", {"db.client.connection.pool.name", "db.client.connection.state"}),
        ("process.cpu.time", {"cpu.mode"}),
    ],
)
def test_the_attributes_that_the_conventions_ask_for_are_on_the_instruments(signals, instrument, attributes):
    [found] = [keys for (_, name, _, _), keys in signals.instruments.items() if name == instrument]

    assert found >= attributes


def test_the_page_has_no_value_of_a_run(signals):
    """Ports, times and ids would differ each time."""
    assert not re.search(r"127\.0\.0\.1|:\d{4,5}|[0-9a-f]{16}", render(signals, "1.44.0").replace("https://", ""))
