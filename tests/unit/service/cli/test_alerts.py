import argparse
import re
import time

import pytest

from service.cli import alerts as alert_commands
from service.cli.alerts import (
    acknowledgement_text,
    change_silences,
    parse_duration,
    send_test_alert,
    unknown_component,
)
from service.cli.parser import main
from service.names import COMPONENTS
from telemetry.alerts import AlertLevel, ChannelError, acknowledge
from telemetry.alerts.alert import Alert
from telemetry.alerts.channels.channel import Sent
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.build import build
from telemetry.settings import TelemetrySettings
from tests.support.processes import ROOT

NAMED = re.compile(r'(?:COMPONENT|"component"|COMPONENT: Final)(?::| =) "([a-z-]+)"')


class Channel:
    name = "telegram"

    def close(self):
        pass


@pytest.fixture
def alerts(sqlite_engine):
    telemetry = build(TelemetrySettings(), sqlite_engine)
    yield telemetry.alerts
    telemetry.shutdown()


def options(**given):
    return argparse.Namespace(
        **{"component": None, "seconds": None, "because": None, "end": False, "list": False} | given
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2h", 7200), ("1d", 86_400), ("1h30m", 5400), ("90s", 90)]
)
def test_a_length_of_time_is_written_in_units(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2x", "-2h", "10s", "31d", "2h ", "٢h"])
def test_what_is_none_says_what_it_may_be(text):
    with pytest.raises(ValueError, match="is invalid: expected a duration from 1m to 30d"):
        parse_duration(text)


def test_a_silence_is_begun_listed_and_ended(alerts):
    begun = change_silences(
        alerts.silences, options(component="scheduler", seconds=7200.0, because="the warehouse moves")
    )
    listed = change_silences(alerts.silences, options(list=True))
    ended = change_silences(alerts.silences, options(component="scheduler", end=True))

    assert begun.startswith("The alerts of scheduler are silenced until ")
    assert begun.endswith(" UTC: the warehouse moves")
    assert listed.startswith("scheduler until ")
    assert ended == "Silence for scheduler ended."
    assert change_silences(alerts.silences, options(list=True)) == "There are no silences."
    assert change_silences(alerts.silences, options(component="x", end=True)) == "x was not silenced."
    assert change_silences(alerts.silences, options(component="all", seconds=60.0, because="y")).startswith(
        "All alerts are silenced until "
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["silence"], "COMPONENT is missing"),
        (["silence", ""], "COMPONENT is missing"),
        (["silence", "--end"], "COMPONENT is missing"),
        (["silence", "scheduler"], "--for or --because is missing"),
        (["silence", "scheduler", "--for", "2h"], "--for or --because is missing"),
        (["silence", "scheduler", "--because", "x"], "--for or --because is missing"),
        (["silence", "scheduler", "--end", "--for", "2h"], "--end does not take --for"),
    ],
)
def test_what_is_missing_for_a_silence_is_said(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["service", *arguments])

    assert main() == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize("component", [*sorted(COMPONENTS), "all", "of-an-earlier-alert", None])
def test_a_component_that_alerts_have_is_silenced_without_a_warning(component):
    assert unknown_component(component, ["of-an-earlier-alert"]) is None


@pytest.mark.parametrize("component", ["schedulr", "Scheduler", " scheduler", "ALL", "sheduler,http", "service.jobs"])
def test_a_component_that_nothing_has_is_a_warning_that_names_the_others(component):
    warning = unknown_component(component, ["of-an-earlier-alert"])

    assert warning.startswith(f"Warning: no alert has had the component {component!r}. Known: alerts, ")
    assert ", of-an-earlier-alert, " in warning
    assert warning.endswith("; or all.")


def test_the_components_of_all_incidents_are_known(alerts):
    with alerts.outbox.transaction() as connection:
        connection.execute("DELETE FROM incidents")
    assert alerts.queries.components() == []


def test_each_component_that_the_code_names_is_among_the_known():
    files = [file for package in ("service", "telemetry") for file in (ROOT / package).rglob("*.py")]
    named = {name for file in files for name in NAMED.findall(file.read_text())}

    assert named - {"component", "jobs", "test-alert"} <= COMPONENTS
    assert {"http", "workers", "sandbox"} <= named


def test_a_test_without_a_channel_says_which_variables_are_missing(alerts):
    said = []

    assert not send_test_alert(alerts, said.append, 1)
    assert said[0].startswith("No channel is configured: set TELEGRAM_TOKEN and MANAGER_CHAT_ID")


def test_a_test_that_is_not_delivered_says_why_and_that_it_is_kept(alerts):
    alerts.channels = [Channel()]
    with alerts.outbox.transaction() as connection:
        connection.execute(
            "INSERT INTO channels (name, stopped) VALUES ('telegram', 'telegram refuses (401: Unauthorized)')"
        )
    said = []

    assert not send_test_alert(alerts, said.append, 0.3)
    assert said[0] == "Stored, but not sent: telegram refuses (401: Unauthorized)."
    assert said[-1].startswith("Not delivered within 0 s. The alert is kept")


def test_a_channel_that_asks_to_wait_and_a_silence_are_said_too(alerts):
    alerts.channels = [Channel()]
    with alerts.outbox.transaction() as connection:
        connection.execute(
            "INSERT INTO channels (name, paused_until, last_error) VALUES ('telegram', ?, 'telegram asks to wait 40 s')",
            (time.time() + 40,),
        )
    waiting, silent = [], []

    send_test_alert(alerts, waiting.append, 0.2)
    alerts.silences.create("all", time.time() + 60, "x", time.time())
    send_test_alert(alerts, silent.append, 0.2)

    assert waiting[0].startswith("Stored, and not sent yet: telegram asks to wait 40 s. Next attempt at ")
    assert silent[0].startswith("Stored, but not sent: a silence is active.")


def fire(alerts, at=None):
    IncidentRepository(alerts.outbox).add(
        Alert(fingerprint="shop", level=AlertLevel.ERROR, component="shop", summary="no stock", at=at or time.time())
    )


def test_an_acknowledgement_says_what_it_has_done(alerts):
    fire(alerts)

    said = [
        acknowledgement_text(number, acknowledge(alerts.outbox, number, name, time.time()))
        for number, name in ((1, "anna"), (1, "boris"), (2, "anna"))
    ]

    assert said[0] == "Alert 1 is acknowledged by anna: no stock"
    assert re.fullmatch(r"Alert 1 was acknowledged by anna at .* UTC\.", said[1])
    assert said[2] == "There is no alert 2. GET /alerts lists them."


class TestChannel(Channel):
    """A channel of the chain that accepts or refuses a message."""

    __test__ = False

    def __init__(self, error=None):
        self.error = error
        self.sent = []

    def send(self, notification, message, state):
        if self.error:
            raise self.error
        self.sent.append(message.plain)
        return Sent(7, state)


def test_a_test_of_one_channel_goes_there_alone_and_says_what_the_channel_said(alerts):
    channel, said = TestChannel(), []
    alerts.channels = [channel]

    code = alert_commands.test_channel(alerts, said.append, "telegram")

    assert (code, len(channel.sent)) == (0, 1)
    assert said[0].startswith("Delivered: telegram accepted message 7 after ")
    assert alerts.queries.page(time.time()) == []


def test_a_test_of_a_channel_that_refuses_says_why(alerts):
    said = []
    alerts.channels = [TestChannel(ChannelError("telegram refuses the token", permanent=True))]

    assert alert_commands.test_channel(alerts, said.append, "telegram") == 1
    assert said == ["Not delivered: telegram refuses the token."]


def test_a_test_of_an_unknown_channel_names_the_configured_ones(alerts):
    said = []

    assert alert_commands.test_channel(alerts, said.append, "pagerduty") == 2
    assert said == ["pagerduty is no configured channel. Configured: none. ALERT_CHANNELS names others."]
