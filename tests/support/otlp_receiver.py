"""An OTLP/HTTP receiver on loopback: keeps what it receives, hands it on, fails, or does not respond."""

import gzip
import http.server
import math
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
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


class OtlpReceiver:
    """What was received.

    Attributes:
        responds: False for a receiver that accepts requests and never responds.
        is_unavailable: True for a receiver that responds with 503 and keeps nothing.
        max_bytes: what a request may have, uncompressed; one with more is 413, and not kept.
        upstream: the URL of a receiver to which everything is handed on; what that one does not accept is 503, and not kept.
    """

    def __init__(self, url: str, *, responds: bool) -> None:
        self.url = url
        self.responds, self.is_unavailable, self.upstream = responds, False, ""
        self.max_bytes: float = math.inf
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._received: list[tuple[str, Any]] = []

    def keep(self, path: str, body: bytes) -> None:
        request = SIGNALS[path]()
        request.ParseFromString(body)
        with self._lock:
            self._received.append((path, request))

    def is_accepted(self, path: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether there is nobody to hand it on to, or the one accepts it."""
        if not self.upstream:
            return True
        sent = {name: headers[name] for name in ("content-type", "content-encoding") if headers.get(name)}
        try:
            answer = httpx.post(self.upstream + path, content=body, headers=sent, timeout=30, trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK

    def spans(self) -> dict[str, Any]:
        """The spans by name."""
        return {span.name: span for span in self.every_span()}

    def every_span(self) -> list[Any]:
        requests = self.requests("/v1/traces")
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def logs(self) -> dict[str, Any]:
        """The log records by body."""
        requests = self.requests("/v1/logs")
        scopes = [scope for request in requests for each in request.resource_logs for scope in each.scope_logs]
        return {record.body.string_value: record for scope in scopes for record in scope.log_records}

    def metrics(self) -> dict[str, Any]:
        """The newest of each metric by name."""
        return {metric.name: metric for metric in self.every_metric()}

    def every_metric(self) -> list[Any]:
        requests = self.requests("/v1/metrics")
        scopes = [scope for request in requests for each in request.resource_metrics for scope in each.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def resources(self) -> list[dict[str, str]]:
        """The different resources of all signals: one if they agree."""
        found: list[dict[str, str]] = []
        for path, attribute in (
            ("traces", "resource_spans"),
            ("metrics", "resource_metrics"),
            ("logs", "resource_logs"),
        ):
            for request in self.requests(f"/v1/{path}"):
                for each in getattr(request, attribute):
                    if (attributes := _attributes(each.resource)) not in found:
                        found.append(attributes)
        return found

    def paths(self) -> set[str]:
        with self._lock:
            return {path for path, _ in self._received}

    def requests(self, path: str) -> list[Any]:
        with self._lock:
            return [request for received, request in self._received if received == path]


def _attributes(resource: Resource) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in resource.attributes}


@contextmanager
def otlp_receiver(*, responds: bool = True) -> Generator[OtlpReceiver]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        server.receiver = OtlpReceiver(f"http://127.0.0.1:{server.server_port}", responds=responds)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.receiver  # type: ignore[attr-defined]
        finally:
            server.receiver.closed.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join(5)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: OtlpReceiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        if not receiver.responds:
            receiver.closed.wait(60)
            self.close_connection = True
            return
        if receiver.is_unavailable or not receiver.is_accepted(self.path, body, self.headers):
            self.send_error(503)
            return
        whole = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
        if len(whole) > receiver.max_bytes:
            self.send_error(413)
            return
        receiver.keep(self.path, whole)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Log nothing."""
