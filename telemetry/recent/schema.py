"""The tables of `recent.db`. The file is a cache: a file of another version is made anew, and nothing is converted."""

import sqlite3
from typing import Final

from telemetry.recent.point_tables import POINT_TABLES

SCHEMA_VERSION: Final = 2
"""In the file as `user_version`."""
TRACE_OVERHEAD: Final = 400
"""Bytes that a trace takes in tables and indexes, besides its spans."""
LOG_OVERHEAD: Final = 350
"""Bytes that a log line takes in its table and indexes, besides its texts."""
LOGS: Final = "logs"
FAILED: Final = "failed"
JOB: Final = "job"
SLOW: Final = "slow"
SAMPLE: Final = "sample"
KEPT_AS: Final = (FAILED, JOB, SLOW, SAMPLE)
"""Why a trace is kept, the most important reason first."""

_TRACES: Final = """
CREATE TABLE traces (
    trace_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    method TEXT NOT NULL,
    status TEXT NOT NULL,
    failed INTEGER NOT NULL,
    started REAL NOT NULL,
    seconds REAL NOT NULL,
    spans INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    kept_as TEXT NOT NULL
);
CREATE INDEX ix_traces_started ON traces (started);
CREATE INDEX ix_traces_name ON traces (name, started);
CREATE INDEX ix_traces_failed ON traces (failed, started);
CREATE INDEX ix_traces_kept_as ON traces (kept_as, started);
CREATE TABLE trace_spans (
    trace_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (trace_id, part)
);
"""
_LOGS: Final = """
CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    level INTEGER NOT NULL,
    logger TEXT NOT NULL,
    component TEXT NOT NULL,
    message TEXT NOT NULL,
    error TEXT,
    trace_id TEXT,
    span_id TEXT,
    bytes INTEGER NOT NULL
);
CREATE INDEX ix_logs_at ON logs (at);
CREATE INDEX ix_logs_trace ON logs (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX ix_logs_level ON logs (level, at);
CREATE INDEX ix_logs_component ON logs (component);
"""
_SIGN_INS: Final = """
CREATE TABLE sign_in_attempts (id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX ix_sign_in_attempts_address ON sign_in_attempts (address, at);
"""
"""The wrong ones of the last minute."""
_SIZES: Final = """
CREATE TABLE sizes (kind TEXT PRIMARY KEY, number INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);
"""
"""How much is kept. Triggers keep count, so that a writer knows it without reading a table."""
_ADDED: Final = "UPDATE sizes SET number = number + 1, bytes = bytes + new.bytes + {overhead} WHERE kind = {kind}"
_REMOVED: Final = "UPDATE sizes SET number = number - 1, bytes = bytes - old.bytes - {overhead} WHERE kind = {kind}"
_TRIGGERS: Final = {
    "trace_added AFTER INSERT ON traces": (_ADDED.format(overhead=TRACE_OVERHEAD, kind="new.kept_as"),),
    "trace_changed AFTER UPDATE ON traces": (
        _REMOVED.format(overhead=TRACE_OVERHEAD, kind="old.kept_as"),
        _ADDED.format(overhead=TRACE_OVERHEAD, kind="new.kept_as"),
    ),
    "trace_removed AFTER DELETE ON traces": (
        _REMOVED.format(overhead=TRACE_OVERHEAD, kind="old.kept_as"),
        "DELETE FROM trace_spans WHERE trace_id = old.trace_id",
    ),
    "log_added AFTER INSERT ON logs": (_ADDED.format(overhead=LOG_OVERHEAD, kind=f"'{LOGS}'"),),
    "log_removed AFTER DELETE ON logs": (_REMOVED.format(overhead=LOG_OVERHEAD, kind=f"'{LOGS}'"),),
}


def schema_version(connection: sqlite3.Connection) -> int:
    """0 in a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def create_schema(connection: sqlite3.Connection) -> None:
    """Create all tables, within the caller's transaction."""
    for script in (POINT_TABLES, _TRACES, _LOGS, _SIGN_INS, _SIZES):
        for statement in filter(str.strip, script.split(";")):
            connection.execute(statement)
    connection.executemany("INSERT INTO sizes (kind) VALUES (?)", [(kind,) for kind in (*KEPT_AS, LOGS)])
    for name, steps in _TRIGGERS.items():
        connection.execute(f"CREATE TRIGGER {name} BEGIN {'; '.join(steps)}; END")
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
