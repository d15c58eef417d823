"""What OpenTelemetry's semantic conventions ask of HTTP servers, at a real server with a strict OTLP receiver."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry import providers
from tests.support.otlp_receiver import otlp_receiver
from tests.support.served_application import ServedApplication, served_application
from tests.support.signal_scenario import make_watched_app

SECRET = "s3cret-of-a-query"
FOUND = "/scenario/items/5"


class Server:
    """What arrived of the requests that were sent."""

    def __init__(self, receiver: Any, port: int) -> None:
        self.port = port
        self._spans = [_attributes(span) for span in receiver.every_span() if span.kind == span.SPAN_KIND_SERVER]
        self._metrics = receiver.metrics()

    def span(self, path: str, **wanted: Any) -> dict[str, Any]:
        """The attributes of the span of a request."""
        found = [
            span
            for span in self._spans
            if span["url.path"] == path and all(span.get(name.replace("__", ".")) == wanted[name] for name in wanted)
        ]
        assert len(found) == 1, [span["url.path"] for span in self._spans]
        return found[0]

    def points(self, instrument: str) -> list[dict[str, Any]]:
        metric = self._metrics[instrument]
        return [_attributes(point) for point in getattr(metric, metric.WhichOneof("data")).data_points]


def _attributes(item: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in item.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("conventions")
    database = shutil.copy(sqlite_template, home / "shop.db")
    variables = {
        "DATABASE_URL": f"sqlite:///{database}",
        "DATA_DIR": f"{home}/var",
        "LOG_DIR": f"{home}/var/log",
        "SCHEDULER": "false",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    with otlp_receiver() as receiver, pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}.items():
            patch.setenv(name, value)
        patch.setattr(providers, "JobSampler", providers.JobSampler)  # put back at the end
        with served_application(make_watched_app()) as service:
            service.get(f"{FOUND}?page=2&token={SECRET}")
            service.get("/scenario/crash")
            service.get("/nowhere/5")
            _send(service, f"PROPFIND {FOUND}/other HTTP/1.1")
            _send(service, "GET /scenario/items/10 HTTP/1.0")
        yield Server(receiver, service.port)


def _send(service: ServedApplication, line: str) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(f"{line}\r\nhost: localhost:{service.port}\r\nconnection: close\r\n\r\n".encode())
        while connection.recv(65536):
            pass


def test_a_request_has_its_method_route_path_scheme_and_status(server):
    assert (
        server.span(FOUND).items()
        >= {
            "http.request.method": "GET",
            "http.route": "/scenario/items/{item_id}",
            "url.path": FOUND,
            "url.scheme": "http",
            "http.response.status_code": 200,
        }.items()
    )


def test_a_request_names_the_server_that_the_client_asked_for(server):
    span = server.span(FOUND)
    assert (span.get("server.address"), span.get("server.port")) == ("127.0.0.1", server.port)


def test_a_request_names_its_client(server):
    assert server.span(FOUND).get("client.address") == "127.0.0.1"


def test_the_query_is_redacted(server):
    query = server.span(FOUND).get("url.query")
    assert query is not None
    assert "page=2" in query
    assert SECRET not in query


def test_a_request_has_the_version_of_its_protocol(server):
    assert server.span(FOUND)["network.protocol.version"] == "1.1"
    assert server.span("/scenario/items/10")["network.protocol.version"] == "1.0"


def test_an_unknown_method_is_kept_beside_its_class(server):
    span = server.span(f"{FOUND}/other")
    assert span["http.request.method"] == "_OTHER"
    assert span.get("http.request.method_original") == "PROPFIND"


def test_a_crash_has_the_type_of_its_error_in_span_and_duration(server):
    span = server.span("/scenario/crash")
    assert span["http.response.status_code"] == 500
    assert span["error.type"] in {"RuntimeError", "500"}
    [point] = [
        each for each in server.points("http.server.request.duration") if each.get("http.route") == "/scenario/crash"
    ]
    assert point["error.type"] == span["error.type"]


def test_a_refused_request_is_no_error_of_the_server(server):
    span = server.span("/nowhere/5")
    assert span["http.response.status_code"] == 404
    assert "error.type" not in span


def test_a_sampler_sees_the_request_when_its_span_starts(server):
    assert set(server.span(FOUND).get("at_start", ())) >= {
        "client.address",
        "http.request.method",
        "server.address",
        "server.port",
        "url.path",
        "url.query",
        "url.scheme",
        "user_agent.original",
    }


def test_active_requests_have_method_and_scheme(server):
    assert {"http.request.method": "GET", "url.scheme": "http"}.items() <= server.points("http.server.active_requests")[
        0
    ].items()


def test_durations_have_the_attributes_that_the_conventions_require(server):
    for point in server.points("http.server.request.duration"):
        assert point.keys() >= {"http.request.method", "url.scheme", "http.response.status_code"}


def test_durations_have_the_version_of_the_protocol(server):
    assert all("network.protocol.version" in point for point in server.points("http.server.request.duration"))
