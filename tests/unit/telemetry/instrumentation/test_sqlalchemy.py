import asyncio

import pytest
import sqlalchemy
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError, StatementError
from sqlalchemy.ext.asyncio import create_async_engine

from telemetry import semconv
from telemetry.database import dedicated_engine
from telemetry.instrumentation.external_services import ServiceDirectory
from telemetry.instrumentation.libraries import Providers, instrument_libraries, uninstrument_libraries
from telemetry.instrumentation.sqlalchemy import QueryDurationInstrumentor

ORDERS = Table("orders", MetaData(), Column("id", Integer, primary_key=True), Column("price", Integer))


_engines = []


@pytest.fixture(autouse=True)
def _engines_are_disposed_of():
    yield
    while _engines:
        _engines.pop().dispose()


def empty_engine(url="sqlite://"):
    _engines.append(sqlalchemy.create_engine(url))
    return _engines[-1]


def new_engine():
    engine = empty_engine()
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
        "db.namespace": ":memory:",
        "db.operation.name": "SELECT",
        "error.type": "OperationalError",
        "db.response.status_code": "SQLITE_ERROR",
    } in points(measured)


def test_a_query_that_never_reached_the_database_is_none(engine, measured):
    before = queries(measured)

    with engine.connect() as connection, pytest.raises(StatementError):
        connection.execute(text("SELECT :missing"), {})

    assert since(measured, before) == {}


def test_a_database_that_cannot_be_opened_is_no_query(tmp_path, measured):
    engine = empty_engine(f"sqlite:///{tmp_path}/nowhere/orders.db")

    with pytest.raises(OperationalError):
        engine.connect()

    assert queries(measured) == {}


def test_after_a_failure_the_next_query_is_measured_by_itself(engine, measured):
    with engine.connect() as connection:
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT * FROM nowhere"))
        connection.execute(text("SELECT 1"))

    assert queries(measured)["select"] == 2
    assert [point for point in points(measured) if point["db.operation.name"] == "SELECT" and "error.type" not in point]


def test_attributes_hold_neither_the_statement_nor_its_values(engine, measured):
    with engine.connect() as connection:
        connection.execute(text("SELECT 'secret', :word"), {"word": "secret"})

    assert {key for point in points(measured) for key in point} == {
        "db.system.name",
        "db.namespace",
        "db.operation.name",
    }


def test_beside_the_published_package_a_query_is_counted_once_and_has_one_span(measured, signals):
    """As with `opentelemetry-instrument` and another distro."""
    SQLAlchemyInstrumentor().instrument(tracer_provider=signals.tracers, meter_provider=signals.meters)
    engine = new_engine()
    before = queries(measured)
    signals.exporter.clear()

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    engine.dispose()
    assert since(measured, before) == {"select": 1}
    assert [span.name for span in signals.spans] == ["connect", "SELECT"]


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
    engine = empty_engine(f"sqlite:///{tmp_path}/orders.db")
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
    url = postgres_engine.url
    database = {"db.system.name": "postgresql", "db.namespace": url.database, "server.address": url.query["host"]}
    assert {**database, "db.operation.name": "SELECT"} in points(measured)
    assert {
        **database,
        "db.operation.name": "UPDATE",
        "error.type": "UndefinedTable",
        "db.response.status_code": "42P01",
    } in points(measured)


def test_a_query_during_which_the_connection_was_lost_is_counted(postgres_engine, measured):
    with postgres_engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("DELETE FROM job_runs WHERE (SELECT pg_terminate_backend(pg_backend_pid()))"))

    [failed] = [point for point in points(measured) if "error.type" in point]
    assert failed["db.operation.name"] == "DELETE"
    assert failed["db.response.status_code"] == "57P01"


@pytest.fixture
def traced(signals):
    """The published package and ours, as `telemetry.start` switches them on."""

    def switch_on(**options):
        providers = Providers(signals.tracers, signals.meters)
        instrument_libraries(providers, signals.instruments, ServiceDirectory(), **options)
        return signals

    return switch_on


def run(engine, *statements):
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()


@pytest.mark.parametrize("ours", [True, False])
def test_what_was_instrumented_before_by_somebody_else_is_measured_here(traced, ours):
    SQLAlchemyInstrumentor().instrument()
    if ours:
        QueryDurationInstrumentor().instrument()  # by its entry point, with another distro
    before = new_engine()

    signals = traced()
    for engine in (before, new_engine()):
        signals.exporter.clear()
        counted = queries(signals)
        run(engine, insert(ORDERS).values(price=1))

        assert signals.span().name == "INSERT orders"
        assert since(signals, counted) == {"insert": 1}


def test_a_query_s_span_is_called_by_its_summary_and_described_by_the_conventions(traced, tmp_path):
    signals = traced()
    engine = empty_engine(f"sqlite:///{tmp_path}/shop.db")
    ORDERS.metadata.create_all(engine)
    signals.exporter.clear()

    run(engine, select(ORDERS.c.price).where(ORDERS.c.id == 7))

    span = signals.span()
    assert span.name == "SELECT orders"
    assert span.kind is SpanKind.CLIENT
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
        "db.query.summary": "SELECT orders",
        "db.query.text": "SELECT orders.price \nFROM orders \nWHERE orders.id = ?",
    }


def test_the_span_and_the_metric_of_a_query_agree(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    run(
        engine,
        insert(ORDERS).values(price=1),
        text("PRAGMA user_version"),
        text("WITH a AS (SELECT 1) DELETE FROM orders"),
    )

    spans = [span.attributes for span in signals.spans]
    assert [attributes["db.operation.name"] for attributes in spans] == ["INSERT", "PRAGMA", "DELETE"]
    of_metric = points(signals)
    names = ("db.system.name", "db.namespace", "db.operation.name", "server.address")
    assert all({name: each[name] for name in names if name in each} in of_metric for each in spans)


def test_a_statement_without_a_known_operation_has_none(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("GIVE me everything"))

    span = signals.span()
    assert not {"db.operation.name", "db.query.summary", "db.collection.name"} & span.attributes.keys()
    assert {"db.system.name": "sqlite", "db.namespace": ":memory:", **failure(span)} in points(signals)


def failure(span):
    return {name: span.attributes[name] for name in ("error.type", "db.response.status_code")}


def test_a_failed_query_s_span_has_the_database_s_code_and_the_class_of_the_error(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT * FROM nowhere"))

    span = signals.span()
    assert failure(span) == {"error.type": "OperationalError", "db.response.status_code": "SQLITE_ERROR"}
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == "no such table: nowhere"


def test_many_rows_with_one_statement_are_a_batch(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders VALUES (:id, 1)"), [{"id": number} for number in range(3)])

    span = signals.span()
    assert span.name == span.attributes["db.query.summary"] == "BATCH INSERT orders"
    assert span.attributes["db.operation.name"] == "BATCH INSERT"
    assert span.attributes["db.operation.batch.size"] == 3
    assert queries(signals)["insert"] == 1


def test_connections_taken_from_the_pool_have_no_span_unless_asked_for(traced):
    signals = traced()
    engine = new_engine()

    run(engine, text("SELECT 1"))

    assert "connect" not in [span.name for span in signals.spans]


def test_connections_taken_from_the_pool_have_a_span_if_asked_for(traced):
    signals = traced(trace_connects=True)
    engine = new_engine()
    signals.exporter.clear()

    run(engine, text("SELECT 1"))

    assert [span.name for span in signals.spans] == ["connect", "SELECT"]


def test_a_sampler_sees_what_a_query_is(signals, traced):
    seen = []

    class Watching(Sampler):
        def should_sample(self, context, trace_id, name, kind=None, attributes=None, *others):
            seen.append(dict(attributes or {}))
            return ALWAYS_ON.should_sample(context, trace_id, name, kind, attributes, *others)

        def get_description(self):
            return "watching"

    signals.tracers.sampler = Watching()
    traced()

    run(new_engine(), select(ORDERS))

    assert seen[-1]["db.query.summary"] == "SELECT orders"
    assert seen[-1].keys() >= {"db.system.name", "db.namespace", "db.operation.name", "db.query.text"}


@pytest.mark.parametrize("signals", [ALWAYS_OFF], indirect=True)
def test_a_query_that_is_not_sampled_is_measured_and_has_no_span(traced):
    signals = traced()

    run(new_engine(), select(ORDERS))

    assert signals.spans == []
    assert queries(signals)["select"] > 0


def test_the_spans_of_queries_have_the_schema_of_the_conventions(traced):
    signals = traced()

    run(new_engine(), select(ORDERS))

    [scope] = {span.instrumentation_scope for span in signals.spans}
    assert (scope.name, scope.schema_url) == ("opentelemetry.instrumentation.sqlalchemy", semconv.SCHEMA_URL)


def test_a_query_of_postgresql_names_its_database_and_its_server(traced, postgres_engine):
    signals = traced()
    url = postgres_engine.url

    run(postgres_engine, text("SELECT status FROM job_runs"))

    span = signals.spans[-1]
    assert span.name == "SELECT job_runs"
    assert span.attributes["db.system.name"] == "postgresql"
    assert span.attributes["db.namespace"] == url.database
    assert span.attributes["server.address"] == url.query["host"]


def test_an_engine_that_was_made_before_is_traced_as_a_later_one(traced, older_engine):
    signals = traced()

    run(older_engine, text("SELECT 1"))
    run(new_engine(), text("SELECT 2"))

    assert queries(signals)["select"] == 2
    texts = [span.attributes["db.query.text"] for span in signals.spans]
    assert [each for each in texts if each.startswith("SELECT ") and each[7:].isdigit()] == ["SELECT 1", "SELECT 2"]


def test_an_engine_made_by_a_create_engine_that_was_imported_before_is_traced(traced):
    imported_before = sqlalchemy.create_engine

    signals = traced()
    engine = imported_before("sqlite://")
    run(engine, text("SELECT 1"))

    assert [span.name for span in signals.spans] == ["SELECT"]


def test_an_engine_with_other_options_is_traced_once(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    run(engine.execution_options(isolation_level="AUTOCOMMIT").execution_options(stream_results=True), select(ORDERS))

    assert signals.span().name == "SELECT orders"


def test_the_queries_of_a_dedicated_engine_are_measured_and_have_spans_only_if_asked_for(traced, sqlite_engine):
    signals = traced()
    silent, spoken = dedicated_engine(sqlite_engine), dedicated_engine(sqlite_engine, traced=True)
    _engines.extend((silent, spoken))

    run(silent, text("SELECT 1"))
    run(spoken, text("SELECT 2"))

    assert [span.attributes["db.query.text"] for span in signals.spans] == ["SELECT 2"]
    assert queries(signals)["select"] == 2


@pytest.fixture
def async_url(postgres_engine):
    return postgres_engine.url.set(drivername="postgresql+psycopg_async")


async def _run_async(engine, *statements):
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(statement)
        await connection.rollback()
    await engine.dispose()


def test_a_query_of_an_async_engine_has_one_duration_and_one_span(traced, async_url):
    signals = traced()

    asyncio.run(_run_async(create_async_engine(async_url), text("SELECT status FROM job_runs")))

    assert [span.name for span in signals.spans if "job_runs" in span.name] == ["SELECT job_runs"]
    assert sum(queries(signals).values()) == len(signals.spans)


def test_an_async_engine_that_the_published_package_knows_is_taken_over(traced, async_url):
    SQLAlchemyInstrumentor().instrument()
    engine = create_async_engine(async_url)

    signals = traced()
    asyncio.run(_run_async(engine, text("SELECT status FROM job_runs")))
    uninstrument_libraries()
    uninstrument_libraries()

    assert [span.name for span in signals.spans if "job_runs" in span.name] == ["SELECT job_runs"]
    assert not SQLAlchemyInstrumentor().is_instrumented_by_opentelemetry


def test_who_instruments_sqlalchemy_later_finds_it_instrumented(traced, caplog):
    signals = traced()

    SQLAlchemyInstrumentor().instrument(tracer_provider=signals.tracers, meter_provider=signals.meters)
    run(new_engine(), select(ORDERS))

    assert [span.name for span in signals.spans].count("SELECT orders") == 1
    assert "already instrumented" in caplog.text


def test_no_literal_of_a_statement_is_in_the_summary(traced):
    signals = traced()
    engine = new_engine()
    signals.exporter.clear()

    run(engine, text("SELECT 'secret' FROM orders WHERE price = 4111 -- secret\n"))

    span = signals.span()
    assert (span.name, span.attributes["db.query.summary"]) == ("SELECT orders", "SELECT orders")


def test_a_sampler_that_fails_does_not_affect_the_query(signals, traced):
    class Broken(Sampler):
        def should_sample(self, *_arguments):
            raise RuntimeError("no luck")

        def get_description(self):
            return "broken"

    signals.tracers.sampler = Broken()
    traced()

    engine = empty_engine("sqlite://")
    with engine.connect() as connection:
        answer = connection.scalar(text("SELECT 7"))

    engine.dispose()
    assert answer == 7
    assert queries(signals)["select"] == 1


def test_a_query_in_a_suppressed_context_is_neither_measured_nor_traced(traced):
    signals = traced()
    engine = new_engine()
    before = queries(signals)
    signals.exporter.clear()

    with suppress_instrumentation():
        run(engine, text("SELECT 1"))

    assert since(signals, before) == {}
    assert signals.spans == []


def test_without_an_instrument_the_duration_goes_to_the_global_provider(older_engine):
    QueryDurationInstrumentor().instrument()

    with older_engine.connect() as connection:
        assert connection.scalar(text("SELECT 7")) == 7


def test_a_query_that_runs_while_the_instrumentation_is_switched_goes_on(traced):
    """Here by a listener of the query itself, as by another thread: SQLAlchemy's listeners may not change meanwhile."""
    engine, signals = new_engine(), traced()
    switched = []

    def switch(*_arguments):
        uninstrument_libraries()
        if not switched:
            traced()
        switched.append(1)

    sqlalchemy.event.listen(sqlalchemy.Engine, "after_cursor_execute", switch)
    try:
        run(engine, select(ORDERS), select(ORDERS))
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "after_cursor_execute", switch)

    assert len(switched) == 2
    assert [span.name for span in signals.spans][-2:] == ["SELECT orders", "SELECT orders"]


def test_without_the_published_package_s_list_of_engines_later_ones_are_measured(traced, monkeypatch):
    monkeypatch.setattr("telemetry.instrumentation.libraries._LISTENERS", "_of_another_version")
    monkeypatch.setattr("telemetry.compatibility.internals._missing", missing := {})

    signals = traced()
    run(new_engine(), select(ORDERS))

    assert [span.name for span in signals.spans][-1] == "SELECT orders"
    assert list(missing) == ["EngineTracer._of_another_version"]
