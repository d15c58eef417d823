"""A job that fails in a row on hosts that are gone by then, such as containers that run one job."""

import pytest
from sqlalchemy.engine import URL

from tests.support.loopback import loopback, response
from tests.support.processes import Programs, eventually
from tests.support.telegram_server import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def telegram():
    with loopback() as server:
        server.script = lambda _request: response({"ok": True, "result": {"message_id": 1, "chat": {"id": 1}}})
        yield server


@pytest.fixture
def environment(database_url: URL, telegram):
    """Without a token of the marketplace, so that its job fails at once."""
    return {
        "DATABASE_URL": database_url.render_as_string(hide_password=False),
        "TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "MANAGER_CHAT_ID": TELEGRAM_CHAT_ID,
        "TELEGRAM_API_URL": telegram.url,
    }


def failures_told(telegram) -> list[str]:
    texts = [request.body["text"] for request in telegram.requests if request.path.endswith("/sendMessage")]
    return [text for text in texts if "in a row" in text]


def fail(programs: Programs, environment, host: int) -> None:
    done = programs.run("-m", "service", "run-job", "sync_wb_orders", DATA_DIR=f"host-{host}", **environment)
    assert done.returncode == 1, done.stderr


def test_the_third_of_them_tells_if_nobody_else_looks_and_the_next_ones_do_not(programs, telegram, environment):
    for host in range(2):
        fail(programs, environment, host)
    assert failures_told(telegram) == []

    for host in range(2, 4):
        fail(programs, environment, host)

    assert len(failures_told(telegram)) == 1


def test_a_service_elsewhere_tells_of_them_if_they_could_not(programs, telegram, environment):
    for host in range(3):
        fail(programs, environment | {"TELEGRAM_TOKEN": ""}, host)
    assert telegram.requests == []

    service = programs.serve("--no-scheduler", DATA_DIR="service", OPS_TOKEN="operator", **environment)
    service.wait_for("/readyz")
    eventually(lambda: failures_told(telegram), within=60)
    fail(programs, environment, 9)

    assert len(failures_told(telegram)) == 1
