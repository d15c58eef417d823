"""The state of a channel, which the outbox keeps over restarts."""

import sqlite3
from dataclasses import dataclass, replace
from typing import Literal, Self

ChannelCondition = Literal["ok", "rate_limited", "failing", "disabled"]


@dataclass(frozen=True, slots=True)
class ChannelState:
    """`disabled_reason` is why the channel sends nothing, `paused_until` when it is tried again (Unix time).

    `chat_id` and `without_thread` are what Telegram said about the chat and the topic that were `configured` then.
    """

    name: str
    paused_until: float = 0.0
    failures: int = 0
    last_error: str | None = None
    disabled_reason: str | None = None
    chat_id: str | None = None
    without_thread: bool = False
    plain_texts: int = 0
    configured: str = ""

    def is_usable(self, now: float) -> bool:
        """Whether the channel may be tried. One that is paused only is waited for."""
        return self.disabled_reason is None or self.paused_until <= now

    def condition(self, now: float) -> ChannelCondition:
        if self.disabled_reason:
            return "disabled"
        if self.paused_until > now:
            return "rate_limited"
        return "failing" if self.failures else "ok"

    def disabled(self, reason: str, until: float) -> Self:
        """What was learned is forgotten: the next attempt begins with what is configured."""
        return replace(self, disabled_reason=reason, paused_until=until, chat_id=None, without_thread=False)

    def enabled(self) -> Self:
        return replace(self, disabled_reason=None, paused_until=0.0)

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        return cls(
            name=row["name"],
            paused_until=row["paused_until"],
            failures=row["failures"],
            last_error=row["last_error"],
            disabled_reason=row["stopped"],
            chat_id=row["chat_id"],
            without_thread=bool(row["without_thread"]),
            plain_texts=row["plain_texts"],
            configured=row["configured"],
        )


def read_channel(connection: sqlite3.Connection, name: str) -> ChannelState:
    row = connection.execute("SELECT * FROM channels WHERE name = ?", (name,)).fetchone()
    return ChannelState(name) if row is None else ChannelState.from_row(row)


def save_channel(connection: sqlite3.Connection, state: ChannelState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO channels (name, paused_until, failures, last_error, stopped, chat_id, without_thread, "
        "plain_texts, configured) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            state.name,
            state.paused_until,
            state.failures,
            state.last_error,
            state.disabled_reason,
            state.chat_id,
            state.without_thread,
            state.plain_texts,
            state.configured,
        ),
    )
