"""The commands `test-alert`, `acknowledge` and `silence`."""

import argparse
import getpass
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from service.bootstrap import SandboxUnavailable, Service
from service.cli import output
from service.cli.exit_codes import USAGE
from service.names import COMPONENTS, AlertSection
from service.settings import Settings
from telemetry import semconv
from telemetry.alerts import (
    Acknowledgement,
    AcknowledgementResult,
    AlertLevel,
    AlertPipeline,
    AlertRecord,
    ChannelError,
    ChannelState,
    Silences,
    acknowledge,
    condition,
)
from telemetry.durations import format_timestamp
from telemetry.error_text import safe_text

ALL: Final = "all"
"""Stands for every component in a silence."""
_POLL_SECONDS: Final = 0.1
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MIN_SILENCE_SECONDS: Final = 60
_MAX_SILENCE_SECONDS: Final = 30 * 86_400
Say = Callable[[str], object]


def test_alert(options: argparse.Namespace) -> int:
    """Send one alert through the whole pipeline and wait until it is delivered, or to one channel alone; 1 if it is not."""
    runtime = Service(Settings.read())
    try:
        with runtime.running_sandbox():
            alerts = runtime.telemetry.alerts
            if options.channel is not None:
                return test_channel(alerts, output.say, options.channel)
            return 0 if send_test_alert(alerts, output.say, options.within) else 1
    except SandboxUnavailable as error:
        return output.complain(str(error))
    finally:
        runtime.close(1.0)


def acknowledge_alert(options: argparse.Namespace) -> int:
    """Acknowledge an alert, so that it is not escalated; 1 if that is not possible."""
    runtime = Service(Settings.read())
    try:
        done = acknowledge(runtime.telemetry.alerts.outbox, options.id, options.by or _user_name(), time.time())
        output.say(acknowledgement_text(options.id, done))
    except (sqlite3.Error, OSError) as error:
        return output.complain(f"The alert outbox cannot be written: {safe_text(error)}.")
    finally:
        runtime.close(1.0)
    return 0 if done.result in {AcknowledgementResult.DONE, AcknowledgementResult.ALREADY_ACKNOWLEDGED} else 1


def _user_name() -> str:
    """Empty in a container whose user has no name."""
    with suppress(KeyError, OSError, ImportError):
        return getpass.getuser()
    return ""


def acknowledgement_text(alert_id: int, done: Acknowledgement) -> str:
    """A sentence about what the command has done."""
    if done.incident is None:
        return f"There is no alert {alert_id}. GET /alerts lists them."
    at = format_timestamp(done.incident.acknowledged_at or 0)
    return {
        AcknowledgementResult.DONE: f"Alert {alert_id} is acknowledged by {done.by}: {done.incident.summary}",
        AcknowledgementResult.ALREADY_ACKNOWLEDGED: f"Alert {alert_id} was acknowledged by {done.by} at {at}.",
    }.get(done.result, f"Alert {alert_id} has ended: it needs no acknowledgement.")


def test_channel(alerts: AlertPipeline, say: Say, name: str) -> int:
    """Send a test to one channel alone, past the outbox. Returns the exit code."""
    if name not in alerts.channel_names:
        configured = ", ".join(alerts.channel_names) or "none"
        say(f"{name} is no configured channel. Configured: {configured}. ALERT_CHANNELS names others.")
        return USAGE
    started = time.monotonic()
    try:
        said = alerts.test_channel(name, f"test-{uuid.uuid4().hex[:11]}", str(AlertSection.TEST_ALERT))
    except ChannelError as error:
        say(f"Not delivered: {error}.")
        return 1
    say(f"Delivered: {name} accepted {said} after {time.monotonic() - started:.1f} s.")
    return 0


def silence(options: argparse.Namespace) -> int:
    """Begin, end or list silences."""
    if usage_error := silence_usage_error(options):
        return output.complain(usage_error, USAGE)
    runtime = Service(Settings.read())
    try:
        alerts = runtime.telemetry.alerts
        if options.seconds and (warning := unknown_component(options.component, alerts.queries.components())):
            output.complain(warning)
        output.say(change_silences(alerts.silences, options))
    except (sqlite3.Error, OSError) as error:
        return output.complain(f"The alert outbox cannot be written: {safe_text(error)}.")
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
        say(_without_chain(alerts))
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
    say(f"Not delivered within {timeout:.0f} s. The alert is kept, and sent as soon as possible; GET /alerts shows it.")
    return False


def _without_chain(alerts: AlertPipeline) -> str:
    if names := alerts.channel_names:
        return f"No alert goes to Telegram or ALERT_WEBHOOK_URL at once. Test one channel: test-alert --channel {names[0]}."
    return "No channel is configured: set TELEGRAM_TOKEN and MANAGER_CHAT_ID, ALERT_WEBHOOK_URL, or ALERT_CHANNELS."


def _delivered(record: AlertRecord) -> str:
    after = (record.sent_at or 0) - record.incident.first_at
    attempts = "" if record.incident.attempts <= 1 else f", after {record.incident.attempts} attempts"
    return f"Delivered: {record.channel} accepted it as message {record.message_id} after {after:.1f} s{attempts}."


def _progress(record: AlertRecord | None, channels: list[ChannelState]) -> str:
    if record is None:
        return "The alert is not stored: DATA_DIR cannot be written, or another process has locked the outbox."
    if record.is_silenced:
        return "Stored, but not sent: a silence is active. `python -m service silence --list` shows it."
    for state in channels:
        if state.disabled_reason:
            return f"Stored, but not sent: {state.disabled_reason}."
        if state.paused_until > time.time():
            return (
                f"Stored, and not sent yet: {state.last_error}. Next attempt at {format_timestamp(state.paused_until)}."
            )
    return "Stored; the message is being sent."


def parse_duration(text: str) -> float:
    """Parse a duration such as `30m`, `2h`, `1d` or `1h30m` into seconds.

    Raises:
        ValueError: it is no duration from 1 minute to 30 days; the message says what it may be.
    """
    parts = re.findall(r"([0-9]+)([smhd])", text)
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    is_complete = "".join(number + unit for number, unit in parts) == text
    if not is_complete or not _MIN_SILENCE_SECONDS <= seconds <= _MAX_SILENCE_SECONDS:
        raise ValueError(f"{text!r} is invalid: expected a duration from 1m to 30d, such as 30m, 2h or 1d")
    return float(seconds)


def silence_usage_error(options: argparse.Namespace) -> str | None:
    """What is wrong on the command line, as a sentence; None if nothing is."""
    if options.list:
        return None
    if not (options.component or "").strip():
        return "COMPONENT is missing: name a component, such as scheduler, or all; or use --list."
    if options.end:
        return "--end does not take --for or --because." if options.seconds or options.because else None
    if options.seconds and options.because:
        return None
    return "--for or --because is missing: a silence needs an end and a reason (--for 2h --because 'the warehouse is moved')."


def unknown_component(component: str | None, recorded: Iterable[str]) -> str | None:
    """A warning if no alert can have this component, as far as is known; `recorded` are those of earlier alerts."""
    known = {*COMPONENTS, *recorded}
    if component is None or component in {ALL, *known}:
        return None
    return f"Warning: no alert has had the component {component!r}. Known: {', '.join(sorted(known))}; or all."


def change_silences(silences: Silences, options: argparse.Namespace) -> str:
    """Begin, end or list silences, as the options say. Returns the output."""
    if options.list:
        return _listed(silences)
    if options.end:
        ended = silences.expire(options.component, time.time())
        return f"Silence for {options.component} ended." if ended else f"{options.component} was not silenced."
    now = time.time()
    added = silences.create(options.component, now + options.seconds, options.because, now)
    what = "All alerts" if added.component == ALL else f"The alerts of {added.component}"
    return f"{what} are silenced until {format_timestamp(added.until)}: {added.reason}"


def _listed(silences: Silences) -> str:
    lines = [
        f"{each.component} until {format_timestamp(each.until)}: {each.reason}" for each in silences.active(time.time())
    ]
    return "\n".join(lines or ["There are no silences."])
