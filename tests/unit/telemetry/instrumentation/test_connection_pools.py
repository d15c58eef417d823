"""What the pools of the process say, held against what was done with their connections."""

import asyncio
import contextlib
import gc
import threading
import time

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AssertionPool, NullPool, QueuePool, SingletonThreadPool, StaticPool

from telemetry.database import create_engine, dedicated_engine
from telemetry.instrumentation import connection_pools
from telemetry.instrumentation.connection_pools import MAX_NAMES, POOLS
from telemetry.instrumentation.database_target import pool_name
from tests.support.forking import in_child
from tests.support.processes import free_port
from tests.support.tcp_proxy import proxied_url, tcp_proxy
from tests.unit.telemetry.instrumentation.conftest import Signals

SEARCH = connection_pools._existing


@pytest.fixture(autouse=True)
def _watched():
    POOLS.unwatch()
    POOLS.watch()
    yield
    POOLS.unwatch()


@pytest.fixture
def make(tmp_path):
    """Makes engines of a database, named by its file, and disposes of them."""
    with contextlib.ExitStack() as engines:

        def make(name="shop", **options):
            engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/{name}.db", **options)
            engines.callback(engine.dispose)
            return engine

        yield make


def counts(name="shop.db"):
    """Idle and used connections."""
    state = POOLS.states()[name]
    return state.idle, state.used


def used():
    return sum(state.used for state in POOLS.states().values())


def test_a_connection_is_used_until_it_is_returned_and_then_idle(make):
    engine = make()

    with engine.connect():
        assert counts() == (0, 1)

    assert counts() == (1, 0)


def test_an_engine_and_its_connections_that_are_older_than_the_telemetry_count(make, monkeypatch):
    monkeypatch.setattr(connection_pools, "_existing", SEARCH)
    POOLS.unwatch()
    gc.collect()  # engines of other tests
    idle, busy = make("idle"), make("busy")
    idle.connect().close()

    with busy.connect():
        POOLS.watch()

        assert (counts("idle.db"), counts("busy.db")) == ((1, 0), (0, 1))
    assert counts("busy.db") == (1, 0)


def test_several_engines_of_a_database_are_told_apart(make):
    first, second = make(), make()

    with first.connect(), second.connect(), second.connect():
        assert (counts("shop.db"), counts("shop.db#2")) == ((0, 1), (0, 2))


def test_an_engine_with_other_options_has_the_same_pool(make):
    engine = make()

    with engine.execution_options(isolation_level="AUTOCOMMIT").execution_options(x=1).connect():
        assert counts() == (0, 1)

    assert len([name for name in POOLS.states() if name.startswith("shop")]) == 1


def test_a_raw_connection_counts(make):
    raw = make().raw_connection()
    raw.cursor().execute("SELECT 1")
    assert counts() == (0, 1)

    raw.close()

    assert counts() == (1, 0)


def test_failed_connections_leave_nothing(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/nowhere/shop.db")

    for _ in range(20):
        with pytest.raises(OperationalError):
            engine.connect()

    assert counts() == (0, 0)


def test_a_listener_that_fails_leaves_nothing(make):
    engine = make()

    @sqlalchemy.event.listens_for(engine, "connect")
    def refuse(*_):
        raise ValueError("not today")

    for _ in range(5):
        with pytest.raises(ValueError, match="not today"):
            engine.connect()

    assert counts() == (0, 0)


def test_a_detached_connection_is_no_longer_the_pool_s(make):
    connection = make().connect()

    connection.detach()
    assert counts() == (0, 0)
    connection.close()

    assert counts() == (0, 0)


@pytest.mark.parametrize("soft", [False, True])
def test_an_invalidated_connection_counts_as_long_as_it_is_open(make, soft):
    engine = make()
    with engine.connect() as connection:
        if soft:
            connection.connection._connection_record.invalidate(soft=True)
            assert counts() == (0, 1)
        else:
            connection.invalidate()
            assert counts() == (0, 0)

    with engine.connect():
        assert counts() == (0, 1)
    assert counts() == (1, 0)


def test_a_connection_that_is_used_while_its_engine_is_disposed_of_counts_until_it_is_returned(make):
    engine = make()
    with engine.connect() as connection:
        engine.dispose()
        assert counts() == (0, 1)
        with engine.connect():
            assert counts() == (0, 2)
        driver_connection = connection.connection.driver_connection

    driver_connection.close()  # SQLAlchemy does not: its pool is a former one
    gc.collect()

    assert counts() == (1, 0)


def test_a_connection_that_is_forgotten_counts_no_more(make):
    engine = make(poolclass=QueuePool)
    connection = engine.connect()
    assert counts() == (0, 1)

    del connection
    gc.collect()

    assert counts() == (1, 0)


def test_an_engine_that_is_forgotten_counts_no_more_and_leaves_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("telemetry.instrumentation.connection_pools.MAX_NAMES", len(POOLS.states()) + 2)
    url = f"sqlite:///{tmp_path}/shop.db"
    for _ in range(4):
        engine = sqlalchemy.create_engine(url, poolclass=NullPool)
        with engine.connect():
            assert counts() == (0, 1)
        del engine
        gc.collect()

    assert "shop.db" not in POOLS.states()


@pytest.mark.parametrize("pool", [NullPool, StaticPool, AssertionPool, SingletonThreadPool, QueuePool])
def test_each_kind_of_pool_tells_what_is_used(make, pool):
    options = {"connect_args": {"check_same_thread": False}} if pool is not SingletonThreadPool else {}
    engine = make(poolclass=pool, **options)
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert counts() == (0, 1)
        assert counts() == ((0, 0) if pool is NullPool else (1, 0))
    engine.dispose()
    gc.collect()

    assert counts() == (0, 0)


@pytest.mark.parametrize(
    ("options", "maximum"),
    [
        ({"pool_size": 3, "max_overflow": 4}, 7),
        ({"pool_size": 3, "max_overflow": -1}, None),
        ({"pool_size": 0}, None),
        ({"poolclass": NullPool}, None),
        ({"poolclass": StaticPool}, 1),
    ],
)
def test_the_limit_of_a_pool_is_told_if_it_has_one(make, options, maximum):
    engine = make(**options)

    with engine.connect():
        assert POOLS.states()["shop.db"].maximum == maximum


def test_connections_over_the_size_of_the_pool_are_used_and_then_gone(make):
    engine = make(pool_size=1, max_overflow=2)
    with engine.connect(), engine.connect(), engine.connect():
        assert counts() == (0, 3)

    assert counts() == (1, 0)


def test_who_waits_for_a_connection_is_pending_and_who_waits_in_vain_a_timeout(make):
    engine = make(pool_size=1, max_overflow=0, pool_timeout=0.05)
    patient = make("patient", pool_size=1, max_overflow=0, pool_timeout=30)
    with engine.connect(), pytest.raises(PoolTimeoutError):
        engine.connect()
    with patient.connect():
        waiting = threading.Thread(target=lambda: patient.connect().close())
        waiting.start()
        while not POOLS.pending()["patient.db"]:
            time.sleep(0.001)
        assert counts("patient.db") == (0, 1)
    waiting.join(30)

    assert POOLS.pending()["patient.db"] == 0
    assert (POOLS.timeouts()["shop.db"], POOLS.timeouts()["patient.db"]) == (1, 0)


def test_the_number_of_names_is_bounded(make):
    engines = [make(f"tenant{number}") for number in range(2 * MAX_NAMES)]
    for engine in engines:
        engine.connect().close()

    states = POOLS.states()

    assert len(states) <= MAX_NAMES + 1
    assert states["other"].idle >= MAX_NAMES
    assert sum(state.idle for state in states.values()) >= 2 * MAX_NAMES


def test_a_name_holds_no_password_and_names_the_server():
    for url, name in (
        ("postgresql+psycopg://shop:secret@db.example/orders", "db.example:5432/orders"),
        ("postgresql+psycopg://shop:secret@db.example:6000/orders?password=secret", "db.example:6000/orders"),
        ("postgresql+psycopg://shop:secret@/orders?host=/run/pg", "/run/pg:5432/orders"),
        ("postgresql+psycopg://", "postgresql"),
        ("sqlite:////home/anna/shop.db", "shop.db"),
        ("sqlite://", ":memory:"),
    ):
        assert pool_name(sqlalchemy.create_engine(url)) == name
    assert pool_name(sqlalchemy.create_engine("sqlite://", pool_logging_name="reports")) == "reports"


def test_the_pool_of_a_dedicated_engine_is_named_by_its_purpose(sqlite_engine):
    for traced in (False, True):
        dedicated = dedicated_engine(sqlite_engine, purpose="job_runs", traced=traced)
        assert pool_name(dedicated) == "migrated.db (job_runs)"
        dedicated.dispose()


def test_a_child_has_no_connection_of_its_parent(make):
    foreign, ours = make("foreign"), create_engine("sqlite:///ours.db")

    def in_both():
        before = used()
        with foreign.connect(), ours.connect():
            return [before, used()]

    with foreign.connect(), ours.connect():
        assert used() == 2
        assert in_child(in_both) == [0, 2]
        assert used() == 2
    ours.dispose()


def test_an_async_engine_counts_each_connection_once(postgres_engine):
    engine = create_async_engine(postgres_engine.url.set(drivername="postgresql+psycopg_async"))

    async def work():
        async with engine.connect() as first, engine.connect() as second:
            await first.execute(text("SELECT 1"))
            await second.execute(text("SELECT 1"))
            during = used()
        after = used()
        await engine.dispose()
        return during, after

    assert asyncio.run(work()) == (2, 0)


def test_copy_by_the_driver_s_own_cursor_is_a_connection_in_use(postgres_engine):
    raw = postgres_engine.raw_connection()
    with raw.cursor() as cursor, cursor.copy("COPY (SELECT 1) TO STDOUT") as copied:
        during = used()
        assert [bytes(each) for each in copied] == [b"1\n"]
    raw.close()

    assert (during, used()) == (1, 0)


def test_after_an_outage_of_the_database_the_numbers_are_true(postgres_engine, postgres):
    port = free_port()
    engine = sqlalchemy.create_engine(
        proxied_url(postgres_engine.url, port), pool_size=2, max_overflow=2, pool_pre_ping=True
    )
    with tcp_proxy(port, postgres), engine.connect(), engine.connect() as lost:
        lost.execute(text("SELECT 1"))
        assert used() == 2
    for _ in range(20):
        with pytest.raises(OperationalError):
            engine.connect()
        assert used() == 0
    with tcp_proxy(port, postgres):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            assert used() == 1
        assert used() == 0
    engine.dispose()


def test_the_page_shows_the_pools(make):
    signals, engine = Signals(), make(pool_size=2, max_overflow=1)
    with engine.connect():
        assert signals.series("db_client_connections")["shop.db", "used"] == 1
        assert signals.series("db_client_connections")["shop.db", "idle"] == 0
        assert signals.series("db_client_connection_max")["shop.db",] == 3
        assert signals.series("db_client_connection_pending_requests")["shop.db",] == 0
        assert signals.series("db_client_connection_timeouts_total")["shop.db",] == 0
        assert signals.series("db_connections_active")[()] == used()
    signals.close()


def test_what_replaced_the_observed_method_meanwhile_stays(make, monkeypatch):
    def foreign(engine):
        return engine.pool.connect()

    monkeypatch.setattr(sqlalchemy.Engine, "raw_connection", foreign)
    POOLS.unwatch()

    assert sqlalchemy.Engine.raw_connection is foreign
    make().connect().close()


def test_an_engine_that_cannot_be_named_works(make, monkeypatch):
    monkeypatch.setattr("telemetry.instrumentation.connection_pools.pool_name", lambda _engine: 1 / 0)

    with make().connect() as connection:
        assert connection.scalar(text("SELECT 7")) == 7
        assert counts("other") == (0, 1)


def test_watching_twice_observes_once():
    observed = sqlalchemy.Engine.raw_connection

    POOLS.watch()

    assert sqlalchemy.Engine.raw_connection is observed


def test_what_is_idle_at_a_fork_is_known_in_the_child_and_what_is_used_is_not(make):
    idle, busy = make("idle"), make("busy")
    idle.connect().close()

    with busy.connect():
        POOLS.restart_in_child()

        assert (counts("idle.db"), counts("busy.db")) == ((1, 0), (0, 0))
