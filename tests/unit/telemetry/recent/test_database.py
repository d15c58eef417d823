"""`recent.db`: opened when needed, made anew when it is damaged, deleted or of an earlier version, and said once."""

import logging
import sqlite3
import stat
from contextlib import closing

import pytest

from telemetry.console.parts import read_part
from telemetry.recent.database import RecentDatabase
from telemetry.recent.recent_file import RecentUnavailable
from telemetry.recent.schema import SCHEMA_VERSION
from tests.support.forking import in_child


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recent.db"


@pytest.fixture
def database(path):
    opened = RecentDatabase(path)
    yield opened
    opened.close()


def add(database, name="requests"):
    with database.writing() as connection:
        connection.execute("INSERT OR IGNORE INTO series (family, labels) VALUES (?, '{}')", (name,))


def names(database):
    with database.reading() as connection:
        return [row[0] for row in connection.execute("SELECT family FROM series ORDER BY id")]


def test_what_one_process_writes_another_reads(database, path):
    other = RecentDatabase(path)

    add(database)

    assert names(other) == ["requests"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other.close()


def test_a_failed_transaction_leaves_nothing(database):
    twice = "INSERT INTO series (family, labels) VALUES ('half', '{}'), ('half', '{}')"

    with pytest.raises(sqlite3.IntegrityError), database.writing() as connection:
        connection.execute(twice)

    assert names(database) == []


def test_a_reader_cannot_write(database):
    with pytest.raises(sqlite3.OperationalError, match="readonly"), database.reading() as connection:
        connection.execute("DELETE FROM series")


def test_a_query_without_end_is_ended(database, monkeypatch):
    monkeypatch.setattr("telemetry.recent.database.READ_DEADLINE", 0.0)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"

    with pytest.raises(sqlite3.OperationalError, match="interrupted"), database.reading() as connection:
        connection.execute(endless).fetchone()


def overwrite(path):
    size = path.stat().st_size
    path.write_bytes(b"\x55" * size)


def truncate(path):
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("damage", [overwrite, truncate])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_damaged_file_is_made_anew_and_said_once(damage, is_open, path, caplog):
    first = RecentDatabase(path)
    add(first, "lost")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if not is_open:
        first.close()
    damage(path)
    caplog.clear()

    users = [first, RecentDatabase(path)]
    for user in users * 2:
        for use in (add, names):
            try:
                use(user)
            except sqlite3.DatabaseError:
                use(user)

    assert set(names(first)) == {"requests"}
    assert names(first) == names(users[1])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "recent.db is damaged. It is made anew" in caplog.text
    for user in users:
        user.close()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_damage_that_one_process_finds_is_said_by_no_other(order, path, caplog):
    users = [RecentDatabase(path), RecentDatabase(path)]
    for user in users:
        add(user)
        names(user)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(path)
    with pytest.raises(sqlite3.DatabaseError):
        add(users[order[0]])

    for place in reversed(order):
        add(users[place])

    assert [record.getMessage() for record in caplog.records] == [
        "recent.db is damaged. It is made anew; the console has lost what was in it."
    ]
    for user in users:
        user.close()


@pytest.mark.parametrize("with_log", [True, False])
def test_a_deleted_file_is_made_anew_and_said_once(with_log, database, path, caplog):
    add(database, "lost")
    other = RecentDatabase(path)
    names(other)
    for each in path.parent.glob("recent.db*" if with_log else "recent.db"):
        each.unlink()

    add(database)
    add(other, "also")

    assert names(other) == names(database) == ["requests", "also"]
    assert [record.getMessage() for record in caplog.records] == [
        "recent.db was deleted. It is made anew; the console has lost what was in it."
    ]
    other.close()


@pytest.mark.parametrize("change", ["DROP TABLE series", "ALTER TABLE series RENAME COLUMN family TO other"])
@pytest.mark.parametrize("is_open", [True, False])
def test_a_file_with_other_tables_than_its_version_has_is_made_anew_and_said_once(change, is_open, path, caplog):
    database = RecentDatabase(path)
    add(database, "lost")
    if not is_open:
        database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)

    with pytest.raises(sqlite3.OperationalError):
        names(database)
    add(database)

    assert names(database) == ["requests"]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    database.close()


def test_a_wrong_query_is_no_damage(database):
    add(database)

    with pytest.raises(sqlite3.OperationalError), database.reading() as connection:
        connection.execute("SELECT FROM")

    assert names(database) == ["requests"]


def test_after_the_end_no_connection_stays_open(database):
    add(database)
    used = []
    with database.reading() as connection:
        used.append(connection)
        database.close()
    with database.writing() as connection:
        used.append(connection)
    with database.reading() as connection:
        used.append(connection)

    for each in used:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            each.execute("SELECT 1")


def with_version(path, version):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE strange (x)")
        connection.execute(f"PRAGMA user_version={version}")


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION - 1])
def test_a_file_of_an_earlier_version_is_made_anew(version, database, path, caplog):
    with_version(path, version)

    add(database)

    assert names(database) == ["requests"]
    assert "is of an earlier version" in caplog.text


def test_a_file_of_a_later_version_is_left_to_its_processes(database, path):
    with_version(path, SCHEMA_VERSION + 1)

    with pytest.raises(RecentUnavailable, match="later version"):
        add(database)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM strange").fetchone() == (0,)


def test_a_link_to_the_file_of_another_program_is_replaced_and_that_file_stays_as_it_is(database, path, tmp_path):
    other = tmp_path / "other.db"
    with_version(other, 0)
    path.symlink_to(other)

    add(database)

    assert names(database) == ["requests"]
    assert not path.is_symlink()
    with closing(sqlite3.connect(other)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("strange",)]


def test_a_file_elsewhere_that_a_link_leads_to_is_private(database, path, tmp_path):
    path.symlink_to(tmp_path / "elsewhere.db")

    add(database)

    assert names(database) == ["requests"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.glob("elsewhere.db*")} == {0o600}


def test_why_it_cannot_be_used_is_said_in_words(database, path):
    with_version(path, SCHEMA_VERSION + 1)

    part = read_part("Figures", lambda: names(database), [])

    assert part.problem == "Figures cannot be read now: the file is of a later version. The page tries again by itself."


def test_a_directory_that_comes_back_is_used(tmp_path):
    place = tmp_path / "data"
    place.write_text("in the way")
    database = RecentDatabase(place / "recent.db")
    with pytest.raises(OSError, match="data"):
        add(database)
    place.unlink()

    add(database)

    assert names(database) == ["requests"]
    database.close()


def test_a_disk_that_takes_writes_again_is_written(database, path):
    add(database)
    used = database._writer
    database._writer = used._replace(connection=sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        add(database, "lost")

    add(database, "again")

    assert names(database) == ["requests", "again"]
    used.connection.close()


def test_a_child_opens_the_file_itself(database):
    add(database)
    names(database)

    def in_it():
        add(database, "child")
        return names(database)

    assert in_child(in_it) == ["requests", "child"]
    add(database, "parent")
    assert names(database) == ["requests", "child", "parent"]


def test_sizes_follow_what_is_kept(database):
    trace = "INSERT INTO traces VALUES (?, 'request', '/', 'GET', '200', 0, 1.0, 0.1, 1, 1000, ?)"
    with database.writing() as connection:
        connection.execute(trace, ("a", "sample"))
        connection.execute(trace, ("b", "sample"))
        connection.execute("INSERT INTO trace_spans VALUES ('a', 0, x'00')")
        connection.execute("UPDATE traces SET kept_as = 'failed', bytes = 1500 WHERE trace_id = 'b'")
        connection.execute("DELETE FROM traces WHERE trace_id = 'a'")

    with database.reading() as connection:
        kept = {
            kind: (number, size) for kind, number, size in connection.execute("SELECT kind, number, bytes FROM sizes")
        }
        assert connection.execute("SELECT count(*) FROM trace_spans").fetchone() == (0,)
    assert kept["sample"] == (0, 0)
    assert kept["failed"][0] == 1
    assert kept["failed"][1] > 1500
