"""Alerts of a real service: a storm over four workers, a database that is killed, and senders that are killed while they send."""

import os
import signal
import threading
import time
from collections import Counter
from statistics import quantiles
from typing import Any

import httpx
import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from tests.support.killable_postgres import killable_postgres
from tests.support.processes import Program, Programs, eventually
from tests.support.sandboxes import StartedSandbox
from tests.support.worker_consistency import workers

pytestmark = pytest.mark.e2e
KINDS = 50
ERRORS = int(os.environ.get("ALERT_ERRORS", "5000"))  # 10,000 are a full proof
SECONDS = ERRORS * 0.006
APP = """
import asyncio
import logging

from service.main import create_app

app = create_app()


def failing(kind):
    def fail():
        raise ValueError(f"kind {kind} does not work")

    return fail


for kind in range(50):
    app.add_api_route(f"/fail/{kind:02}", failing(kind), include_in_schema=False)


@app.get("/well", include_in_schema=False)
async def well():
    return {}
"""


# A server closes a connection on which something crashed.
_LAST = {"connection": "close"}


def variables(sandbox: StartedSandbox) -> dict[str, str]:
    return {
        "TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "MANAGER_CHAT_ID": TELEGRAM_CHAT_ID,
        "TELEGRAM_API_URL": f"{sandbox.url}/telegram",
        "SANDBOX": "false",
    }


def messages(sandbox: StartedSandbox) -> list[dict[str, Any]]:
    return sandbox.expected_state("telegram", "messages")


def alerts(service: Program) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/alerts?limit=500").json()["alerts"]
    return found


class Load:
    """Requests from eight clients, spread evenly over the time. `well` has the durations of those to `/well`."""

    def __init__(self, service: Program) -> None:
        self._service = service
        self.well: list[float] = []
        self.answered: Counter[int] = Counter()
        self._lock = threading.Lock()

    def run(self, seconds: float, failing: int) -> float:
        """Send so many failing requests and as many others. Returns the p99 of the others, in ms."""
        self.well.clear()
        clients = [threading.Thread(target=self._client, args=(number, seconds, failing // 8)) for number in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join(seconds + 60)
        return quantiles(self.well, n=100)[98] * 1e3

    def _fail(self, client: httpx.Client, number: int) -> int:
        return client.get(f"/fail/{number % KINDS:02}", headers=_LAST).status_code

    def _client(self, number: int, seconds: float, failing: int) -> None:
        rounds = failing or int(seconds * 20)
        begun = time.monotonic()
        with httpx.Client(base_url=self._service.url, timeout=30, trust_env=False) as client:
            for each in range(rounds):
                time.sleep(max(0.0, begun + each * seconds / rounds - time.monotonic()))
                started = time.perf_counter()
                client.get("/well")
                took = time.perf_counter() - started
                status = self._fail(client, each * 8 + number) if failing else 200
                with self._lock:
                    self.well.append(took)
                    self.answered[status] += 1


@pytest.mark.timeout(420)
def test_thousands_of_errors_are_a_handful_of_messages_that_count_each_of_them(programs: Programs, capsys):
    sandbox = StartedSandbox.start(programs)
    programs.write("storm.py", APP)
    service = programs.uvicorn("storm:app", "--workers", "4", SCHEDULER="false", DATA_DIR="storm", **variables(sandbox))
    service.wait_for("/readyz", within=60)
    eventually(lambda: len(workers(service)) == 4)
    load = Load(service)
    calm = load.run(10, 0)

    begun = time.time()
    stormy = load.run(SECONDS, ERRORS)

    assert load.answered[500] == ERRORS

    def all_sent() -> list[dict[str, Any]]:
        found = alerts(service)
        assert len(found) == KINDS
        assert sum(each["count"] for each in found) == ERRORS
        assert all(each["sent_count"] == each["count"] for each in found)
        return found

    sent_alerts = eventually(all_sent, within=200)
    sent = messages(sandbox)
    with capsys.disabled():
        print(  # noqa: T201  # figures for the terminal
            f"\n{ERRORS} errors of {KINDS} kinds over 4 workers: the first message after {sent[0]['date'] - begun:.0f} s, "
            f"{len(sent)} messages, p99 of other requests {calm:.1f} -> {stormy:.1f} ms"
        )
    assert sent[0]["date"] - begun <= 5
    assert len(sent) <= 20
    page = service.get("/metrics").text
    assert 'result="rate_limited"' not in page  # Telegram's own limit: twenty messages and edits in any minute
    assert {each["state"] for each in sent_alerts} == {"sent"}
    service.tell(signal.SIGTERM)
    service.exit_code(30)


@pytest.mark.timeout(240)
def test_a_database_that_is_gone_is_told_within_half_a_minute_and_so_is_its_return(programs: Programs, capsys):
    sandbox = StartedSandbox.start(programs)
    with killable_postgres() as postgres:
        url = postgres.url.render_as_string(hide_password=False)
        service = programs.uvicorn(
            "service.main:app", "--workers", "2", DATABASE_URL=url, DATA_DIR="gone", **variables(sandbox)
        )
        service.wait_for("/readyz", within=60)

        postgres.kill()
        gone = time.time()
        eventually(
            lambda: [each for each in messages(sandbox) if "database does not answer" in each["text"]], within=60
        )
        notified_after = time.time() - gone
        for _ in range(5):
            service.get("/api/v1/reviews")
        time.sleep(65)  # a scheduled run of each minute falls into it
        postgres.start()
        back = time.time()
        eventually(lambda: [each for each in messages(sandbox) if "RESOLVED" in each["text"]], within=60)
        resolved_after = time.time() - back

        texts = [each["text"] for each in messages(sandbox)]
        service.tell(signal.SIGTERM)
        service.exit_code(30)
    with capsys.disabled():
        print(  # noqa: T201  # figures for the terminal
            f"\nThe database: told after {notified_after:.1f} s, resolved after {resolved_after:.1f} s; messages: {len(texts)}"
        )
    assert notified_after <= 30
    assert resolved_after <= 30
    assert len(texts) == 2, texts


MORTAL = """
import logging
import sys
import time

import telemetry

telemetry.start()
log = logging.getLogger("mortal")
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    exec(compile("\\n" * number + "log.error('kind %03d fails', number)", "kinds.py", "exec"))
    print(number, flush=True)
    time.sleep(0.3)
time.sleep(3)
"""


@pytest.mark.timeout(300)
def test_no_alert_of_a_killed_process_is_lost_and_a_repeat_says_that_it_may_be_one(programs: Programs):
    sandbox = StartedSandbox.start(programs, telegram_limits=False)
    programs.write("mortal_alerts.py", MORTAL)
    reported: set[int] = set()
    for life in range(8):
        process = programs.start(
            str(programs.home / "mortal_alerts.py"),
            str(life * 10),
            str(life * 10 + 10),
            DATA_DIR="mortal",
            **variables(sandbox),
        )
        eventually(process.out.read_text)
        time.sleep(0.2 + life * 0.29)
        process.process.send_signal(signal.SIGKILL)
        process.exit_code(10)
        reported |= {int(number) for number in process.out.read_text().split()}

    last = programs.start(str(programs.home / "mortal_alerts.py"), "0", "0", DATA_DIR="mortal", **variables(sandbox))

    def all_there() -> bool:
        texts = [each["text"] for each in messages(sandbox)]
        return all(any(f"kind {number:03} fails" in text for text in texts) for number in reported)

    programs_left = [last]
    for _ in range(30):
        if all_there():
            break
        programs_left[-1].exit_code(30)
        programs_left.append(
            programs.start(str(programs.home / "mortal_alerts.py"), "0", "0", DATA_DIR="mortal", **variables(sandbox))
        )
        time.sleep(2)
    assert len(reported) > 15
    assert all_there()
    texts = [each["text"] for each in messages(sandbox)]
    for number in reported:
        sent = [text for text in texts if f"kind {number:03} fails" in text]
        assert all("Possible duplicate" in text for text in sent[1:]), sent
