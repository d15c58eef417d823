"""The commands `test-alert` and `silence`."""

import argparse
import re
import sqlite3
import time
import uuid
from collections.abc import Callable
from typing import Final

from service.bootstrap import SandboxUnavailable, Service
from service.cli import output
from service.names import AlertSection
from service.settings import Settings
from telemetry import semconv
from telemetry.alerts import AlertLevel, AlertPipeline, AlertRecord, ChannelState, Silences, condition
from telemetry.durations import format_timestamp
from telemetry.error_text import safe_text

_POLL_SECONDS: Final = 0.1
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MIN_SILENCE_SECONDS: Final = 60
_MAX_SILENCE_SECONDS: Final = 30 * 86_400
Say = Callable[[str], object]


def test_alert(options: argparse.Namespace) -> int:
    """Send one alert through the whole pipeline and wait until it is delivered; 1 if it is not."""
    runtime = Service(Settings.read())
    try:
        with runtime.running_sandbox():
            return 0 if send_test_alert(runtime.telemetry.alerts, output.say, options.within) else 1
    except SandboxUnavailable as error:
        return output.complain(str(error))
    finally:
        runtime.close(1.0)


def silence(options: argparse.Namespace) -> int:
    """Begin, end or list silences."""
    if usage_error := silence_usage_error(options):
        return output.complain(usage_error)
    runtime = Service(Settings.read())
    try:
        output.say(change_silences(runtime.telemetry.alerts.silences, options))
    except (sqlite3.Error, OSError) as error:
        return output.complain(f"The outbox of alerts cannot be written: {safe_text(error)}.")
    finally:
        runtime.close(1.0)
    return 0


def send_test_alert(alerts: AlertPipeline, say: Say, timeout: float) -> bool:
    """Send one alert through the whole pipeline, and report its progress.

    Args:
        alerts: the pipeline.
        say: called with a sentence for each change of state.
        timeout: how long to wait for the delivery, in seconds.

    Returns:
        Whether the alert was delivered in time.
    """
    if not alerts.channels:
        say(
            "There is nowhere to send it: TELEGRAM_TOKEN and MANAGER_CHAT_ID are not both set, nor is ALERT_WEBHOOK_URL."
        )
        return False
    fingerprint, started = f"test-{uuid.uuid4().hex[:11]}", time.time()
    attributes = {
        semconv.COMPONENT: "test-alert",
        semconv.ALERT_LEVEL: str(AlertLevel.INFO),
        semconv.ALERT_FINGERPRINT: fingerprint,
        semconv.ALERT_SECTION: str(AlertSection.TEST_ALERT),
    }
    condition.log.info("Test alert: delivery works.", extra=attributes)
    reported = ""
    while time.time() - started < timeout:
        record = alerts.queries.get(fingerprint, time.time())
        if record is not None and record.sent_at is not None:
            say(_delivered(record))
            return True
        if (progress := _progress(record, alerts.queries.channels())) != reported:
            reported = progress
            say(progress)
        time.sleep(_POLL_SECONDS)
    say(f"Not delivered within {timeout:.0f} s. It is kept, and sent when that is possible; GET /alerts shows it.")
    return False


def _delivered(record: AlertRecord) -> str:
    after = (record.sent_at or 0) - record.incident.first_at
    attempts = "" if record.incident.attempts <= 1 else f", after {record.incident.attempts} attempts"
    return f"Delivered: {record.channel} accepted it as message {record.message_id} after {after:.1f} s{attempts}."


def _progress(record: AlertRecord | None, channels: list[ChannelState]) -> str:
    if record is None:
        return "It was not kept: DATA_DIR cannot be written to, or another process has the outbox."
    if record.is_silenced:
        return "Kept; it is not sent, since alerts are silenced: `python -m service silence --list` says why."
    for state in channels:
        if state.disabled_reason:
            return f"Kept; {state.disabled_reason}."
        if state.paused_until > time.time():
            return f"Kept; {state.last_error}; trying again at {format_timestamp(state.paused_until)}."
    return "Kept; on its way."


def parse_duration(text: str) -> float:
    """Parse a duration such as `30m`, `2h`, `1d` or `1h30m` into seconds.

    Raises:
        ValueError: it is no duration from 1 minute to 30 days; the message says what it may be.
    """
    parts = re.findall(r"([0-9]+)([smhd])", text)
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    is_complete = "".join(number + unit for number, unit in parts) == text
    if not is_complete or not _MIN_SILENCE_SECONDS <= seconds <= _MAX_SILENCE_SECONDS:
        raise ValueError(f"{text!r} is no length of time from 1m to 30d, such as 30m, 2h or 1d")
    return float(seconds)


def silence_usage_error(options: argparse.Namespace) -> str | None:
    """What is missing on the command line, as a sentence; None if nothing is."""
    if options.component is None and not options.list:
        return "Say what is to be silent: a component, such as scheduler, or all; or --list."
    if options.component is None or options.end or (options.seconds and options.because):
        return None
    return "A silence needs an end and a reason: --for 2h --because 'the warehouse is moved'."


def change_silences(silences: Silences, options: argparse.Namespace) -> str:
    """Begin, end or list silences, as the options say. Returns the output."""
    if options.component is None:
        return _listed(silences)
    if options.end:
        ended = silences.expire(options.component, time.time())
        return f"Silence for {options.component} ended." if ended else f"{options.component} was not silenced."
    now = time.time()
    added = silences.create(options.component, now + options.seconds, options.because, now)
    what = "Nothing" if added.component == "all" else f"Nothing of {added.component}"
    return f"{what} is told until {format_timestamp(added.until)}: {added.reason}"


def _listed(silences: Silences) -> str:
    lines = [
        f"{each.component} until {format_timestamp(each.until)}: {each.reason}" for each in silences.active(time.time())
    ]
    return "\n".join(lines or ["There are no silences."])
