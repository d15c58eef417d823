"""Prometheus of docker-compose.yml with deploy/prometheus, which can be stopped, killed and started again."""

import math
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from tests.support.processes import ROOT, Programs, answers, free_port

_DEPLOYED: Final = ROOT / "deploy" / "prometheus"


@dataclass(frozen=True)
class Series:
    """One series with its samples: the moment of each, and its value."""

    labels: dict[str, str]
    samples: list[tuple[float, float]]


class DeployedPrometheus:
    """Its rules and its configuration are those of deploy/prometheus, but for where its targets are and how often they are scraped."""

    def __init__(self, programs: Programs, program: Path, targets: dict[str, int], interval: str, token: str) -> None:
        """`targets` are ports by the name of the job; jobs without one are left out."""
        self._programs, self._program, self.port = programs, program, free_port()
        self._home = programs.home / f"prometheus-{self.port}"
        shutil.copytree(_DEPLOYED, self._home)
        (self._home / "ops_token").write_text(token)
        self._configure({**targets, "prometheus": self.port}, interval)
        self.start()

    def _configure(self, targets: dict[str, int], interval: str) -> None:
        file = self._home / "prometheus.yml"
        config = yaml.safe_load(file.read_text())
        config["global"] |= {"scrape_interval": interval, "scrape_timeout": interval}
        config["alerting"] = {}
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in targets]
        for job in config["scrape_configs"]:
            job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
            if "authorization" in job:
                job["authorization"]["credentials_file"] = str(self._home / "ops_token")
        file.write_text(yaml.safe_dump(config))

    @property
    def otlp(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/otlp"

    def start(self) -> None:
        self.launch()
        self.process.wait_for("/-/ready", within=120)

    def launch(self) -> None:
        """Start it, without waiting until it is ready."""
        self.process = self._programs.start_command(
            str(self._program),
            f"--config.file={self._home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._home / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
            port=self.port,
        )

    def is_ready(self) -> bool:
        return answers(self.process, "/-/ready")

    def stop(self, by: signal.Signals) -> None:
        self.process.tell(by)
        self.process.exit_code()

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Raises AssertionError if Prometheus refuses it."""
        url = f"http://127.0.0.1:{self.port}/api/v1/query"
        asked = {"query": expression} if at is None else {"query": expression, "time": f"{at:.3f}"}
        answer = httpx.get(url, params=asked, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def number(self, expression: str, at: float | None = None) -> float:
        return math.fsum(float(each["value"][1]) for each in self.query(expression, at))

    def series(self, selector: str, seconds: float) -> list[Series]:
        """All that is kept of the last seconds."""
        return [
            Series(each["metric"], [(float(at), float(value)) for at, value in each["values"]])
            for each in self.query(f"{selector}[{math.ceil(seconds)}s]")
        ]

    def names(self) -> list[str]:
        url = f"http://127.0.0.1:{self.port}/api/v1/label/__name__/values"
        found: list[str] = httpx.get(url, timeout=60, trust_env=False).json()["data"]
        return found

    def page(self) -> str:
        return self.process.get("/metrics").text
