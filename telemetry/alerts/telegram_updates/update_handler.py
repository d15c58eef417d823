"""Handles one update: checks who sent it, does what it asks for, answers, and counts."""

import logging
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from telemetry import semconv
from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.rendering.buttons import Press, read_press
from telemetry.alerts.telegram_updates.operator_access import Access
from telemetry.alerts.telegram_updates.phone_command import RUN, PhoneCommand, PhoneCommands
from telemetry.alerts.telegram_updates.presses import ENDED, UNKNOWN_ALERT, PressActions, job_to_run
from telemetry.alerts.telegram_updates.update import CommandUpdate, Person, Place, PressUpdate, Update
from telemetry.durations import format_length
from telemetry.environment.runbook import RunbookSection
from telemetry.error_text import safe_text

_log = logging.getLogger(__name__)
_log.setLevel(logging.INFO)  # `LOG_LEVEL` does not apply to alerts
MAX_AGE: Final = 300.0
"""Seconds after which a command that changes something is not executed any more."""
_STRANGERS_LEASE: Final = "telegram stranger"
_DAY: Final = 86_400.0
_DONE, _REFUSED, _IGNORED, _LATE, _FAILED = semconv.TELEGRAM_UPDATE_RESULTS
COMMAND, PRESS = semconv.TELEGRAM_UPDATE_KINDS
_RUN_LATE: Final = "Not run: the button was pressed while nobody listened. Press it again."


class Answers(Protocol):
    """The part of the bot's client that answers."""

    def answer_press(self, query_id: str, text: str) -> bool: ...
    def reply(self, place: Place, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class UpdateHandler:
    """`count` counts an update by its kind and its result. `clock` is Unix time.

    Attributes:
        bot_name: returns the bot's own username, which a command in a group may end with.
        leases: by which strangers are reported at most once a day.
        pass_on: gives a press to the machine that knows its alert. Returns whether that was possible.
    """

    answers: Answers
    access: Access
    commands: PhoneCommands
    presses: PressActions
    leases: OutboxLeases
    count: Callable[[str, str], None]
    clock: Callable[[], float]
    bot_name: Callable[[], str]
    pass_on: Callable[[PressUpdate], bool] = lambda _update: False

    def handle(self, update: Update) -> None:
        """Do what an update asks for. Its errors are logged: no other update waits for it."""
        kind = COMMAND if isinstance(update, CommandUpdate) else PRESS
        try:
            result = self._handled(update)
        except (ChannelError, sqlite3.Error, OSError) as error:
            reason = str(error) if isinstance(error, ChannelError) else safe_text(error)
            _log.warning("An operator's %s on Telegram was not answered: %s", kind, reason)
            result = _FAILED
        if result:
            self.count(kind, result)

    def _handled(self, update: Update) -> str:
        """Returns the result; empty for what is no business of the bot."""
        if isinstance(update, CommandUpdate) and self._is_chatter(update):
            return ""
        if not self.access.allows(update.person, update.place):
            self._report_stranger(update.person)
            return _REFUSED
        return self._run_command(update) if isinstance(update, CommandUpdate) else self._pressed(update)

    def _is_chatter(self, update: CommandUpdate) -> bool:
        """Whether it is a text of the chat that is not for this bot. What is written elsewhere is for it alone."""
        if update.bot and update.bot.lower() != self.bot_name().lower():
            return True
        return not update.name and self.access.is_in_chat(update.place)

    def _run_command(self, update: CommandUpdate) -> str:
        command = self.commands.by_name.get(update.name)
        if command is None:
            self.answers.reply(update.place, f"Unknown command.\n{self.commands.help()}")
            return _IGNORED
        if command.argument and not update.argument:
            self.answers.reply(update.place, f"Usage: /{command.name} {command.argument}")
            return _IGNORED
        age = self.clock() - update.sent_at
        if command.changes and age > MAX_AGE:
            self.answers.reply(
                update.place,
                f"Not executed: the command is {format_length(age)} old. Send it again if you still want it.",
            )
            return _LATE
        text, result = _outcome(command, update.argument, update.person)
        self.answers.reply(update.place, text)
        return result

    def _pressed(self, update: PressUpdate) -> str:
        press = read_press(update.data)
        incident = None if press is None else self.presses.find(press)
        if press is not None and incident is None and self.pass_on(update):
            return ""  # the machine that takes it counts it
        if press is None or incident is None:
            return self._answered(update, UNKNOWN_ALERT, _IGNORED)
        if not incident.is_open:
            return self._answered(update, ENDED, _IGNORED)
        by = str(update.person)
        if press.action == "run":
            return self._run_again(update, press)
        is_done, text = (
            self.presses.acknowledge(incident, by)
            if press.action == "ack"
            else self.presses.silence(incident, press, by)
        )
        return self._answered(update, text, _DONE if is_done else _IGNORED)

    def is_known(self, update: PressUpdate) -> bool:
        """Whether the press is about an alert of this machine."""
        press = read_press(update.data)
        return press is not None and self.presses.find(press) is not None

    def give_up(self, update: PressUpdate) -> None:
        """Answer a press about an alert that no machine knows."""
        with suppress(ChannelError):
            self.answers.answer_press(update.query_id, UNKNOWN_ALERT)
        self.count(PRESS, _IGNORED)

    def _run_again(self, update: PressUpdate, press: Press) -> str:
        """Answer first: a press that is too old for an answer runs nothing."""
        incident, command = self.presses.find(press), self.commands.by_name.get(RUN)
        job = "" if incident is None else job_to_run(incident)
        if incident is None or command is None or not job:
            return self._answered(update, "Nothing can be run again for this alert.", _IGNORED)
        if (other := self.presses.claim_run(incident, str(update.person))) is not None:
            return self._answered(update, f"{job} was started a moment ago by {other or 'another person'}.", _IGNORED)
        if not self.answers.answer_press(update.query_id, f"Starting {job} …"):
            self.answers.reply(update.place, _RUN_LATE)
            return _LATE
        text, result = _outcome(command, job, update.person)
        self.answers.reply(update.place, text)
        return result

    def _answered(self, update: PressUpdate, text: str, result: str) -> str:
        self.answers.answer_press(update.query_id, text)
        return result

    def _report_stranger(self, person: Person) -> None:
        """A stranger gets no answer. Operators get an alert, once a day at most."""
        if not self.leases.acquire(_STRANGERS_LEASE, uuid.uuid4().hex, self.clock(), _DAY):
            return
        log_stranger(person)


def log_stranger(person: Person) -> None:
    """The alert about a person who is no operator."""
    _log.warning(
        "A person who may not use the Telegram bot tried to: %s. Nothing was done, and no answer was sent. "
        "Further attempts are counted; the next alert comes in a day at the earliest.",
        person,
        extra={
            semconv.COMPONENT: "telegram",
            semconv.ALERT_LEVEL: str(AlertLevel.WARNING),
            semconv.ALERT_SECTION: RunbookSection.TELEGRAM_STRANGER,
        },
    )


def _outcome(command: PhoneCommand, argument: str, person: Person) -> tuple[str, str]:
    """The text of a command, and the result."""
    try:
        return command.run(argument, str(person)), _DONE
    except Exception as error:  # noqa: BLE001  # an edge: whatever a service's command raises, the operator gets an answer
        _log.warning("The command /%s failed: %s", command.name, safe_text(error))
        return f"/{command.name} failed: {safe_text(error)}", _FAILED
