"""What operators do on the phone, in a browser, with the real service: buttons, commands, a stranger, and two machines."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Locator, expect
from sqlalchemy.engine import Engine

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.phone_users import PEOPLE
from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.support.browser import Chromium, Visit
from tests.support.processes import Programs, eventually
from tests.support.sandboxed_service import SandboxedService

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("phone")]
PATIENCE_MS: Final = 40_000
JOB: Final = "prune_job_runs"
OTHER_JOB: Final = "cleanup_logs"
OLGA, PETR, STRANGER = (person.first_name for person in PEOPLE.values())
OLGA_ID: Final = next(iter(PEOPLE))


@pytest.fixture(scope="module")
def shop(programs: Programs) -> SandboxedService:
    started = SandboxedService.start(programs)
    started.service.wait_for("/readyz")
    return started


@pytest.fixture
def phone(shop: SandboxedService, chromium: Chromium) -> Iterator[Visit]:
    with chromium.visit(shop.sandbox.url) as visit:
        visit.open("/phone")
        yield visit
        assert visit.errors == []


def fire(home: Path, *, data_dir: str = "var", is_resolved: bool = False) -> None:
    """Report a failed job, as the service does, in its outbox."""
    outbox = Outbox(home / data_dir / OUTBOX_FILE)
    IncidentRepository(outbox).add(
        Alert(
            fingerprint="job failed",
            level=AlertLevel.ERROR,
            component="scheduler",
            summary=f"Job '{JOB}' failed on {data_dir}",
            at=time.time(),
            state=f"job:{JOB}",
            is_resolved=is_resolved,
        )
    )
    outbox.close()


def press(phone: Visit, person: str, message: Locator, button: str) -> str:
    """Press a button as a person. Returns what the phone shows."""
    phone.page.get_by_label("Who writes and presses").select_option(person)
    toast = phone.page.get_by_role("status")
    phone.page.evaluate("document.getElementById('toast').textContent = ''")
    message.get_by_role("button", name=button).click()
    expect(toast).not_to_be_empty(timeout=PATIENCE_MS)
    return toast.inner_text()


def write(phone: Visit, person: str, text: str) -> None:
    phone.page.get_by_label("Who writes and presses").select_option(person)
    phone.page.get_by_label("Message", exact=True).fill(text)
    phone.page.get_by_role("button", name="Send").click()


def alert_in(shop: SandboxedService) -> Any:
    return next(each for each in shop.get_json("/alerts")["alerts"] if each["condition"] == f"job:{JOB}")


def test_operators_acknowledge_silence_and_run_again_by_the_buttons_of_an_alert(
    shop: SandboxedService, phone: Visit, programs: Programs
) -> None:
    fire(programs.home)
    message = phone.page.locator("article", has_text=f"Job '{JOB}' failed").first

    assert press(phone, OLGA, message, "Acknowledge") == "Acknowledged."
    expect(message).to_contain_text("Acknowledged by telegram:", timeout=PATIENCE_MS)
    assert press(phone, PETR, message, "Acknowledged").startswith("Acknowledged already by telegram:")
    assert press(phone, PETR, message, "Silence 1 h").startswith("scheduler is silenced until ")
    assert press(phone, OLGA, message, "Silence 1 h").startswith("scheduler is silenced already, until ")
    expect(message).to_contain_text("Silenced until", timeout=PATIENCE_MS)
    assert press(phone, OLGA, message, "Run again") == f"Starting {JOB} …"
    assert press(phone, PETR, message, "Run again").startswith(f"{JOB} was started a moment ago by telegram:")
    assert press(phone, STRANGER, message, "Silence 8 h") == "The bot does not respond."

    runs = shop.get_json(f"/jobs/status?job_name={JOB}")["runs"]
    silences = shop.get_json("/alerts")["silences"]
    assert [run["metadata"]["requested_by"] for run in runs] == [f"telegram:{OLGA_ID} (@olga_shop)"]
    assert [each["component"] for each in silences] == ["scheduler"]
    assert "(@petr_shop)" in silences[0]["reason"]
    fire(programs.home, is_resolved=True)
    expect(message.get_by_role("button")).to_have_count(0, timeout=PATIENCE_MS)
    expect(message).to_contain_text("Resolved")


def test_operators_ask_by_commands_and_a_stranger_gets_no_answer(shop: SandboxedService, phone: Visit) -> None:
    last = phone.page.locator("article:not(.mine)").last

    write(phone, OLGA, "/jobs")
    expect(last).to_contain_text(f"{OTHER_JOB}: no run yet", timeout=PATIENCE_MS)
    write(phone, STRANGER, f"/run {OTHER_JOB}")
    write(phone, PETR, f"/job {OTHER_JOB}")
    expect(last).to_contain_text(f"{OTHER_JOB}: ", timeout=PATIENCE_MS)
    expect(last).to_contain_text("No run yet.")
    write(phone, PETR, f"/run {OTHER_JOB}")
    expect(last).to_contain_text(f"{OTHER_JOB} was started by telegram:", timeout=PATIENCE_MS)
    write(phone, OLGA, "/run no_such_job")
    expect(last).to_contain_text("There is no job 'no_such_job'", timeout=PATIENCE_MS)
    expect(phone.page.locator("article", has_text="may not use the Telegram bot")).to_have_count(1, timeout=PATIENCE_MS)

    assert re.search(r'telegram_updates_total\{kind="command",result="refused"\} 1', shop.get("/metrics").text)


def test_of_two_machines_with_one_bot_one_answers_each_command(shop: SandboxedService, programs: Programs) -> None:
    """Without a database that they share: Telegram lets one of them poll."""
    second = programs.serve(
        OPS_TOKEN="the-operators-own",  # of the test
        DATA_DIR="second",
        LOG_DIR="second/log",
        DATABASE_URL="sqlite:///second.db",
        TELEGRAM_API_URL=f"{shop.sandbox.url}/telegram",
        TELEGRAM_TOKEN=TELEGRAM_TOKEN,
        MANAGER_CHAT_ID=TELEGRAM_CHAT_ID,
    )
    second.wait_for("/readyz")
    eventually(lambda: "This one stands by" in shop.service.said() + second.said())

    numbers = [_write(shop, "/silences") for _ in range(5)]

    eventually(lambda: len(_answers(shop)) == len(numbers))
    time.sleep(2)  # no second answer comes
    assert _answers(shop) == ["Nothing is silenced."] * len(numbers)


def test_a_press_reaches_the_machine_that_has_sent_the_alert(programs: Programs, postgres_engine: Engine) -> None:
    """With a database that they share."""
    url = postgres_engine.url.render_as_string(hide_password=False)
    first = SandboxedService.start(programs, DATABASE_URL=url, DATA_DIR="a", LOG_DIR="a/log")
    first.service.wait_for("/readyz")
    second = programs.serve(
        DATABASE_URL=url,
        DATA_DIR="b",
        LOG_DIR="b/log",
        TELEGRAM_API_URL=f"{first.sandbox.url}/telegram",
        TELEGRAM_TOKEN=TELEGRAM_TOKEN,
        MANAGER_CHAT_ID=TELEGRAM_CHAT_ID,
    )
    second.wait_for("/readyz")
    for data_dir in ("a", "b"):
        fire(programs.home, data_dir=data_dir)

    answers = [_press(first, f"failed on {data_dir}") for data_dir in ("a", "b")]

    assert answers == ["Acknowledged.", "Acknowledged."]
    texts = [message["text"] for message in first.sandbox.expected_state("telegram", "messages")]
    assert all(text.count("Acknowledged by") <= 1 for text in texts)
    assert "stands by" not in first.service.said() + second.said()


def _press(shop: SandboxedService, words: str) -> str:
    """Acknowledge the alert with these words. Returns the bot's answer."""

    def number() -> int:
        messages = httpx.get(f"{shop.sandbox.url}/phone/messages", timeout=10, trust_env=False).json()["messages"]
        return next((each["message_id"] for each in messages if words in each["text"] and each["buttons"]), 0)

    body = {"person": OLGA_ID, "message_id": eventually(number), "row": 0, "column": 0}
    answer = httpx.post(f"{shop.sandbox.url}/phone/press", json=body, timeout=30, trust_env=False)
    found: str = answer.raise_for_status().json()["answer"]
    return found


def _write(shop: SandboxedService, text: str) -> int:
    time.sleep(1.1)  # Telegram's limit for a chat
    body = {"person": OLGA_ID, "text": text}
    answer = httpx.post(f"{shop.sandbox.url}/phone/write", json=body, timeout=10, trust_env=False)
    number: int = answer.raise_for_status().json()["message_id"]
    return number


def _answers(shop: SandboxedService) -> list[str]:
    texts = [message["text"] for message in shop.sandbox.expected_state("telegram", "messages")]
    return [text for text in texts if text == "Nothing is silenced."]
