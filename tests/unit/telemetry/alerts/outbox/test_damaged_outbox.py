"""A damaged outbox is put aside once, and nothing that waited in it or in its log is lost."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from telemetry.alerts.outbox.queries import AlertQueries
from telemetry.alerts.outbox.schema import SCHEMA
from tests.support.processes import ROOT, eventually
from tests.unit.telemetry.alerts.conftest import NOON, alert

PAGE = 4096
FRAME = PAGE + 24
WAITING = [f"waiting{number}" for number in range(24)]
NEW = [f"new{number}" for number in range(40)]


def add(outbox, names):
    for name in names:
        IncidentRepository(outbox).add(alert(name, stack=f"{name} " * 300))


def add_all(outbox, names):
    """As the deduplicator does it: what was refused is tried again."""
    for name in names:
        eventually(lambda name=name: _added(outbox, name), within=10)


def _added(outbox, name):
    try:
        add(outbox, [name])
    except sqlite3.Error as error:
        raise AssertionError(str(error)) from error
    return True


def pending(outbox):
    return sorted(each.incident.fingerprint for each in AlertQueries(outbox).page(NOON, limit=1000))


def left_by_kill(home: Path, checkpointed: int) -> Path:
    """The files of a process that was killed: so many of the alerts are in the database, all others in its log."""
    path = home / "outbox" / "outbox.db"
    path.parent.mkdir()
    for suffix, content in _killed(checkpointed).items():
        Path(f"{path}{suffix}").write_bytes(content)
    return path


@cache
def _killed(checkpointed: int) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as home:
        living = Outbox(Path(home, "living.db"))
        add(living, WAITING[:checkpointed])
        if checkpointed:
            with closing(sqlite3.connect(living.path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(RESTART)")
        add(living, WAITING[checkpointed:])
        files = {suffix: Path(f"{living.path}{suffix}").read_bytes() for suffix in ("", "-wal")}
        living.close()
    return files


def log_of(path):
    return Path(f"{path}-wal")


def overwrite(path, position, data):
    with path.open("r+b") as file:
        file.seek(position)
        file.write(data)


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


def with_bad_index(path):
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_incidents_waiting'").fetchone()[
            0
        ]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.commit()
    overwrite(path, (root - 1) * PAGE, b"\x0a\0\0\0\0\x10\0\0".ljust(PAGE, b"\0"))


def foreign_log(path):
    other = left_by_kill(path.parent / "other", 0) if (path.parent / "other").mkdir() is None else path
    shutil.copy(log_of(other), log_of(path))
    shutil.rmtree(path.parent / "other")


def as_directory(path):
    path.unlink()
    path.mkdir()
    (path / "a_file").touch()


def as_link_to_nothing(path):
    path.unlink()
    path.symlink_to("nothing")


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


IN_LOG = {
    "garbage in the first bytes": lambda path: overwrite(path, 0, os.urandom(16)),
    "a garbage header": lambda path: overwrite(path, 0, os.urandom(100)),
    "a garbage first page": lambda path: overwrite(path, 0, os.urandom(PAGE)),
    "zeros for a first page": lambda path: overwrite(path, 0, bytes(PAGE)),
    "a version that is none": lambda path: overwrite(path, 60, b"\xff" * 4),
    "half of the file": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a page and a half": lambda path: os.truncate(path, 6000),
    "one byte": lambda path: os.truncate(path, 1),
    "an empty file": lambda path: os.truncate(path, 0),
    "no file": lambda path: path.unlink(),
    "no database at all": lambda path: path.write_bytes(b"no database at all" * 1000),
    "a directory": as_directory,
    "a link to nothing": as_link_to_nothing,
    "a pipe": as_pipe,
    "a log with a garbage header": lambda path: overwrite(log_of(path), 0, os.urandom(32)),
    "a log with a header of zeros": lambda path: overwrite(log_of(path), 0, bytes(32)),
    "a log with a garbage frame": lambda path: overwrite(log_of(path), 32 + 32 * FRAME + 3000, os.urandom(90)),
    "a log with a garbage frame header": lambda path: overwrite(log_of(path), 32 + 20 * FRAME, os.urandom(24)),
    "a log with garbage in two frames": lambda path: overwrite(log_of(path), 32 + 9 * FRAME, os.urandom(2 * FRAME)),
}
ANYWHERE = {
    "an index that does not fit": with_bad_index,
    "zeros for the page of an index": lambda path: overwrite(path, 3 * PAGE, bytes(PAGE)),
    "garbage for the root of another table": lambda path: overwrite(path, 7 * PAGE, os.urandom(PAGE)),
    "a log with garbage at the end": lambda path: append(log_of(path), os.urandom(5 * FRAME)),
}
IN_FILE = {
    "garbage in the first bytes": lambda path: overwrite(path, 0, os.urandom(16)),
    "a garbage header": lambda path: overwrite(path, 0, os.urandom(100)),
    "a garbage first page": lambda path: overwrite(path, 0, os.urandom(PAGE)),
    "zeros for the root of the table": lambda path: overwrite(path, PAGE, bytes(PAGE)),
    "the log of another outbox": foreign_log,
    "a log of garbage": lambda path: log_of(path).write_bytes(os.urandom(9 * FRAME)),
    "a log that is text": lambda path: log_of(path).write_text("no log at all\n" * 5000),
    "a log that is a directory": lambda path: (log_of(path).unlink(missing_ok=True), log_of(path).mkdir()),
    "no log": lambda path: log_of(path).unlink(missing_ok=True),
}
KINDS = [
    *((kind, checkpointed) for checkpointed in (0, 12) for kind in IN_LOG if checkpointed == 0 or "log with a" in kind),
    *((kind, checkpointed) for checkpointed in (0, 12, 24) for kind in ANYWHERE),
    *((kind, 24) for kind in IN_FILE),
]


@pytest.mark.parametrize(("kind", "checkpointed"), KINDS)
def test_no_alert_is_lost_whatever_is_damaged(tmp_path, kind, checkpointed):
    path = left_by_kill(tmp_path, checkpointed)
    {**IN_LOG, **ANYWHERE, **IN_FILE}[kind](path)
    outbox = Outbox(path)

    add_all(outbox, NEW)

    assert sorted({*WAITING, *NEW} - {*pending(outbox)}) == []
    assert len(list(path.parent.glob("outbox.db.damaged-*"))) <= 1
    outbox.close()
    reopened = Outbox(path)
    assert len(pending(reopened)) >= 64
    reopened.close()


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: shutil.rmtree(path.parent)])
def test_a_file_that_is_deleted_while_it_is_used_is_written_again(tmp_path, damage):
    outbox = Outbox(tmp_path / "alerts" / "outbox.db")
    add(outbox, WAITING)

    damage(outbox.path)
    add_all(outbox, NEW)

    assert pending(outbox) == sorted(WAITING + NEW)
    outbox.close()
    assert pending(outbox) == sorted(WAITING + NEW)
    outbox.close()


def test_an_undamaged_outbox_stays_where_it_is(tmp_path):
    for checkpointed in (0, 12, 24):
        home = tmp_path / str(checkpointed)
        home.mkdir()
        path = left_by_kill(home, checkpointed)
        outbox, before = Outbox(path), path.stat().st_ino

        add(outbox, NEW)

        assert pending(outbox) == sorted(WAITING + NEW)
        assert path.stat().st_ino == before
        outbox.close()
        assert sorted(each.name for each in path.parent.iterdir()) == ["outbox.db", "outbox.db.lock"]


def test_a_process_that_has_the_damaged_file_open_goes_on_with_the_new_one(tmp_path):
    path = left_by_kill(tmp_path, 0)
    theirs, ours = Outbox(path), Outbox(path)
    add(theirs, ["theirs"])
    add(ours, ["ours"])

    overwrite(path, 0, os.urandom(PAGE))
    overwrite(log_of(path), 32 + 32 * FRAME, os.urandom(FRAME))
    ours._abandon()  # as if this process began anew
    add_all(ours, NEW[:20])
    add_all(theirs, NEW[20:])

    assert pending(ours) == pending(theirs) == sorted([*WAITING, *NEW, "ours", "theirs"])
    assert len(list(path.parent.glob("outbox.db.damaged-*"))) == 1
    theirs.close()
    assert pending(ours) == sorted([*WAITING, *NEW, "ours", "theirs"])
    ours.close()


_PROCESSES = """
import os, sqlite3, sys, time
from pathlib import Path
from telemetry.alerts.outbox.file import Outbox
from telemetry.alerts.outbox.incidents import IncidentRepository
from tests.unit.telemetry.alerts.conftest import alert

def add(names):
    outbox = Outbox(Path(sys.argv[1]))
    os.read(start, 1)
    for name in names:
        for _ in range(500):
            try:
                IncidentRepository(outbox).add(alert(name))
                break
            except (sqlite3.Error, OSError):
                time.sleep(0.01)
    outbox.close()

start, starter = os.pipe()
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        os.close(starter)
        add(sys.argv[2 + number :: 4])
        os._exit(0)
    children.append(child)
os.close(starter)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.mark.parametrize(
    "kind",
    [
        "a garbage first page",
        *(
            pytest.param(kind, marks=pytest.mark.e2e)
            for kind in ("no file", "a log with a garbage header", "a directory")
        ),
    ],
)
@pytest.mark.e2e
def test_several_processes_that_open_it_at_once_put_it_aside_once(tmp_path, kind):
    path = left_by_kill(tmp_path, 0)
    IN_LOG[kind](path)

    subprocess.run([sys.executable, "-c", _PROCESSES, str(path), *NEW], cwd=ROOT, timeout=60, check=True)

    outbox = Outbox(path)
    assert pending(outbox) == sorted(WAITING + NEW)
    put_aside = len(list(path.parent.glob("outbox.db.damaged-*")))
    assert put_aside == (
        kind in {"a directory", "a log with a garbage header"}
    )  # the log of the others has the first page
    outbox.close()


def test_a_replacement_that_was_interrupted_is_finished(tmp_path):
    path = left_by_kill(tmp_path, 0)
    new = Outbox(path.with_name("outbox.db.new"))
    add(new, ["recovered"])
    new.close()
    path.unlink()
    outbox = Outbox(path)

    add_all(outbox, NEW)

    assert pending(outbox) == sorted(["recovered", *NEW])
    outbox.close()


def test_what_was_sent_is_not_sent_again(tmp_path):
    path = left_by_kill(tmp_path, 0)
    before = Outbox(path)
    with before.transaction() as connection:
        connection.execute(
            "INSERT INTO posts (id, channel, kind, created_at, sent_at) VALUES (7, 'telegram', 'alert', 1, 1)"
        )
        connection.execute("INSERT INTO tellings SELECT 7, id FROM incidents WHERE fingerprint = 'waiting3'")
        connection.execute("UPDATE incidents SET told_post = 7, told_at = 1 WHERE fingerprint = 'waiting3'")
        connection.execute("INSERT INTO channels (name, chat_id) VALUES ('telegram', '-100')")
    before.close()
    overwrite(path, 0, os.urandom(100))
    outbox = Outbox(path)

    counts = AlertQueries(outbox).counts(NOON)

    assert (counts.pending, counts.notified) == (23, 1)
    assert [state.chat_id for state in AlertQueries(outbox).channels()] == ["-100"]
    outbox.close()


def test_on_an_event_loop_it_is_left_to_another_thread(tmp_path):
    path = left_by_kill(tmp_path, 0)
    IN_LOG["a log with a garbage header"](path)
    outbox = Outbox(path)

    async def report():
        with pytest.raises(sqlite3.Error, match="is being replaced"):
            add(outbox, ["on a loop"])
        await asyncio.to_thread(pending, outbox)
        add(outbox, ["on a loop"])

    asyncio.run(report())

    assert pending(outbox) == sorted([*WAITING, "on a loop"])
    outbox.close()


@pytest.mark.parametrize("damaged_page", [None, 1, 21], ids=["whole", "header", "deliveries"])
def test_what_a_channel_was_sent_is_kept_with_its_incident_and_with_no_other(tmp_path, damaged_page):
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    add(outbox, ["first", "second"])
    with outbox.transaction() as connection:
        connection.executemany(
            "INSERT INTO deliveries (incident_id, channel, key, step, count, remote_id, begun, is_doubtful, attempts, refused) "
            "VALUES (?, 'pagerduty', ?, 'open', 1, 'remote', '', 0, 1, 0)",
            [(1, "first"), (2, "another")],
        )
    outbox.close()
    overwrite(path, (damaged_page - 1) * PAGE if damaged_page else 0, bytes(PAGE) if damaged_page else b"no database")

    outbox = Outbox(path)

    with outbox.read() as connection:
        kept = [tuple(row) for row in connection.execute("SELECT incident_id, channel, remote_id FROM deliveries")]
    assert pending(outbox) == ["first", "second"]
    assert kept == ([] if damaged_page == 21 else [(1, "pagerduty", "remote")])
    outbox.close()


def test_of_many_damaged_outboxes_the_newest_are_kept(tmp_path):
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)

    for number in range(8):
        path.write_text("no database")
        outbox = Outbox(path)
        add(outbox, [f"new{number}"])
        outbox.close()

    assert len(list(tmp_path.glob("outbox.db.damaged-*"))) == 5


_OF_MESSAGES = """    bot_id TEXT,
    buttons INTEGER NOT NULL DEFAULT 0,
    changed_at REAL
"""
_FIRST_TABLES = SCHEMA.partition("CREATE TABLE deliveries")[0].replace(_OF_MESSAGES, "    bot_id TEXT\n")
VERSION_2 = _FIRST_TABLES.replace(
    """    stack TEXT NOT NULL,
    section TEXT NOT NULL DEFAULT '',
    resolution TEXT NOT NULL DEFAULT '',
    acknowledged_at REAL,
    acknowledged_by TEXT NOT NULL DEFAULT '',
    measured INTEGER NOT NULL DEFAULT 0
""",
    "    stack TEXT NOT NULL\n",
)


@pytest.mark.parametrize(
    "damaged_page", [None, 1, 2], ids=["whole", "without its header", "without the root of its table"]
)
def test_alerts_from_before_the_newest_columns_are_kept_also_if_the_outbox_is_damaged(tmp_path, damaged_page):
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(f"PRAGMA page_size={PAGE}; {VERSION_2}; PRAGMA user_version=2")
        for name in WAITING:
            old.execute(
                "INSERT INTO incidents (fingerprint, state, level, component, place, follows, trace_id, span_id, is_sampled, "
                "first_at, last_at, count, due_at, facts, words, error, stack) "
                "VALUES (?, '', 'ERROR', 'shop', '', '', '', '', 0, 1, 1, 1, 1, '{}', 'failed', '', ?)",
                (name, name * 300),
            )
        old.commit()
    upgraded = Outbox(path)
    IncidentRepository(upgraded).add(alert("new", section="my-section"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    upgraded.close()
    if damaged_page:
        overwrite(path, (damaged_page - 1) * PAGE, bytes(PAGE))

    outbox = Outbox(path)

    found = {each.incident.fingerprint: each.incident.section for each in AlertQueries(outbox).page(NOON, limit=100)}
    assert found == dict.fromkeys(WAITING, "") | {"new": "my-section"}
    outbox.close()
