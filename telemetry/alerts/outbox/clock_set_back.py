"""After the clock was set back: a timestamp in the future counts as now, and no wait is longer than it was meant."""

import sqlite3
from typing import Final

from telemetry.alerts.outbox.incidents import INHIBITION_DELAY

MAX_PAUSE_SECONDS: Final = 86_400.0
"""How long a channel may ask to be left alone."""
_TOLERANCE: Final = 5.0
_LATEST: Final = f":now + {_TOLERANCE}"
_HAPPENED: Final = (
    ("incidents", "first_at"),
    ("incidents", "last_at"),
    ("incidents", "ended_at"),
    ("incidents", "told_at"),
    ("posts", "created_at"),
    ("posts", "begun_at"),
    ("posts", "sent_at"),
    ("posts", "edited_at"),
    ("incidents", "acknowledged_at"),
    ("deliveries", "at"),
    ("deliveries", "escalated_at"),
)
# A pause was set when the last call was made, which `sends` keeps.
_PAUSED_BY_OTHER_CLOCK: Final = (
    f"paused_until > {_LATEST} AND (paused_until > {_LATEST} + {MAX_PAUSE_SECONDS} "  # noqa: S608  # the constants above
    f"OR EXISTS (SELECT 1 FROM sends WHERE channel = name AND at > {_LATEST}))"
)
_REPAIRS: Final = (
    *((table, f"{column} > {_LATEST}", f"UPDATE {table} SET {column} = :now") for table, column in _HAPPENED),  # noqa: S608  # the constants above
    (
        "incidents",
        f"due_at > {_LATEST} + {INHIBITION_DELAY}",
        f"UPDATE incidents SET due_at = iif(follows = '', :now, :now + {INHIBITION_DELAY})",  # noqa: S608  # the constants above
    ),
    (
        "silences",
        f"created_at > {_LATEST}",
        "UPDATE silences SET until = :now + until - created_at, created_at = :now",
    ),
    ("channels", _PAUSED_BY_OTHER_CLOCK, "UPDATE channels SET paused_until = 0"),
    ("sends", f"at > {_LATEST}", "DELETE FROM sends"),
)
_FOUND: Final = (f"EXISTS (SELECT 1 FROM {table} WHERE {where})" for table, where, _ in _REPAIRS)  # noqa: S608  # likewise
_IS_DUE: Final = f"SELECT {' OR '.join(_FOUND)}"


def is_repair_due(connection: sqlite3.Connection, now: float) -> bool:
    """Whether a row is from before the clock was set back."""
    return bool(connection.execute(_IS_DUE, {"now": now}).fetchone()[0])


def repair(connection: sqlite3.Connection, now: float) -> None:
    """Rewrite the rows from before the clock was set back."""
    for _, where, change in _REPAIRS:
        connection.execute(f"{change} WHERE {where}", {"now": now})
