"""The containers of docker-compose.yml, started once for all tests of this directory that need no profile."""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.support.processes import eventually
from tools.stack import engine, images
from tools.stack.engine import Engine
from tools.stack.isolation import RUN
from tools.stack.project import API, OPS_TOKEN, SANDBOX, Project

LONG = 300.0  # only a hang takes as long
WELL = {"healthy", "running", "done"}
KILLED = "The service was killed"
REFUSED = {"otlp_http/loki": 401, "otlp_http/tempo": 413}
AUTHORIZED = {"authorization": f"Bearer {OPS_TOKEN}"}


@dataclass(frozen=True)
class Stack:
    """The running containers, as a user of this machine sees them."""

    project: Project

    @property
    def engine(self) -> Engine:
        return self.project.engine

    @property
    def images(self) -> dict[str, str]:
        return {name: str(service["image"]) for name, service in images.services().items()}

    @property
    def image(self) -> str:
        return self.images["sovani"]

    def command(self, *arguments: str, service: str = "sovani") -> tuple[int, str]:
        """A command of the service in its container: the exit code, and what it wrote."""
        done = self.project.tried("exec", "--no-TTY", service, "sovani", *arguments)
        return done.returncode, f"{done.stdout}{done.stderr}"

    def once(self, *arguments: str) -> tuple[int, str]:
        """`docker run` of the image to its end."""
        done = self.engine.tried("run", "--rm", "--stop-timeout=10", *arguments)
        # The engine must not change the routing of this machine, and says so at each start.
        return done.returncode, re.sub(r"WARNING: IPv4 forwarding is disabled.*\n", "", f"{done.stdout}{done.stderr}")

    def get(self, path: str) -> Any:
        response = httpx.get(f"{API}{path}", headers=AUTHORIZED, timeout=10, trust_env=False)
        assert response.status_code == httpx.codes.OK, f"{path} is {response.status_code}: {response.text}"
        return response.json()

    def metrics(self) -> str:
        """The page of the API's workers."""
        return httpx.get(f"{API}/metrics", headers=AUTHORIZED, timeout=10, trust_env=False).text

    def phone(self) -> str:
        """What the chat shows, without its markup."""
        page = httpx.get(f"{SANDBOX}/phone", timeout=10, trust_env=False).text
        return " ".join(re.sub(r"<[^>]*>", " ", page).split())

    def messages(self, part: str) -> list[str]:
        """The messages of the chat that contain these words, without their markup."""
        truth = httpx.get(f"{SANDBOX}/sandbox/truth/telegram/messages", timeout=10, trust_env=False).json()
        texts = (" ".join(re.sub(r"<[^>]*>", " ", each["text"]).split()) for each in truth["messages"])
        return [text for text in texts if part in text]

    def is_marked(self, service: str, processes: int) -> bool:
        """Whether so many processes have noted that they serve: whatever is killed from now on is reported."""
        count = "ls /var/lib/sovani/instances/running | grep -c json"
        return self.project.tried("exec", "--no-TTY", service, "sh", "-c", count).stdout.strip() == str(processes)

    def prometheus(self, path: str) -> Any:
        """Prometheus is not published: asked from its own container."""
        url = f"http://127.0.0.1:9090/api/v1/{path}"
        answer = self.project.tried("exec", "--no-TTY", "prometheus", "wget", "-qO-", url)
        assert answer.returncode == 0, answer.stderr
        return httpx.Response(200, text=answer.stdout).json()["data"]

    def query(self, expression: str) -> Any:
        return self.prometheus(f"query?query={quote(expression, safe='')}")["result"]

    def stored(self, store: str, port: int, part: bytes) -> int:
        """How many of the requests that a stand-in has kept contain these bytes."""
        return int(self._ask_stand_in(store, port, f"count?hex={part.hex()}")["count"])

    def let_respond(self, store: str, port: int, status: int) -> None:
        """Let a stand-in respond by this status to all that it receives."""
        self._ask_stand_in(store, port, f"respond?status={status}")

    def _ask_stand_in(self, store: str, port: int, path: str) -> Any:
        url = f"http://127.0.0.1:{port}/stand-in/{path}"
        answer = self.project.compose("exec", "--no-TTY", store, "wget", "-qO-", url)
        return httpx.Response(200, text=answer).json()

    def logs(self, service: str) -> list[str]:
        return self.project.compose("logs", "--no-color", "--no-log-prefix", service).splitlines()

    def all_well(self) -> bool:
        states = self.project.states()
        assert set(states.values()) <= WELL, states
        return self.is_ready()

    def is_ready(self) -> bool:
        response = httpx.get(f"{API}/readyz", timeout=10, trust_env=False)
        assert response.status_code == httpx.codes.OK, response.text
        return True

    def finished_runs(self) -> dict[str, str]:
        """The outcome of each run that has one, by its id."""
        runs = self.get("/jobs/status?limit=1000")["runs"]
        return {str(run["id"]): run["outcome"] for run in runs if run["outcome"] not in {None, "running"}}

    def run_a_job(self) -> None:
        """Recorded also when there was no database: by the spool."""

        def ran() -> bool:
            code, said = self.command("run-job", "--quiet", "sync_wb_reviews", service="scheduler")
            assert code in {0, 75}, said
            return True

        eventually(ran, LONG)

    def lost_none_of(self, before: dict[str, str]) -> bool:
        after = self.finished_runs()
        assert {run: after.get(run) for run in before} == before
        return True

    def was_killed_for_its_memory(self, container: str) -> bool:
        """Whether the engine says that the kernel killed a process of the container."""
        this = ("--filter=event=oom", f"--filter=container={container}")
        return bool(self.engine.docker("events", "--since=1h", "--until=0s", *this))


@contextmanager
def running(directory: Path, variables: Mapping[str, str], *options: str) -> Iterator[Stack]:
    """The containers, with further variables in `.env` and further options of `docker compose up`."""
    if not os.path.ismount(RUN):
        pytest.skip("These tests start containers in namespaces of their own: make e2e-stack")
    with engine.started() as started:
        project = Project(started, directory)
        project.configure(variables)
        began = time.monotonic()
        project.up(*options)
        print(f"\n{time.monotonic() - began:6.1f} s  docker compose up --detach --wait")  # noqa: T201
        yield Stack(project)
        keep_logs(project)
        began = time.monotonic()
        project.down()
        print(f"\n{time.monotonic() - began:6.1f} s  docker compose down")  # noqa: T201


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The profile `open` comes last: it replaces containers that the other tests need."""
    items.sort(key=lambda item: item.get_closest_marker("stack_open") is not None)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("project"), {}) as stack:
        yield stack


@pytest.fixture(scope="session")
def refused(stack: Stack) -> None:
    """From now on both stores refuse. The alert about it is on the phone minutes later: a test asks for this early, and another waits."""
    for (store, port), status in zip((("loki", 3100), ("tempo", 3200)), REFUSED.values(), strict=True):
        stack.let_respond(store, port, status)
    stack.run_a_job()


def keep_logs(project: Project) -> None:
    (engine.DATA / "stack.log").write_text(project.tried("logs", "--no-color", "--timestamps").stdout)


@pytest.fixture
def settled(stack: Stack) -> Iterator[Stack]:
    """For a test that disturbs the containers: all are well before it, and after it."""
    eventually(stack.all_well, LONG)
    yield stack
    eventually(stack.all_well, LONG)


@pytest.fixture
def volume(stack: Stack) -> Iterator[Callable[[str], str]]:
    """Makes a volume by a script of the shell, which root runs in it. Returns its name."""
    made = []

    def make(script: str) -> str:
        name = stack.engine.docker("volume", "create").strip()
        made.append(name)
        options = ("--user=0", f"--volume={name}:/volume", "--workdir=/volume", "--entrypoint=sh")
        # An empty volume would get the owner that the directory has in the image, at each start.
        code, said = stack.once(*options, stack.image, "-c", f"touch file && {script}")
        assert code == 0, said
        return name

    yield make
    for name in made:
        stack.engine.docker("volume", "rm", name)


def host_pid(stack: Stack, service: str) -> int:
    return int(stack.project.container(service)["State"]["Pid"])


def is_in_repository(path: Path) -> bool:
    return images.ROOT in path.resolve().parents
