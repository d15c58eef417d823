import asyncio
import logging
import sqlite3
import time

import pytest

from telemetry.alerts import AlertLevel, get_alert_service
from telemetry.alerts.outbox.channel_state import ChannelState
from telemetry.alerts.outbox.queries import AlertCounts
from telemetry.alerts.pipeline import AlertPipeline
from telemetry.alerts.self_metrics import AlertMetrics
from telemetry.build import build
from telemetry.settings import TelemetrySettings
from tests.unit.telemetry.alerts.conftest import Measured


@pytest.fixture
def started(sqlite_engine):
    """The telemetry of a process that logs errors alone, without a channel."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    telemetry = build(TelemetrySettings(), sqlite_engine)
    yield telemetry
    telemetry.shutdown()
    root.setLevel(level)


def incidents(telemetry):
    return [each.incident for each in telemetry.alerts.queries.page(time.time())]


def test_every_call_of_the_contract_goes_the_way_of_the_logs_whatever_the_level_of_those(started):
    alerts = get_alert_service()

    async def call_each():
        await alerts.send_alert("Custom message", level=AlertLevel.WARNING, component="scheduler")
        await alerts.alert_job_failed("sync_wb_orders", "Timeout error")
        await alerts.alert_api_error("/api/v1/reviews", "500 Internal Server Error")
        await alerts.alert_disk_space_low()
        await alerts.alert_memory_high()
        await alerts.alert_database_error("Connection refused")

    asyncio.run(call_each())

    found = [(each.level, each.component, each.summary) for each in reversed(incidents(started))]
    assert found == [
        ("WARNING", "scheduler", "Custom message"),
        ("WARNING", "jobs", "Job 'sync_wb_orders' failed:\nTimeout error"),
        ("ERROR", "api", "/api/v1/reviews failed:\n500 Internal Server Error"),
        ("WARNING", "resources", "Disk space is low."),
        ("WARNING", "resources", "Memory is nearly used up."),
        ("CRITICAL", "database", "The database fails:\nConnection refused"),
    ]
    assert alerts.check_system_resources() == []


def test_repeats_are_told_apart_by_who_calls(started):
    async def twice():
        for number in range(2):
            await get_alert_service().send_alert(f"from one place, {number}")
        await get_alert_service().send_alert("from another")

    asyncio.run(twice())

    assert len(incidents(started)) == 2


def test_without_a_start_alerts_are_only_logged_and_one_line_says_so(caplog):
    get_alert_service().report("no one listens", AlertLevel.INFO)

    assert "no one listens" in caplog.messages


def test_a_channel_that_refuses_is_a_warning_of_the_health_and_no_failure(started):
    assert started.alerts.check().status == "ok"
    with started.alerts.outbox.transaction() as connection:
        connection.execute("INSERT INTO channels (name, stopped) VALUES ('telegram', 'telegram refuses (401)')")

    found = started.alerts.check()

    assert (found.status, found.error) == ("warning", "telegram refuses (401)")


def test_an_outbox_that_cannot_be_read_is_a_warning(started, monkeypatch):
    def broken():
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(started.alerts.queries, "channels", broken)

    assert started.alerts.check().error == "the outbox cannot be read: the database file cannot be opened"


def test_channels_are_those_that_are_configured_the_preferred_one_first(sqlite_engine):
    settings = TelemetrySettings(
        telegram_token="123456:ABC-DEF", manager_chat_id="-100", alert_webhook_url="https://hook.test/secret"
    )
    telemetry = build(settings, sqlite_engine)

    assert [each.name for each in telemetry.alerts.channels] == ["telegram", "webhook"]
    assert isinstance(telemetry.alerts, AlertPipeline)
    telemetry.shutdown()


class Queries:
    def __init__(self):
        self.answers = True

    def counts(self, _now):
        if not self.answers:
            raise sqlite3.OperationalError
        return AlertCounts(2, 3, 1, 4, 90.0)

    def channels(self):
        return [ChannelState("telegram", disabled_reason="no")]


class Unsaved:
    unsaved = 1


def test_alerts_by_state_their_age_and_the_channels_are_measured_and_stay_when_nobody_answers():
    queries, now, measured = Queries(), [100.0], Measured()
    AlertMetrics(queries, Unsaved(), ["telegram", "webhook"], lambda: now[0]).observe(measured.meter)

    first = measured.points("alert.incidents")
    queries.answers = False
    now[0] = 110.0

    assert first == {("pending",): 3, ("sent",): 3, ("silenced",): 1, ("inhibited",): 4}
    assert measured.points("alert.incidents") == first
    assert measured.points("alert.oldest_pending_age") == {(): 20.0}
    assert measured.points("alert.channel.up") == {("telegram",): 0, ("webhook",): 1}
    measured.meters.shutdown()
    measured.tracers.shutdown()
