import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import ExitStack

import pytest
from sqlalchemy import event, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from service.database import migrations
from service.database.migrations import MigrationLocked, MigrationsMissing
from telemetry.database import create_engine
from tests.support.processes import ROOT, Programs, eventually

MISSING = "migrations are missing: run `alembic upgrade head`"
NEWER = "the database is newer than this version of the service: update the service"
PROCESSES = 6
REVISIONS = len(list((ROOT / "migrations/versions").glob("[0-9a-f]*.py")))
MIGRATE = """
import logging, os, pathlib, sys, time
from sqlalchemy import event
from service.database import migrations
from telemetry.database import create_engine

def die_in_the_middle(_connection, _cursor, statement, *_more):
    if "CREATE TABLE schedule_claims" in statement:
        os.kill(os.getpid(), 9)

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
engine = create_engine(os.environ["DATABASE_URL"])
if "die" in sys.argv:
    event.listen(engine, "before_cursor_execute", die_in_the_middle)
pathlib.Path(f"ready.{os.getpid()}").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.001)
migrations.migrate(engine)
migrations.at_head(engine)
print("at head")
"""


@pytest.fixture
def programs(tmp_path):
    programs = Programs(tmp_path)
    programs.write("migrate_it.py", MIGRATE)
    yield programs
    programs.kill()


@pytest.fixture
def empty(database_url):
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def text_of(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def recorded_queries(engine) -> list[str]:
    queries: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *about: queries.append(about[2]))
    return queries


@pytest.mark.e2e
def test_processes_that_start_at_once_on_an_empty_database_migrate_once(programs, database_url, tmp_path):
    started = [
        programs.start("migrate_it.py", DATABASE_URL=text_of(database_url), DATA_DIR=str(tmp_path))
        for _ in range(PROCESSES)
    ]
    eventually(lambda: len(list(tmp_path.glob("ready.*"))) == PROCESSES)
    (tmp_path / "go").touch()

    assert [process.exit_code() for process in started] == [0] * PROCESSES
    said = Counter(line for process in started for line in process.said().splitlines())
    assert said["at head"] == PROCESSES
    assert sum(number for line, number in said.items() if line.startswith("Running upgrade")) == REVISIONS


@pytest.mark.long_on_postgresql
def test_a_process_that_is_killed_while_it_migrates_leaves_nothing_half_done(programs, empty, tmp_path):
    (tmp_path / "go").touch()
    killed = programs.start("migrate_it.py", "die", DATABASE_URL=text_of(empty.url))
    assert killed.exit_code() == -signal.SIGKILL

    assert inspect(empty).get_table_names() == []
    migrations.migrate(empty, timeout=10)
    migrations.at_head(empty)


def test_one_waits_until_the_other_has_migrated(empty):
    with ExitStack() as stack:
        stack.enter_context(migrations.exclusive_transaction(empty))
        waiting = threading.Thread(target=migrations.migrate, args=(empty, 30))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()

    waiting.join(30)

    assert not waiting.is_alive()
    migrations.at_head(empty)


def test_a_lock_that_is_not_given_back_is_waited_for_no_longer_than_the_timeout(empty):
    with migrations.exclusive_transaction(empty):
        began = time.monotonic()

        with pytest.raises(MigrationLocked, match=r"^another process has been migrating for more than 0\.2 s$"):
            migrations.migrate(empty, timeout=0.2)

        assert 0.2 <= time.monotonic() - began < 3


def test_another_error_is_not_taken_for_a_lock(sqlite_engine):
    def fail(_connection, _cursor, statement, *_more):
        if statement == "BEGIN IMMEDIATE":
            raise OperationalError(statement, {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(sqlite_engine, "before_cursor_execute", fail)

    with pytest.raises(OperationalError, match="disk I/O error"), migrations.exclusive_transaction(sqlite_engine):
        pytest.fail("this is not run without the lock")


def test_a_database_at_head_is_not_locked_to_find_that_out(engine):
    queries, other = recorded_queries(engine), create_engine(engine.url)

    with migrations.exclusive_transaction(other):
        migrations.migrate(engine, timeout=0)

    assert len(queries) == 2
    other.dispose()


def test_a_database_at_head_passes_the_check(engine):
    migrations.at_head(engine)


@pytest.mark.parametrize("revision", [None, "2d3b8a10c369"])
def test_a_database_that_is_behind_is_told_what_to_run(engine, revision):
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    with pytest.raises(MigrationsMissing, match=f"^{MISSING}$"):
        migrations.at_head(engine)


def test_an_empty_database_is_told_the_same(empty):
    with pytest.raises(MigrationsMissing, match=f"^{MISSING}$"):
        migrations.at_head(empty)


@pytest.mark.parametrize("ask", [migrations.at_head, migrations.migrate])
def test_a_database_that_is_newer_than_the_code_is_left_alone_and_says_so(engine, ask):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))

    with pytest.raises(MigrationsMissing, match=f"^{NEWER}$"):
        ask(engine)

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "ffffffffffff"


def test_a_database_in_memory_is_migrated_too():
    engine = create_engine("sqlite://")

    migrations.migrate(engine)

    migrations.at_head(engine)
    engine.dispose()


def test_a_file_that_is_no_database_says_so_and_is_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("This is no database.\n" * 100)
    engine = create_engine(f"sqlite:///{file}")

    with pytest.raises(Exception, match="file is not a database"):
        migrations.migrate(engine)

    assert file.stat().st_size == 2100
    engine.dispose()
