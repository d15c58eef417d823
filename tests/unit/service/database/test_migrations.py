import logging
import re
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import main
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table, event, inspect, select, text
from sqlalchemy.exc import OperationalError

from service.database import migrations
from service.database.tables import Base, OrderRow
from telemetry.database import create_engine, transaction
from telemetry.jobs.store.tables import JobRunRow
from tests.support.fakes import NOON
from tests.support.processes import ROOT, Programs

MODELS = "models"
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/nowhere"
REVISIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))
CONSOLE_LINE = re.compile(
    r"^\d{4}-\d\d-\d\d [\d:,]+ - alembic\.runtime\.migration - INFO - Running upgrade", re.MULTILINE
)


@pytest.fixture
def empty(database_url):
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def alembic(tmp_path):
    """The command line, in a directory of the test's."""
    programs = Programs(tmp_path)

    def run(*arguments: str, **environment: str):
        return programs.run("-m", "alembic", "-c", str(ROOT / "alembic.ini"), *arguments, **environment)

    return run


def go(engine, run, *arguments) -> None:
    """A command of Alembic's, in this process."""
    with migrations.exclusive_transaction(engine) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        run(config, *arguments)


def tables(engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def described(engine, schema=None) -> dict:
    """Everything about the tables that has a name or a type."""
    found = inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(table, schema)
            },
            "key": found.get_pk_constraint(table, schema),
            "indexes": sorted(map(index, found.get_indexes(table, schema))),
            "unique": sorted(map(str, found.get_unique_constraints(table, schema))),
        }
        for table in Base.metadata.tables
    }


def index(found) -> str:
    """What makes one partial is an object on SQLite, and a text on PostgreSQL."""
    options = {name: str(value) for name, value in found.pop("dialect_options", {}).items()}
    return str(found | options)


def a_run(run_id: str) -> JobRunRow:
    known = {
        "job_name": "sync",
        "started_at": datetime.now(UTC),
        "status": "running",
        "details": {},
        "worker": "host:1",
    }
    return JobRunRow(run_id=run_id, trace_id="t", span_id="s", **known)


def made_from_the_models(engine, tmp_path):
    """The tables as the models alone would make them: in another schema, or in another file."""
    if engine.dialect.name == "sqlite":
        other = create_engine(f"sqlite:///{tmp_path}/models.db")
        Base.metadata.create_all(other)
        return other, None
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {MODELS}"))
        Base.metadata.create_all(connection.execution_options(schema_translate_map={None: MODELS}))
    return engine, MODELS


def test_the_migrations_go_up_and_down_and_up_again(empty):
    go(empty, command.upgrade, "head")
    up = described(empty)
    go(empty, command.downgrade, "base")
    down = tables(empty)
    go(empty, command.upgrade, "head")

    assert down == set()
    assert described(empty) == up
    migrations.at_head(empty)


def test_each_migration_can_be_taken_back_alone(empty):
    go(empty, command.upgrade, "2d3b8a10c369")
    assert tables(empty) == {"job_runs"}

    go(empty, command.upgrade, "+1")
    go(empty, command.downgrade, "-1")

    assert tables(empty) == {"job_runs"}


def test_alembic_finds_nothing_in_the_models_that_the_migrations_lack(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_make_just_what_the_models_say_down_to_the_names(engine, tmp_path):
    other, schema = made_from_the_models(engine, tmp_path)

    assert described(engine) == described(other, schema)
    other.dispose()


def test_rows_are_numbered_by_the_database(engine):
    with transaction(engine) as session:
        session.add_all([a_run("a"), a_run("b")])

    with transaction(engine) as session:
        assert session.scalars(select(JobRunRow.id).order_by(JobRunRow.id)).all() == [1, 2]


def test_a_migration_that_fails_half_way_has_changed_nothing(empty):
    def fail(_connection, _cursor, statement, *_more):
        if "schedule_claims" in statement:
            raise OperationalError(statement, {}, Exception("disk full"))

    event.listen(empty, "before_cursor_execute", fail)
    with pytest.raises(OperationalError):
        migrations.migrate(empty)
    event.remove(empty, "before_cursor_execute", fail)

    assert inspect(empty).get_table_names() == []
    migrations.migrate(empty)
    migrations.at_head(empty)


def test_a_table_that_is_copied_by_a_migration_takes_nothing_with_it_that_refers_to_it(sqlite_engine):
    with sqlite_engine.begin() as connection:
        connection.execute(text("CREATE TABLE shop (id INTEGER PRIMARY KEY)"))
        connection.execute(text("CREATE TABLE review (shop REFERENCES shop ON DELETE CASCADE)"))
        connection.execute(text("INSERT INTO shop VALUES (1)"))
        connection.execute(text("INSERT INTO review VALUES (1)"))

    with migrations.exclusive_transaction(sqlite_engine) as connection:
        connection.execute(text("CREATE TABLE copy AS SELECT * FROM shop"))
        connection.execute(text("DROP TABLE shop"))
        connection.execute(text("ALTER TABLE copy RENAME TO shop"))

    with sqlite_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM review")) == 1
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 5000


def test_migrating_leaves_the_logging_as_it_was(empty, caplog):
    quiet = logging.getLogger("tests.quiet")
    before = (list(logging.getLogger().handlers), logging.getLogger().level)

    with caplog.at_level(logging.INFO, logger="alembic"):
        migrations.migrate(empty)

    assert (list(logging.getLogger().handlers), logging.getLogger().level) == before
    assert not quiet.disabled
    ran = [r.message for r in caplog.records if r.message.startswith("Running upgrade")]
    assert len(ran) == len(REVISIONS)
    assert ran[0].startswith("Running upgrade  -> 2d3b8a1")


def test_a_split_posting_of_before_is_counted_no_more(empty):
    go(empty, command.upgrade, "3f6c0a95d1e7")
    row = {
        "marketplace": "ozon", "order_number": "1", "scheme": "fbs", "ordered_at": NOON, "cancelled": False, "quantity": 2,
        "amount": 10, "currency": "RUB", "items": [{"quantity": 2}], "as_of": NOON, "digest": "", "first_seen_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    with transaction(empty) as session:
        orders = Table("orders", MetaData(), autoload_with=session.connection())
        for number, status in (("1", "cancelled_from_split_pending"), ("2", "delivering")):
            session.execute(orders.insert().values(row | {"external_id": number, "status": status}))

    migrations.migrate(empty)

    with transaction(empty) as session:
        rows = {row.external_id: row for row in session.scalars(select(OrderRow))}
    assert (rows["1"].cancelled, rows["1"].quantity, rows["1"].amount, rows["1"].items) == (True, 0, 0, [])
    assert (rows["2"].cancelled, rows["2"].quantity, rows["2"].substatus) == (False, 2, None)


@pytest.mark.long_on_postgresql
@pytest.mark.e2e
def test_the_command_line_migrates_the_database_of_the_environment_and_logs_as_the_service_does(alembic, database_url):
    done = alembic("upgrade", "head", DATABASE_URL=database_url.render_as_string(hide_password=False))

    assert done.returncode == 0, done.stderr
    assert len(CONSOLE_LINE.findall(done.stdout + done.stderr)) == len(REVISIONS)
    engine = create_engine(database_url)
    migrations.at_head(engine)
    engine.dispose()


@pytest.mark.e2e
def test_a_wrong_variable_is_one_line_on_the_command_line(alembic):
    done = alembic("upgrade", "head", DATABASE_URL="mysql://shop")

    assert done.returncode != 0
    assert done.stdout + done.stderr == (
        "FAILED: DATABASE_URL is 'mysql://shop', but must be a database URL such as sqlite:///var/sovani.db or "
        "postgresql+psycopg://user:password@host/name.\n"
    )


@pytest.mark.parametrize(
    ("file", "kind_of_number"), [("", "INTEGER"), (f"DATABASE_URL={NOWHERE}\n", "BIGSERIAL")], ids=["default", "file"]
)
def test_the_migrations_can_be_written_out_as_sql_of_the_database_that_the_env_file_names(
    tmp_path, capsys, file, kind_of_number
):
    """Without a database, and by the command line in this process."""
    (tmp_path / ".env").write_text(file)

    main(["-c", str(ROOT / "alembic.ini"), "upgrade", "head", "--sql"])

    sql = capsys.readouterr().out
    created = re.findall(r"CREATE TABLE (\w+)", sql)
    assert re.search(rf"\bid {kind_of_number}\b", sql)
    assert created[:3] == ["alembic_version", "job_runs", "schedule_claims"]
    assert set(created) == {"alembic_version", *Base.metadata.tables}
    assert sql.startswith("BEGIN;")
    assert sql.rstrip().endswith("COMMIT;")
