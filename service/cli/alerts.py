"""Alerting: the commands `test-alert` and `silence`, each with the sentences that it says while it goes on."""

import argparse
import re
import time
import uuid
from collections.abc import Callable
from typing import Final

from telemetry import semconv
from telemetry.alerts import AlertLevel, AlertPipeline, AlertRecord, ChannelState, Silences, condition
from telemetry.durations import format_timestamp

_POLL_SECONDS: Final = 0.1
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST: Final = 30 * 86_400
_MINUTE: Final = 60
Say = Callable[[str], object]


def test_alert(alerts: AlertPipeline, say: Say, within: float) -> bool:
    """Send one alert through the whole pipeline, and wait for so many seconds at the most; whether it was delivered."""
    if not alerts.channels:
        say(
            "There is nowhere to send it: TELEGRAM_TOKEN and MANAGER_CHAT_ID are not both set, nor is ALERT_WEBHOOK_URL."
        )
        return False
    fingerprint, begun = f"test-{uuid.uuid4().hex[:11]}", time.time()
    about = {
        semconv.COMPONENT: "test-alert",
        semconv.ALERT_LEVEL: str(AlertLevel.INFO),
        semconv.ALERT_FINGERPRINT: fingerprint,
    }
    condition.log.info("This is a test: somebody wants to know whether alerts arrive. They do.", extra=about)
    said = ""
    while time.time() - begun < within:
        told = alerts.overview.get(fingerprint, time.time())
        if told is not None and told.sent_at is not None:
            say(_delivered(told))
            return True
        if (sentence := _progress(told, alerts.overview.channels())) != said:
            said = sentence
            say(sentence)
        time.sleep(_POLL_SECONDS)
    say(f"Not delivered within {within:.0f} s. It is kept, and sent when that is possible; GET /alerts shows it.")
    return False


def _delivered(told: AlertRecord) -> str:
    after = (told.sent_at or 0) - told.incident.first_at
    again = "" if told.incident.attempts <= 1 else f", after {told.incident.attempts} attempts"
    return f"Delivered: {told.channel} accepted it as message {told.message_id} after {after:.1f} s{again}."


def _progress(told: AlertRecord | None, channels: list[ChannelState]) -> str:
    if told is None:
        return "It was not kept: DATA_DIR cannot be written to, or another process has the outbox."
    if told.is_silenced:
        return "Kept; it is not sent, since alerts are silenced: `python -m service silence --list` says why."
    for state in channels:
        if state.stopped:
            return f"Kept; {state.stopped}."
        if state.paused_until > time.time():
            return f"Kept; {state.last_error}; trying again at {format_timestamp(state.paused_until)}."
    return "Kept; on its way."


def parse_duration(text: str) -> float:
    """Of `30m`, `2h`, `1d` or `1h30m`.

    Raises:
        ValueError: with the sentence that says what it may be.
    """
    parts = re.findall(r"([0-9]+)([smhd])", text)
    seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not _MINUTE <= seconds <= _LONGEST:
        raise ValueError(f"{text!r} is no length of time from 1m to 30d, such as 30m, 2h or 1d")
    return float(seconds)


def silence_usage_error(options: argparse.Namespace) -> str | None:
    """What is missing for a silence, as a sentence; None when nothing is."""
    if options.component is None and not options.list:
        return "Say what is to be silent: a component, such as scheduler, or all; or --list."
    if options.component is None or options.end or (options.seconds and options.because):
        return None
    return "A silence needs an end and a reason: --for 2h --because 'the warehouse is moved'."


def silence(silences: Silences, options: argparse.Namespace) -> str:
    """Do what was asked for, and say it."""
    if options.component is None:
        return _listed(silences)
    if options.end:
        ended = silences.end(options.component, time.time())
        return f"{options.component} is told of again." if ended else f"{options.component} was not silenced."
    now = time.time()
    made = silences.begin(options.component, now + options.seconds, options.because, now)
    what = "Nothing" if made.component == "all" else f"Nothing of {made.component}"
    return f"{what} is told until {format_timestamp(made.until)}: {made.reason}"


def _listed(silences: Silences) -> str:
    found = [
        f"{each.component} until {format_timestamp(each.until)}: {each.reason}"
        for each in silences.lasting(time.time())
    ]
    return "\n".join(found or ["Nothing is silenced."])
