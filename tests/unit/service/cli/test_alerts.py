import argparse
import time

import pytest

from service.cli.alerts import change_silences, parse_duration, send_test_alert
from service.cli.parser import main
from telemetry.build import build
from telemetry.settings import TelemetrySettings


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
    with pytest.raises(ValueError, match="is no length of time from 1m to 30d"):
        parse_duration(text)


def test_a_silence_is_begun_listed_and_ended(alerts):
    begun = change_silences(
        alerts.silences, options(component="scheduler", seconds=7200.0, because="the warehouse moves")
    )
    listed = change_silences(alerts.silences, options(list=True))
    ended = change_silences(alerts.silences, options(component="scheduler", end=True))

    assert begun.startswith("Nothing of scheduler is told until ")
    assert begun.endswith(" UTC: the warehouse moves")
    assert listed.startswith("scheduler until ")
    assert ended == "Silence for scheduler ended."
    assert change_silences(alerts.silences, options(list=True)) == "There are no silences."
    assert change_silences(alerts.silences, options(component="x", end=True)) == "x was not silenced."
    assert change_silences(alerts.silences, options(component="all", seconds=60.0, because="y")).startswith(
        "Nothing is"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["silence"], "Say what is to be silent"),
        (["silence", "scheduler"], "A silence needs an end and a reason"),
        (["silence", "scheduler", "--for", "2h"], "A silence needs an end and a reason"),
    ],
)
def test_what_is_missing_for_a_silence_is_said(arguments, sentence, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["service", *arguments])

    assert main() == 1
    assert capsys.readouterr().err.startswith(sentence)


def test_a_test_without_a_channel_says_which_variables_are_missing(alerts):
    said = []

    assert not send_test_alert(alerts, said.append, 1)
    assert said[0].startswith("There is nowhere to send it: TELEGRAM_TOKEN and MANAGER_CHAT_ID")


def test_a_test_that_is_not_delivered_says_why_and_that_it_is_kept(alerts):
    alerts.channels = [Channel()]
    with alerts.outbox.transaction() as connection:
        connection.execute(
            "INSERT INTO channels (name, stopped) VALUES ('telegram', 'telegram refuses (401: Unauthorized)')"
        )
    said = []

    assert not send_test_alert(alerts, said.append, 0.3)
    assert said[0] == "Kept; telegram refuses (401: Unauthorized)."
    assert said[-1].startswith("Not delivered within 0 s. It is kept")


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

    assert waiting[0].startswith("Kept; telegram asks to wait 40 s; trying again at ")
    assert silent[0].startswith("Kept; it is not sent, since alerts are silenced")
