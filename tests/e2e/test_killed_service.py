"""A whole service is killed, and started again: one message says so. After an orderly stop there is none."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxes import StartedSandbox
from tests.support.sqlite import rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
START_SECONDS = 120.0
MARKER = "The service was killed"


@pytest.fixture
def sandbox(programs: Programs) -> StartedSandbox:
    return StartedSandbox.start(programs)


@pytest.fixture
def serve(programs: Programs, sandbox: StartedSandbox, tmp_path: Path) -> Callable[[], Program]:
    """Start the service with two workers, always in the same data directory."""
    variables = {
        "DATA_DIR": str(tmp_path / "var"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.db'}",
        "TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "MANAGER_CHAT_ID": TELEGRAM_CHAT_ID,
        "TELEGRAM_API_URL": f"{sandbox.url}/telegram",
        "SANDBOX": "false",
    }

    def start() -> Program:
        program = programs.serve("--workers", "2", **variables)
        program.wait_for("/readyz", within=START_SECONDS)
        eventually(lambda: len(markers(tmp_path)) == 2)
        return program

    return start


def markers(home: Path) -> list[Path]:
    return list((home / "var/instances/running").glob("*.json"))


def told(sandbox: StartedSandbox) -> list[str]:
    return [each["text"] for each in sandbox.expected_state("telegram", "messages") if MARKER in each["text"]]


def test_a_killed_service_is_one_message_of_the_next_start_and_a_stopped_one_is_none(
    serve: Callable[[], Program], sandbox: StartedSandbox, programs: Programs, tmp_path: Path
):
    first = serve()
    first.tell(signal.SIGTERM)
    first.exit_code()
    assert markers(tmp_path) == []

    second = serve()
    assert told(sandbox) == []
    second.kill()
    programs.run("-m", "service", "jobs", DATA_DIR=str(tmp_path / "var"))
    third = serve()

    [text] = eventually(lambda: told(sandbox))
    assert "its 2 processes ended without an orderly stop" in text
    assert f"(workers of {second.process.pid})" in text
    third.tell(signal.SIGINT)
    third.exit_code()
    assert markers(tmp_path) == []
    serve()
    assert rows(tmp_path / "var/alerts/outbox.db", "SELECT level, count FROM incidents WHERE component = 'app'") == [
        ("WARNING", 1)
    ]
    assert told(sandbox) == [text]
