import logging
import re
from datetime import UTC, datetime

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, inspect, select, text
from sqlalchemy.exc import OperationalError

from service.database import migrations
from service.database.tables import Base
from telemetry.database import create_engine, transaction
from telemetry.jobs.store.tables import JobRunRow
from tests.support.processes import ROOT, Programs

MODELS = "models"
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
    assert [r.message[:27] for r in caplog.records if r.message.startswith("Running")] == [
        "Running upgrade  -> 2d3b8a1",
        "Running upgrade 2d3b8a10c36",
        "Running upgrade 7a41c0e95b1",
        "Running upgrade c5e80f2b6d9",
        "Running upgrade 9b4d17c3e8a",
        "Running upgrade e1f7a94b0c2",
        "Running upgrade 3f6c0a95d1e",
    ]


def test_the_command_line_migrates_the_database_of_the_environment_and_logs_as_the_service_does(alembic, database_url):
    done = alembic("upgrade", "head", DATABASE_URL=database_url.render_as_string(hide_password=False))

    assert done.returncode == 0, done.stderr
    assert len(CONSOLE_LINE.findall(done.stdout + done.stderr)) == 7
    engine = create_engine(database_url)
    migrations.at_head(engine)
    engine.dispose()


def test_the_command_line_reads_the_env_file(alembic, tmp_path):
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///here.db\n")

    done = alembic("upgrade", "head")

    assert done.returncode == 0, done.stderr
    engine = create_engine(f"sqlite:///{tmp_path}/here.db")
    migrations.at_head(engine)
    engine.dispose()


def test_a_wrong_variable_is_one_line_on_the_command_line(alembic):
    done = alembic("upgrade", "head", DATABASE_URL="mysql://shop")

    assert done.returncode != 0
    assert done.stdout + done.stderr == (
        "FAILED: DATABASE_URL is 'mysql://shop', but must be a database URL such as sqlite:///var/sovani.db or "
        "postgresql+psycopg://user:password@host/name.\n"
    )


def test_the_migrations_can_be_written_out_as_sql_without_a_database(alembic):
    done = alembic("upgrade", "head", "--sql", DATABASE_URL="postgresql+psycopg://nobody@127.0.0.1:1/nowhere")

    assert done.returncode == 0, done.stderr
    created = re.findall(r"CREATE TABLE (\w+)", done.stdout)
    assert created[:3] == ["alembic_version", "job_runs", "schedule_claims"]
    assert set(created) == {"alembic_version", *Base.metadata.tables}
    assert done.stdout.startswith("BEGIN;")
    assert done.stdout.rstrip().endswith("COMMIT;")
