import os
import shutil
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from telemetry.database import create_engine, dedicated_engine
from telemetry.error_text import safe_text
from telemetry.health.database_writes import LOCKED_AFTER, DatabaseCheck, NotWritable
from tests.support.processes import ROOT

READ_ONLY = "the database is read-only"
REPLACED = "the database file was deleted or replaced"
FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from telemetry.database import create_engine, dedicated_engine
from telemetry.error_text import safe_text
from telemetry.health.database_writes import DatabaseCheck

engine = create_engine(f"sqlite:///{sys.argv[1]}")
check = DatabaseCheck(engine)
check()
log = Path(sys.argv[1] + "-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (log, resource.RLIM_INFINITY))
try:
    check()
except Exception as error:
    print(safe_text(error))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
check()
engine.dispose()
"""


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def problem(check: DatabaseCheck) -> str:
    try:
        check()
    except (NotWritable, OperationalError) as error:
        return safe_text(error)
    return ""


def execute(engine, *statements: str) -> None:
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()


@contextmanager
def administrator(engine):
    other = create_engine(engine.url.set(database="postgres"))
    yield lambda statement: execute(other, statement)
    other.dispose()


def database_file(engine) -> Path:
    return Path(engine.url.database)


def test_a_database_that_takes_writes_passes_again_and_again_and_nothing_is_left_behind(engine):
    check = DatabaseCheck(engine)
    with engine.connect() as connection:
        tables = {*engine.dialect.get_table_names(connection)}

    assert [problem(check) for _ in range(3)] == ["", "", ""]

    with engine.connect() as connection:
        assert {*engine.dialect.get_table_names(connection)} == tables
    assert engine.pool.checkedout() == 0


def test_a_version_of_the_users_own_is_kept(sqlite_engine):
    execute(sqlite_engine, "PRAGMA user_version=-7")

    DatabaseCheck(sqlite_engine)()

    with sqlite_engine.connect() as connection:
        assert connection.scalar(text("PRAGMA user_version")) == -7
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000


@pytest.mark.parametrize("scope", ["DATABASE {database}", "ROLE {user} IN DATABASE {database}"])
def test_a_database_that_is_set_to_read_only_is_noticed_by_old_connections_too(postgres_engine, scope):
    check = DatabaseCheck(postgres_engine)
    check()
    scope = scope.format(database=postgres_engine.url.database, user=postgres_engine.url.username)
    with administrator(postgres_engine) as administer:
        administer(f"ALTER {scope} SET default_transaction_read_only = on")
        assert problem(check) == READ_ONLY
        postgres_engine.dispose()
        assert problem(check) == READ_ONLY

        administer(f"ALTER {scope} RESET default_transaction_read_only")
        problem(check)  # by a connection that began under the setting, which is then replaced

    assert problem(check) == ""


def test_a_pooled_connection_that_is_read_only_is_noticed_and_replaced(postgres_engine):
    check = DatabaseCheck(postgres_engine)
    execute(postgres_engine, "SET default_transaction_read_only = on")

    assert [problem(check), problem(check)] == [READ_ONLY, ""]


def test_a_write_that_a_read_only_connection_refuses_replaces_it_and_is_an_operational_error(postgres_engine):
    execute(postgres_engine, "SET default_transaction_read_only = on")

    with pytest.raises(OperationalError) as refused:
        execute(postgres_engine, "DELETE FROM schedule_claims")

    assert safe_text(refused.value) == READ_ONLY
    execute(postgres_engine, "DELETE FROM schedule_claims")


def test_a_deleted_file_is_noticed_and_no_empty_one_takes_its_place(sqlite_engine):
    check, file = DatabaseCheck(sqlite_engine), database_file(sqlite_engine)
    check()
    kept = file.rename(file.with_suffix(".moved"))

    assert problem(check) == REPLACED
    with pytest.raises(OperationalError):
        dedicated_engine(sqlite_engine).connect()
    assert not file.exists()

    kept.rename(file)
    assert problem(check) == ""


def test_a_replaced_file_is_noticed_until_the_engine_is_disposed(sqlite_engine):
    check, file = DatabaseCheck(sqlite_engine), database_file(sqlite_engine)
    check()
    other = Path(shutil.copy(file, file.with_suffix(".other")))
    other.replace(file)

    assert [problem(check), problem(check)] == [REPLACED, REPLACED]

    sqlite_engine.dispose()
    assert problem(check) == ""


def test_a_deleted_log_is_noticed(sqlite_engine):
    check, file = DatabaseCheck(sqlite_engine), database_file(sqlite_engine)
    check()

    Path(f"{file}-wal").unlink()

    assert problem(check) == REPLACED


def test_a_connection_that_only_reads_is_noticed(sqlite_engine):
    execute(sqlite_engine, "PRAGMA query_only=1")

    assert problem(DatabaseCheck(sqlite_engine)) == READ_ONLY


def test_a_full_disk_is_noticed_and_so_is_its_end(sqlite_engine):
    file = database_file(sqlite_engine)

    said = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, file],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert said.stdout == "the disk reports an I/O error\n", said.stderr
    assert said.returncode == 0, said.stderr


def test_another_writer_is_no_error_unless_it_never_ends(sqlite_engine):
    clock = FakeClock()
    check = DatabaseCheck(sqlite_engine, clock)
    with closing(sqlite_engine.raw_connection()) as other:
        other.driver_connection.execute("BEGIN IMMEDIATE")
        assert problem(check) == ""
        clock.now = LOCKED_AFTER
        assert problem(check) == ""
        clock.now += 1
        assert problem(check) == "the database is locked"
        other.rollback()

    assert problem(check) == ""


def test_a_database_in_memory_can_be_checked():
    engine = create_engine("sqlite://")

    assert problem(DatabaseCheck(engine)) == ""

    engine.dispose()
