"""The tables of the outbox."""

import re
import sqlite3
from typing import Final

SCHEMA_VERSION: Final = 5
"""In the file as `user_version`."""
_DELIVERIES: Final = """
CREATE TABLE deliveries (
    incident_id INTEGER NOT NULL REFERENCES incidents ON DELETE CASCADE,
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    step TEXT NOT NULL,
    count INTEGER NOT NULL,
    at REAL,
    escalated_at REAL,
    remote_id TEXT NOT NULL,
    begun TEXT NOT NULL,
    is_doubtful INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_error TEXT,
    refused INTEGER NOT NULL,
    PRIMARY KEY (incident_id, channel)
) WITHOUT ROWID;
CREATE INDEX ix_deliveries_open ON deliveries (channel) WHERE step <> 'resolve';
CREATE INDEX ix_incidents_unmeasured ON incidents (id) WHERE measured < 2 AND (acknowledged_at IS NOT NULL OR ended_at IS NOT NULL);
"""
"""What each channel was sent of each incident: the furthest `step` that it accepted, and the one that was `begun` and has no known
outcome. A row of a channel that was sent nothing says when the incident was escalated to it.
"""
_ACKNOWLEDGED: Final = """
ALTER TABLE incidents ADD COLUMN acknowledged_at REAL;
ALTER TABLE incidents ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN measured INTEGER NOT NULL DEFAULT 0;
UPDATE incidents SET measured = 2 WHERE ended_at IS NOT NULL;
"""
_BUTTONS: Final = "CREATE INDEX ix_posts_buttons ON posts (id) WHERE buttons > 0;"
STEPS: Final = {
    # The chat of a message without `chat_id` is not known, so it is not edited any more.
    2: """
ALTER TABLE posts ADD COLUMN bot_id TEXT;
ALTER TABLE channels ADD COLUMN configured TEXT NOT NULL DEFAULT '';
UPDATE posts SET message_id = NULL WHERE channel = 'telegram' AND chat_id IS NULL;
""",
    3: """
ALTER TABLE incidents ADD COLUMN section TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN resolution TEXT NOT NULL DEFAULT '';
""",
    4: f"{_ACKNOWLEDGED}{_DELIVERIES}",
    5: f"""
ALTER TABLE posts ADD COLUMN buttons INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN changed_at REAL;
{_BUTTONS}
""",
}
"""How a file of the version before becomes one of each version."""
ADDED_TO_INCIDENTS: Final = {
    "section": "",
    "resolution": "",
    "acknowledged_at": None,
    "acknowledged_by": "",
    "measured": 0,
}
"""The last columns of an incident, with what they are in a row from before them."""
_TABLES: Final = """
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    level TEXT NOT NULL,
    component TEXT NOT NULL,
    place TEXT NOT NULL,
    follows TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    is_sampled INTEGER NOT NULL,
    first_at REAL NOT NULL,
    last_at REAL NOT NULL,
    count INTEGER NOT NULL,
    due_at REAL NOT NULL,
    ended_at REAL,
    ended TEXT,
    muted_by INTEGER,
    told_at REAL,
    told_post INTEGER,
    told_count INTEGER NOT NULL DEFAULT 0,
    end_told INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    refusal TEXT,
    facts TEXT NOT NULL,
    words TEXT NOT NULL,
    error TEXT NOT NULL,
    stack TEXT NOT NULL,
    section TEXT NOT NULL DEFAULT '',
    resolution TEXT NOT NULL DEFAULT '',
    acknowledged_at REAL,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    measured INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX ix_incidents_open ON incidents (fingerprint) WHERE ended_at IS NULL;
CREATE INDEX ix_incidents_waiting ON incidents (ended_at, due_at) WHERE told_post IS NULL;
CREATE INDEX ix_incidents_state ON incidents (state, first_at) WHERE state <> '';
CREATE INDEX ix_incidents_told_at ON incidents (told_at) WHERE told_at IS NOT NULL;
CREATE INDEX ix_incidents_uncounted ON incidents (told_post) WHERE count > told_count AND told_post IS NOT NULL;
CREATE TABLE posts (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at REAL NOT NULL,
    begun_at REAL,
    is_doubtful INTEGER NOT NULL DEFAULT 0,
    sent_at REAL,
    edited_at REAL,
    chat_id TEXT,
    message_id INTEGER,
    bot_id TEXT,
    buttons INTEGER NOT NULL DEFAULT 0,
    changed_at REAL
);
CREATE INDEX ix_posts_unsent ON posts (id) WHERE sent_at IS NULL;
CREATE TABLE tellings (
    post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    incident_id INTEGER NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
    PRIMARY KEY (post_id, incident_id)
) WITHOUT ROWID;
CREATE INDEX ix_tellings_incident ON tellings (incident_id);
CREATE TABLE sends (channel TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX ix_sends_at ON sends (channel, at);
CREATE TABLE channels (
    name TEXT PRIMARY KEY,
    paused_until REAL NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    stopped TEXT,
    chat_id TEXT,
    without_thread INTEGER NOT NULL DEFAULT 0,
    plain_texts INTEGER NOT NULL DEFAULT 0,
    configured TEXT NOT NULL DEFAULT ''
);
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE states (key TEXT PRIMARY KEY, on_since REAL, off_since REAL, seen_at REAL NOT NULL);
CREATE TABLE silences (
    id INTEGER PRIMARY KEY,
    component TEXT NOT NULL,
    until REAL NOT NULL,
    reason TEXT NOT NULL,
    created_at REAL NOT NULL
);
"""
SCHEMA: Final = _TABLES + _DELIVERIES + _BUTTONS
"""Newer tables come last: those of an older file keep their places."""


def create_schema(connection: sqlite3.Connection) -> None:
    """Create all tables. They get the same places in each new file."""
    _run(connection, SCHEMA, SCHEMA_VERSION)


def update_schema(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables of an older version up to date, step by step."""
    for newer in range(version + 1, SCHEMA_VERSION + 1):
        _run(connection, STEPS[newer], newer)


def _run(connection: sqlite3.Connection, script: str, version: int) -> None:
    """Run the statements without spaces to spare: SQLite's own table of them has to fit on the file's first page."""
    for statement in filter(str.strip, script.split(";")):
        connection.execute(re.sub(r"\s*([(),])\s*", r"\1", " ".join(statement.split())))
    connection.execute(f"PRAGMA user_version={version}")
