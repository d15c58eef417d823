"""VictoriaLogs and Jaeger as docker-compose.yml has them, on loopback, which can be stopped, killed and started again."""

import json
import re
import signal
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.support.processes import ROOT, Programs, answers, free_port

_STARTED_WITHIN: Final = 120.0


class StoreProgram(ABC):
    """A program with the same port and the same disk whenever it is started."""

    ready_path = "/"

    def __init__(self, programs: Programs, program: Path) -> None:
        self.programs, self.program = programs, program
        self.port, self.ready_port = free_port(), free_port()
        self.home = programs.home / f"{program.name}-{self.port}"
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """The program's arguments."""

    def environment(self) -> dict[str, str]:
        return {}

    def start(self) -> None:
        self.launch()
        self.process.wait_for(self.ready_path, within=_STARTED_WITHIN)

    def launch(self) -> None:
        """Start it, without waiting until it is ready."""
        self.process = self.programs.start_command(
            str(self.program), *self.command(), port=self.ready_port, **self.environment()
        )

    def is_ready(self) -> bool:
        return answers(self.process, self.ready_path)

    def stop(self, by: signal.Signals) -> None:
        self.process.tell(by)
        self.process.exit_code(_STARTED_WITHIN)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


class VictoriaLogs(StoreProgram):
    """The flags are those of docker-compose.yml, but for the place of the data."""

    ready_path = "/health"

    def __init__(self, programs: Programs, program: Path, *flags: str) -> None:
        self.flags = flags
        super().__init__(programs, program)

    @property
    def otlp(self) -> str:
        return f"{self.url}/insert/opentelemetry"

    def command(self) -> list[str]:
        self.ready_port = self.port
        deployed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["victorialogs"]["command"]
        kept = [flag for flag in deployed if not flag.startswith("-storageDataPath")]
        return [*kept, f"-storageDataPath={self.home}", f"-httpListenAddr=127.0.0.1:{self.port}", *self.flags]

    def has_written_all(self) -> bool:
        """Whether everything that it has confirmed is on the disk: what a kill does not take with it."""
        page = self.process.get("/metrics").text
        waiting = re.findall(
            r'^vl_(?:pending_rows|storage_rows)\{type="(?:storage|indexdb|storage/inmemory)"\} (\d+)',
            page,
            re.MULTILINE,
        )
        return len(waiting) >= 2 and not any(map(int, waiting))  # rows, and rows of its index

    def records(self) -> Counter[tuple[int, str]]:
        """How often each log record is there: by its time in nanoseconds and its text."""
        return Counter((_nanoseconds(row["_time"]), row.get("_msg", "")) for row in self._rows("*"))

    def trace_ids(self, text: str) -> dict[str, str]:
        """The trace of each record with this phrase in its text, by its text."""
        return {row["_msg"]: row.get("trace_id", "") for row in self._rows(json.dumps(text))}

    def _rows(self, query: str) -> Iterator[dict[str, Any]]:
        asked = {"query": query, "limit": "0"}
        answer = httpx.post(f"{self.url}/select/logsql/query", data=asked, timeout=60, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        for line in answer.text.splitlines():
            yield json.loads(line)


def _nanoseconds(time: str) -> int:
    """Of a time such as 2026-01-31T12:00:00.123456789Z: what is behind the second, and the second by itself."""
    whole, _, rest = time.removesuffix("Z").partition(".")
    second = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return int(second.timestamp()) * 10**9 + int(rest.ljust(9, "0"))


class Jaeger(StoreProgram):
    """Its configuration is deploy/jaeger/jaeger.yaml as it is."""

    ready_path = "/status"

    def __init__(self, programs: Programs, program: Path, *arguments: str) -> None:
        self.otlp_port, self.grpc_port, self.arguments = free_port(), free_port(), arguments
        super().__init__(programs, program)

    @property
    def otlp(self) -> str:
        return f"http://127.0.0.1:{self.otlp_port}"

    def command(self) -> list[str]:
        return [f"--config={ROOT / 'deploy' / 'jaeger' / 'jaeger.yaml'}", *self.arguments]

    def environment(self) -> dict[str, str]:
        return {
            "JAEGER_LISTEN_HOST": "127.0.0.1",
            "JAEGER_HEALTH_PORT": str(self.ready_port),
            "JAEGER_QUERY_PORT": str(self.port),
            "JAEGER_QUERY_GRPC_PORT": str(self.grpc_port),
            "JAEGER_OTLP_PORT": str(self.otlp_port),
            "JAEGER_DATA_DIR": str(self.home),
        }

    def span_ids(self, trace_id: str) -> set[str]:
        """Those of a trace; empty if it is not there."""
        answer = httpx.get(f"{self.url}/api/traces/{trace_id}", timeout=60, trust_env=False)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return set()
        assert answer.status_code == httpx.codes.OK, answer.text
        return {span["spanID"] for trace in answer.json()["data"] for span in trace["spans"]}
