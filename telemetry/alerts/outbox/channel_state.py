"""Channel state: what is known of a channel, as the outbox keeps it over restarts."""

import sqlite3
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Of one channel: until when it is to be left alone, why it is stopped, and what it has said of its chat."""

    name: str
    paused_until: float = 0.0
    failures: int = 0
    last_error: str | None = None
    stopped: str | None = None
    chat_id: str | None = None
    without_thread: bool = False
    plain_texts: int = 0

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        return cls(**dict(row) | {"without_thread": bool(row["without_thread"])})


def read_channel(connection: sqlite3.Connection, name: str) -> ChannelState:
    row = connection.execute("SELECT * FROM channels WHERE name = ?", (name,)).fetchone()
    return ChannelState(name) if row is None else ChannelState.from_row(row)


def save_channel(connection: sqlite3.Connection, state: ChannelState) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO channels (name, paused_until, failures, last_error, stopped, chat_id, without_thread, "
        "plain_texts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            state.name,
            state.paused_until,
            state.failures,
            state.last_error,
            state.stopped,
            state.chat_id,
            state.without_thread,
            state.plain_texts,
        ),
    )
