"""A sink for OTLP on loopback: keeps what arrives, or answers nobody."""

import gzip
import http.server
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

SIGNALS: Final[dict[str, type[Message]]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Sink:
    """What arrived. `answers` is switched off for one that takes a request and says nothing more, and `is_away` on for one that keeps
    nothing and says so."""

    def __init__(self, url: str, *, answers: bool) -> None:
        self.url = url
        self.answers, self.is_away = answers, False
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._arrived: list[tuple[str, Any]] = []

    def keep(self, path: str, body: bytes) -> None:
        request = SIGNALS[path]()
        request.ParseFromString(body)
        with self._lock:
            self._arrived.append((path, request))

    def spans(self) -> dict[str, Any]:
        """The spans, by name."""
        return {span.name: span for span in self.every_span()}

    def every_span(self) -> list[Any]:
        requests = self._of("/v1/traces")
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def logs(self) -> dict[str, Any]:
        """The log records, by what they say."""
        requests = self._of("/v1/logs")
        scopes = [scope for request in requests for each in request.resource_logs for scope in each.scope_logs]
        return {record.body.string_value: record for scope in scopes for record in scope.log_records}

    def metrics(self) -> dict[str, Any]:
        """The newest of each metric, by name."""
        return {metric.name: metric for metric in self.every_metric()}

    def every_metric(self) -> list[Any]:
        requests = self._of("/v1/metrics")
        scopes = [scope for request in requests for each in request.resource_metrics for scope in each.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def resources(self) -> list[dict[str, str]]:
        """Whom the signals speak of; one if all agree."""
        found: list[dict[str, str]] = []
        for path, attribute in (
            ("traces", "resource_spans"),
            ("metrics", "resource_metrics"),
            ("logs", "resource_logs"),
        ):
            for request in self._of(f"/v1/{path}"):
                for each in getattr(request, attribute):
                    if (said := _attributes(each.resource)) not in found:
                        found.append(said)
        return found

    def paths(self) -> set[str]:
        with self._lock:
            return {path for path, _ in self._arrived}

    def _of(self, path: str) -> list[Any]:
        with self._lock:
            return [request for arrived, request in self._arrived if arrived == path]


def _attributes(resource: Resource) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in resource.attributes}


@contextmanager
def sink(*, answers: bool = True) -> Generator[Sink]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        server.daemon_threads = True
        server.sink = Sink(f"http://127.0.0.1:{server.server_port}", answers=answers)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.sink  # type: ignore[attr-defined]
        finally:
            server.sink.over.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join(5)


class _Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink: Sink = self.server.sink  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        if not sink.answers:
            sink.over.wait(60)
            self.close_connection = True
            return
        if sink.is_away:
            self.send_error(503)
            return
        sink.keep(self.path, gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Nothing: the test says what it saw."""
