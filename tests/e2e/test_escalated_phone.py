"""Telegram as a step of the escalation, by a real service: it gets what nobody acknowledges, and its buttons work."""

import time
from typing import Any, Final

import httpx
import pytest

from service.sandbox.credentials import TELEGRAM_CHAT_ID, TELEGRAM_TOKEN
from service.sandbox.telegram.phone_users import PEOPLE
from telemetry.alerts.alert import Alert, AlertLevel
from telemetry.alerts.outbox.file import OUTBOX_FILE, Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.support.processes import Programs, eventually, free_port
from tests.support.sandboxes import StartedSandbox

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
OLGA: Final = next(iter(PEOPLE))
LEVELS: Final = (AlertLevel.ERROR, AlertLevel.WARNING)


def report(programs: Programs, *, is_resolved: bool = False) -> None:
    """Report an alert of each level in the outbox of the service, as one of its processes does."""
    outbox = Outbox(programs.home / "var" / OUTBOX_FILE)
    for level in LEVELS:
        IncidentRepository(outbox).add(
            Alert(
                fingerprint=f"of {level}",
                level=level,
                component="resources",
                summary="The disk has space again" if is_resolved else f"The disk is full: {level}",
                at=time.time(),
                state=f"disk:{level}",
                is_resolved=is_resolved,
            )
        )
    outbox.close()


def messages(sandbox: StartedSandbox) -> list[dict[str, Any]]:
    """With their buttons, as the phone shows them; the oldest first."""
    answer = httpx.get(f"{sandbox.url}/phone/messages", timeout=10, trust_env=False).json()
    return sorted(answer["messages"], key=lambda each: each["message_id"])


def press(sandbox: StartedSandbox, message_id: int) -> str:
    """Press the first button of a message. Returns what the bot says."""
    body = {"person": OLGA, "message_id": message_id, "row": 0, "column": 0}
    answer = httpx.post(f"{sandbox.url}/phone/press", json=body, timeout=30, trust_env=False)
    said: str = answer.raise_for_status().json()["answer"]
    return said


def test_an_alert_that_nobody_acknowledges_is_on_the_phone_with_what_follows(programs: Programs):
    sandbox = StartedSandbox.start(programs)
    service = programs.serve(
        "--no-scheduler",
        DATA_DIR="var",
        TELEGRAM_TOKEN=TELEGRAM_TOKEN,
        MANAGER_CHAT_ID=TELEGRAM_CHAT_ID,
        TELEGRAM_API_URL=f"{sandbox.url}/telegram",
        ALERT_CHANNELS="alertmanager:warning",
        ALERTMANAGER_URL=f"http://127.0.0.1:{free_port()}",  # where nothing listens
        ALERT_ESCALATION="telegram",
        ALERT_ESCALATE_AFTER="3s",
        SANDBOX="false",
    )
    service.wait_for("/readyz")
    report(programs)

    [message] = eventually(lambda: messages(sandbox))
    assert "The disk is full: ERROR" in message["text"]
    assert press(sandbox, message["message_id"]) == "Acknowledged."
    eventually(lambda: "Acknowledged by telegram:" in messages(sandbox)[0]["text"])
    assert press(sandbox, message["message_id"]).startswith("Acknowledged already by telegram:")
    report(programs, is_resolved=True)
    first, end = eventually(lambda: (found := messages(sandbox))[1:] and not found[0]["buttons"] and found)

    assert "Resolved: The disk has space again" in first["text"]
    assert end["text"].startswith("✅ RESOLVED")
    alerts = {each["fingerprint"]: each for each in service.get("/alerts").json()["alerts"]}
    deliveries = {name: {each["channel"]: each for each in alert["deliveries"]} for name, alert in alerts.items()}
    assert "telegram" not in deliveries["of WARNING"]
    assert deliveries["of ERROR"]["telegram"]["state"] == "resolved"
    assert deliveries["of ERROR"]["telegram"]["escalated_at"] is not None
    page = service.get("/metrics").text
    assert 'alert_messages_total{channel="telegram",result="sent"} ' in page
    assert 'alert_channel_up{channel="telegram"} 1\n' in page
