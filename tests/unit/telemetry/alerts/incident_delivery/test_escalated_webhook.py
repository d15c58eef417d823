"""The webhook as a step of the escalation: it gets escalated alerts alone, each once, with what follows."""

import json
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.incident_delivery.acknowledgements import acknowledge
from telemetry.alerts.incident_delivery.escalated_webhook import EscalatedWebhook
from tests.unit.telemetry.alerts.conftest import alert
from tests.unit.telemetry.alerts.incident_delivery.conftest import Pager, Target

AFTER = 900.0
DISK = alert("disk", state="disk")


class Receiver:
    """`statuses` are those of the next responses; then it is 200."""

    def __init__(self):
        self.posts, self.statuses = [], []

    def __call__(self, request):
        self.posts.append(json.loads(request.content))
        return httpx.Response(self.statuses.pop(0) if self.statuses else 200)

    @property
    def kinds(self):
        return [post["kind"] for post in self.posts]


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def machine(make_incident_machine, receiver):
    client = httpx.Client(transport=httpx.MockTransport(receiver))
    webhook = EscalatedWebhook(Webhook(SecretStr("https://hook.example/secret"), client))
    targets = (Target(Pager("slack")), Target(webhook, AlertLevel.ERROR, escalation_only=True))
    return make_incident_machine(*targets, escalate_after=AFTER, has_chain=False)


def test_only_what_nobody_acknowledges_is_posted_once(machine, receiver):
    machine.report(DISK, alert("warning", level=AlertLevel.WARNING))
    machine.run(AFTER - 20, pace=5)
    assert receiver.posts == []

    machine.run(4 * AFTER, pace=5)

    [post] = receiver.posts
    assert (post["kind"], post["possible_duplicate"]) == ("alert", False)
    assert [each["fingerprint"] for each in post["alerts"]] == ["disk"]


def test_the_acknowledgement_and_the_end_follow(machine, receiver, clock):
    machine.report(DISK)
    machine.run(AFTER + 20, pace=5)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(60, pace=5)
    machine.report(replace(DISK, is_resolved=True, at=clock(), summary="The disk has space again"))
    machine.run(60, pace=5)

    assert receiver.kinds == ["alert", "update", "end"]
    assert "Acknowledged by anna" in receiver.posts[1]["text"]
    [ended] = receiver.posts[2]["alerts"]
    assert ended["ended_at"]


def test_what_is_acknowledged_in_time_is_not_posted_nor_is_its_end(machine, receiver, clock):
    machine.report(DISK)
    machine.run(60, pace=5)
    acknowledge(machine.outbox, 1, "anna", clock())
    machine.run(2 * AFTER, pace=5)
    machine.report(replace(DISK, is_resolved=True, at=clock()))
    machine.run(60, pace=5)

    assert receiver.posts == []


def test_a_post_of_an_unknown_result_is_made_again_and_says_so(machine, receiver):
    receiver.statuses = [502]
    machine.report(DISK)

    machine.run(AFTER + 400, pace=5)

    assert receiver.kinds == ["alert", "alert"]
    assert [post["possible_duplicate"] for post in receiver.posts] == [False, True]
