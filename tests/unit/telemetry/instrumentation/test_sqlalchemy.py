import pytest
import sqlalchemy
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError, StatementError

from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor, operation

ORDERS = Table("orders", MetaData(), Column("id", Integer, primary_key=True), Column("price", Integer))


def new_engine():
    engine = sqlalchemy.create_engine("sqlite://")
    ORDERS.metadata.create_all(engine)
    return engine


@pytest.fixture
def older_engine():
    engine = new_engine()
    yield engine
    engine.dispose()


@pytest.fixture
def measured(older_engine, signals):
    QueryDurationInstrumentor().instrument(duration=signals.instruments.db_operation_duration)
    return signals


@pytest.fixture
def engine(measured):
    engine = new_engine()
    yield engine
    engine.dispose()


def queries(signals):
    """How many queries there were, by their type."""
    return {kind: number for (kind,), number in signals.series("db_query_duration_seconds_count").items()}


def since(signals, before):
    return {
        kind: number - before.get(kind, 0) for kind, number in queries(signals).items() if number != before.get(kind)
    }


def points(signals):
    return [dict(key) for key in signals.instruments.db_operation_duration._sets._seen]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT 1", "select"),
        ("select 1", "select"),
        ("\n\t SELECT 1", "select"),
        ("INSERT INTO orders VALUES (1)", "insert"),
        ("UPDATE orders SET price = 1", "update"),
        ("DELETE FROM orders", "delete"),
        ("-- the newest\nSELECT 1", "select"),
        ("/* by shop */ SELECT 1", "select"),
        ("/* DELETE\n -- UPDATE */ -- INSERT\n SELECT 1", "select"),
        ("(SELECT 1) UNION (SELECT 2)", "select"),
        ("((SELECT 1))", "select"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "select"),
        ("WITH a AS (SELECT 1), b AS (DELETE FROM x RETURNING *) INSERT INTO orders SELECT * FROM b", "insert"),
        ("with recursive a(n) as (select 1 union all select n + 1 from a) update orders set price = 1", "update"),
        ("WITH a AS (SELECT (1)) DELETE FROM orders WHERE id IN (SELECT * FROM a)", "delete"),
        ("(WITH a AS (SELECT 1) SELECT * FROM a)", "select"),
        ("PRAGMA journal_mode", "other"),
        ("CREATE TABLE x (id int)", "other"),
        ("BEGIN", "other"),
        ("EXPLAIN SELECT 1", "other"),
        ("VALUES (1)", "other"),
        ("SELECTED", "other"),
        ("", "other"),
        ("123", "other"),
        ("-- nothing but a comment", "other"),
    ],
)
def test_a_statement_is_of_the_kind_of_its_main_verb(statement, kind):
    assert operation(statement) == kind


def test_a_statement_without_end_is_read_in_no_time():
    assert operation("WITH a AS (" + "(" * 1_000_000) == "select"


def test_each_query_is_counted_by_its_kind(engine, measured):
    before = queries(measured)

    with engine.begin() as connection:
        connection.execute(insert(ORDERS), [{"price": number} for number in range(3)])
        connection.execute(select(ORDERS)).all()
        connection.execute(ORDERS.update().values(price=1))
        connection.execute(ORDERS.delete())
        connection.execute(text("PRAGMA user_version"))

    assert since(measured, before) == {"insert": 1, "select": 1, "update": 1, "delete": 1, "other": 1}


def test_an_engine_that_was_made_before_is_measured_as_well(measured, older_engine):
    with older_engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    assert queries(measured) == {"select": 1}


def test_the_duration_is_that_of_the_query(engine, measured):
    with engine.connect() as connection:
        connection.execute(
            text(
                "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 50000) SELECT count(*) FROM a"
            )
        )

    assert 0.001 < measured.series("db_query_duration_seconds_sum")["select",] < 5


def test_a_query_that_fails_is_counted_with_its_error(engine, measured):
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT * FROM nowhere"))

    assert queries(measured)["select"] == 1
    assert {
        "db.system.name": "sqlite",
        "db.operation.name": "select",
        "error.type": "OperationalError",
    } in points(measured)


def test_a_query_that_never_reached_the_database_is_none(engine, measured):
    before = queries(measured)

    with engine.connect() as connection, pytest.raises(StatementError):
        connection.execute(text("SELECT :missing"), {})

    assert since(measured, before) == {}


def test_a_database_that_cannot_be_opened_is_no_query(tmp_path, measured):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/nowhere/orders.db")

    with pytest.raises(OperationalError):
        engine.connect()

    assert queries(measured) == {}


def test_after_a_failure_the_next_query_is_measured_by_itself(engine, measured):
    with engine.connect() as connection:
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nowhere"))
        connection.execute(text("SELECT 1"))

    assert queries(measured)["select"] == 2
    assert [point for point in points(measured) if point["db.operation.name"] == "select" and "error.type" not in point]


def test_attributes_hold_neither_the_statement_nor_its_values(engine, measured):
    with engine.connect() as connection:
        connection.execute(text("SELECT 'secret', :word"), {"word": "secret"})

    assert {key for point in points(measured) for key in point} == {"db.system.name", "db.operation.name"}


def test_beside_the_published_package_a_query_is_counted_once_and_has_one_span(measured, signals):
    SQLAlchemyInstrumentor().instrument(tracer_provider=signals.tracers, meter_provider=signals.meters)
    engine = new_engine()
    before = queries(measured)
    signals.exporter.clear()

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        active = signals.series("db_connections_active")

    engine.dispose()
    assert since(measured, before) == {"select": 1}
    assert [span.name for span in signals.spans].count("SELECT") == 1
    assert active == {(): 1}


def test_switching_on_twice_counts_once_and_off_counts_no_more(measured, older_engine):
    instrumentor = QueryDurationInstrumentor()
    instrumentor.instrument(duration=measured.instruments.db_operation_duration)

    with older_engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        instrumentor.uninstrument()
        connection.execute(text("SELECT 1"))

    assert queries(measured) == {"select": 1}


def test_it_can_be_switched_on_again(measured, older_engine):
    instrumentor = QueryDurationInstrumentor()
    instrumentor.uninstrument()
    instrumentor.instrument(duration=measured.instruments.db_operation_duration)

    with older_engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    assert queries(measured) == {"select": 1}


def test_a_failing_instrument_does_not_affect_the_query(older_engine):
    class Broken:
        def record(self, *_arguments):
            raise RuntimeError("no space for numbers")

    QueryDurationInstrumentor().instrument(duration=Broken())

    with older_engine.connect() as connection:
        answer = connection.scalar(text("SELECT 7"))
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nowhere"))

    assert answer == 7


def test_queries_of_two_connections_at_once_are_each_measured(tmp_path, measured):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/orders.db")
    with engine.connect() as first, engine.connect() as second:
        cursor = first.execution_options(stream_results=True).execute(text("SELECT 1 UNION SELECT 2"))
        second.execute(text("SELECT 3"))
        cursor.all()
    engine.dispose()

    assert queries(measured) == {"select": 2}


def test_queries_of_postgresql_have_their_system(postgres_engine, measured):
    before = queries(measured)

    with postgres_engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(ProgrammingError):
            connection.execute(text("UPDATE nowhere SET id = 1"))

    assert since(measured, before)["update"] == 1
    assert {"db.system.name": "postgresql", "db.operation.name": "select"} in points(measured)
    assert {
        "db.system.name": "postgresql",
        "db.operation.name": "update",
        "error.type": "UndefinedTable",
    } in points(measured)


def test_a_query_during_which_the_connection_was_lost_is_counted(postgres_engine, measured):
    with postgres_engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("DELETE FROM job_runs WHERE (SELECT pg_terminate_backend(pg_backend_pid()))"))

    [failed] = [point for point in points(measured) if "error.type" in point]
    assert failed["db.operation.name"] == "delete"
