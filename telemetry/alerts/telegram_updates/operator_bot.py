"""The bot as operators use it: composes the poller, the handler and the commands, and runs them in one thread."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx
from opentelemetry.metrics import Meter

from telemetry import semconv
from telemetry.alerts.channels.channel import ChannelError
from telemetry.alerts.channels.telegram import NAME, Bot
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.leases import OutboxLeases
from telemetry.alerts.outbox.notifications import NotificationRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.telegram_updates import poller
from telemetry.alerts.telegram_updates.alert_commands import AlertCommands
from telemetry.alerts.telegram_updates.bot_client import POLL_SECONDS, BotClient
from telemetry.alerts.telegram_updates.operator_access import Access
from telemetry.alerts.telegram_updates.phone_command import PhoneCommand, PhoneCommands
from telemetry.alerts.telegram_updates.poller import PollingLease, UpdatePoller
from telemetry.alerts.telegram_updates.press_relay import PressRelay, RelayReader
from telemetry.alerts.telegram_updates.presses import PressActions
from telemetry.alerts.telegram_updates.update import PressUpdate
from telemetry.alerts.telegram_updates.update_handler import UpdateHandler
from telemetry.failsafe import failsafe
from telemetry.periodic import PeriodicTask

_STEP_SECONDS: Final = 0.25
_STOP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class BotContext:
    """What the bot works on. `holder` is this process's name in leases, `is_dead` is of another one's.

    `title` is the first line of /status, `channels` are the names of the configured ones.
    """

    outbox: Outbox
    meter: Meter
    clock: Callable[[], float] = time.time
    holder: Callable[[], str] = lambda: ""
    is_dead: Callable[[str], bool] = lambda _holder: False
    operators: frozenset[int] = frozenset()
    title: str = ""
    channels: Sequence[str] = ()
    poll_seconds: int = POLL_SECONDS


class OperatorBot:
    """Nothing runs before `start`. `client` is for tests."""

    def __init__(self, bot: Bot, context: BotContext, client: httpx.Client | None = None) -> None:
        self._context = context
        self._leases = OutboxLeases(context.outbox, context.is_dead)
        self._shared: list[PollingLease] = []
        self._commands = PhoneCommands()
        queries, silences = AlertQueries(context.outbox), Silences(context.outbox)
        alerts = AlertCommands(queries, silences, context.clock, context.title, context.channels)
        self._commands.add(alerts.commands(self._commands))
        self._name = ""
        self._relay: PressRelay | None = None
        self._reader: RelayReader | None = None
        self._task = PeriodicTask(self._step, _STEP_SECONDS, "Reading the updates of the Telegram bot")
        self._client = BotClient(bot, client, self._pause, context.poll_seconds)
        counter = context.meter.create_counter(
            semconv.TELEGRAM_UPDATES,
            unit="{update}",
            description="Commands and presses of buttons, by kind and result.",
        )
        handler = UpdateHandler(
            answers=self._client,
            access=Access(bot.chat_id, context.operators, partial(_chat_moved_to, context.outbox, bot)),
            commands=self._commands,
            presses=PressActions(context.outbox, queries, silences, context.clock),
            leases=self._leases,
            count=lambda kind, result: counter.add(1, {semconv.KIND: kind, semconv.RESULT: result}),
            clock=context.clock,
            bot_name=lambda: self._name,
            pass_on=self._pass_on,
        )
        self._handler = handler
        self._poller = UpdatePoller(
            self._client, handler.handle, self._all_leases, lambda: self._task.is_stopping, self._introduce
        )

    def add(self, commands: Iterable[PhoneCommand]) -> None:
        """Add the service's own commands. One of the name of another replaces it."""
        self._commands.add(commands)

    def share(self, lease: PollingLease, relay: PressRelay | None = None) -> None:
        """Let one of several machines read, by a lease that they share, and hand on presses by a relay."""
        self._shared.append(lease)
        if relay is not None:
            self._relay, handler = relay, self._handler
            self._reader = RelayReader(relay, handler.is_known, handler.handle, handler.give_up)

    def _pass_on(self, update: PressUpdate) -> bool:
        return self._relay is not None and self._relay.put(update)

    def start(self) -> None:
        """Start the thread. More than once is harmless."""
        self._task.start()

    def stop(self) -> None:
        """Handle nothing more. A poll that is open is left to its end, in a thread that keeps no process from ending.

        More than once is harmless.
        """
        if self._task.is_stopping:
            return
        self._task.stop(0.0 if self._poller.is_waiting else _STOP_SECONDS)
        for lease in self._all_leases():
            failsafe(lease.release)()

    def step(self) -> None:
        """Poll once, in this thread, if it is time to. For tests."""
        self._step()

    def _step(self) -> None:
        self._poller.step()
        if self._reader is not None and not self._task.is_stopping and self._acquire():
            self._reader.step()

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._task.is_stopping:
            time.sleep(0.1)

    def _all_leases(self) -> Sequence[PollingLease]:
        return (PollingLease(self._acquire, self._release), *self._shared)

    def _acquire(self) -> bool:
        return self._leases.acquire(
            poller.LEASE_NAME, self._context.holder(), self._context.clock(), poller.LEASE_SECONDS
        )

    def _release(self) -> None:
        now = self._context.clock()
        with self._context.outbox.transaction() as connection:
            connection.execute(
                "UPDATE leases SET until = ? WHERE name = ? AND holder = ?",
                (now, poller.LEASE_NAME, self._context.holder()),
            )

    def _introduce(self) -> None:
        """Ask for the bot's own name, and offer the commands. Without an answer, commands with a bot's name are ignored."""
        with suppress(ChannelError):
            self._name = self._client.username()
        self._client.show_commands(self._commands.descriptions())


def _chat_moved_to(outbox: Outbox, bot: Bot) -> str | None:
    """The supergroup that the configured chat has become."""
    state = NotificationRepository(outbox).channel(NAME)
    return state.chat_id if state.configured == bot.destination else None
