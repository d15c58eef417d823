"""The real Collector with otel-collector.yaml, which can be killed and started again."""

import signal
from pathlib import Path

import httpx

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

    def kill(self) -> None:
        self.process.tell(signal.SIGKILL)
        self.process.exit_code()

    def page(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", trust_env=False).text
