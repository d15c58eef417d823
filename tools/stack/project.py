"""docker-compose.yml as it is, with the sandbox beside it, in a directory of its own: no `.env` of a developer is read."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from service.sandbox import credentials
from tools.build_cache import NotBuiltError
from tools.stack.engine import Engine
from tools.stack.images import ROOT

API: Final = "http://127.0.0.1:8080"
GRAFANA: Final = "http://127.0.0.1:3000"
SANDBOX: Final = "http://127.0.0.1:8081"
OPS_TOKEN: Final = "stack-ops-token"  # noqa: S105  # invented, as all of them here
_SANDBOX_FILE: Final = Path(__file__).parent / "sandbox.yml"
_WITHIN: Final = 600
_FILES: Final = ("docker-compose.yml", "otel-collector.yaml", "deploy")


def variables() -> dict[str, str]:
    """What a user sets in `.env`: here all external services are the sandbox."""
    sandbox = "http://sandbox:8081"
    return {
        "POSTGRES_PASSWORD": "stackpassword",
        "OPS_TOKEN": OPS_TOKEN,
        "GRAFANA_PASSWORD": "stackpassword",
        "TELEGRAM_TOKEN": credentials.TELEGRAM_TOKEN,
        "MANAGER_CHAT_ID": credentials.TELEGRAM_CHAT_ID,
        "TELEGRAM_API_URL": f"{sandbox}/telegram",
        "WB_API_TOKEN": credentials.wb_token(),
        "WB_FEEDBACKS_URL": f"{sandbox}/wb-feedbacks",
        "WB_STATISTICS_URL": f"{sandbox}/wb-statistics",
        "OZON_CLIENT_ID": credentials.OZON_CLIENT_ID,
        "OZON_API_KEY": credentials.OZON_API_KEY,
        "OZON_API_URL": f"{sandbox}/ozon",
        "OPENAI_API_KEY": credentials.OPENAI_API_KEY,
        "OPENAI_MODEL": credentials.OPENAI_MODEL,
        "OPENAI_BASE_URL": f"{sandbox}/openai/v1",
    }


class Project:
    """The containers of the Compose files."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.engine = engine
        self.directory = directory
        for name in _FILES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, directory / name)
        examples = [ROOT / ".env.example", ROOT / "deploy/compose.env.example"]
        self._examples = "".join(file.read_text("utf-8") for file in examples)
        self.configure({})

    def configure(self, further: Mapping[str, str]) -> None:
        """Write `.env`: the examples, the variables that have to be set, and further ones."""
        given = "".join(f"{name}={value}\n" for name, value in {**variables(), **further}.items())
        (self.directory / ".env").write_text(self._examples + given, "utf-8")

    def compose(self, *arguments: str) -> str:
        """What `docker compose` writes to its output.

        Raises:
            NotBuiltError: it failed.
        """
        return self.engine.docker(*self._compose(), *arguments)

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.engine.tried(*self._compose(), *arguments)

    def _compose(self) -> list[str]:
        files = (self.directory / "docker-compose.yml", _SANDBOX_FILE)
        return ["compose", f"--project-directory={self.directory}", *(f"--file={file}" for file in files)]

    def up(self, *options: str) -> None:
        """Returns when all containers are healthy.

        Args:
            options: further ones of `docker compose up`.

        Raises:
            NotBuiltError: one is not; the message has the last lines of those that are not.
        """
        try:
            self.compose("up", "--detach", "--wait", f"--wait-timeout={_WITHIN}", *options)
        except NotBuiltError as error:
            sick = [name for name, state in self.states().items() if state not in {"healthy", "running", "done"}]
            logs = self.tried("logs", "--no-color", "--tail=15", *sick).stdout if sick else ""
            raise NotBuiltError(f"{error}\n{logs}") from None

    def down(self) -> None:
        """Stop and remove the containers; volumes stay."""
        self.compose("down")

    def states(self) -> dict[str, str]:
        """For each service `healthy`, `running` (it has no check), `done`, or what is wrong."""
        return {each["Service"]: _state(each) for each in self._containers()}

    def container(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        [found] = json.loads(self.engine.docker("inspect", self.compose("ps", "--all", "--quiet", service).strip()))
        described: dict[str, Any] = found
        return described

    def _containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.compose("ps", "--all", "--format=json").splitlines()]


def _state(container: dict[str, Any]) -> str:
    if container["State"] == "exited" and container["ExitCode"] == 0:
        return "done"
    return str(container["Health"] or container["State"])
