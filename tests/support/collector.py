"""The real Collector with otel-collector.yaml, which can be killed and started again."""

import secrets
import signal
import time
from pathlib import Path

import httpx
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.processes import ROOT, Programs, answers, free_port


class Collector:
    """One with the same ports and the same disk whenever it is started."""

    def __init__(
        self, programs: Programs, program: Path, store: str, metrics_port: int = 0, **environment: str
    ) -> None:
        self._programs, self._program = programs, program
        self.port = free_port()
        self.metrics_port = metrics_port or free_port()
        self._environment = {
            "COLLECTOR_HOST": "127.0.0.1",
            "COLLECTOR_HEALTH_PORT": str(free_port()),
            "COLLECTOR_GRPC_PORT": str(free_port()),
            "COLLECTOR_HTTP_PORT": str(self.port),
            "COLLECTOR_METRICS_PORT": str(self.metrics_port),
            "COLLECTOR_DATA_DIR": str(programs.home / f"collector-{self.port}"),
            **dict.fromkeys(("TEMPO_OTLP_ENDPOINT", "LOKI_OTLP_ENDPOINT", "PROMETHEUS_OTLP_ENDPOINT"), store),
            **environment,
        }
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.launch()
        self.process.wait_for("/")

    def launch(self) -> None:
        """Start it, without waiting until it is ready."""
        self.process = self._programs.start_command(
            str(self._program),
            f"--config={ROOT / 'otel-collector.yaml'}",
            port=int(self._environment["COLLECTOR_HEALTH_PORT"]),
            **self._environment,
        )

    def is_ready(self) -> bool:
        return answers(self.process, "/")

    def stop(self, by: signal.Signals) -> None:
        self.process.tell(by)
        self.process.exit_code()

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def send(self, signal_name: str, request: Message) -> None:
        """Raises AssertionError if it is not accepted."""
        headers = {"content-type": "application/x-protobuf"}
        url = f"{self.url}/v1/{signal_name}"
        answer = httpx.post(url, content=request.SerializeToString(), headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text

    def send_spans(self, number: int = 1, size: int = 10) -> list[bytes]:
        """Failed ones, each of a trace of its own, with so many characters in its status; the ids of the traces."""
        request, now = ExportTraceServiceRequest(), time.time_ns()
        spans = request.resource_spans.add().scope_spans.add().spans
        for _ in range(number):
            span = spans.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8), name="call")
            span.start_time_unix_nano, span.end_time_unix_nano, span.status.code = now, now + 1000, 2
            span.status.message = "x" * size  # which is not searched for secrets: that would take minutes
        self.send("traces", request)
        return [span.trace_id for span in spans]

    def dropped(self) -> list[str]:
        """What it says of what it has given up."""
        return [line for line in self.process.said().splitlines() if "Dropping data" in line]

    def page(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
