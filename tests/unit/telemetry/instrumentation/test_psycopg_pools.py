"""The pools of psycopg_pool: the package itself where it is installed, and always one that has its methods."""

import asyncio
import gc
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from telemetry.instrumentation.connection_pools import ConnectionPools
from telemetry.instrumentation.psycopg_pools import PsycopgPools


class Connection:
    closed = False


class PoolTimeout(Exception):
    pass


class Pool:
    """As `psycopg_pool.ConnectionPool`: `available` connections, at most `max_size`."""

    def __init__(self, name="pool-1", max_size=2):
        self.name, self.max_size, self.available = name, max_size, []
        self.number, self.may_go_on = 0, threading.Event()

    def getconn(self, timeout=None):
        if self.available:
            return self.available.pop()
        if self.number == self.max_size:
            self.may_go_on.wait(30 if timeout is None else timeout)
            if not self.available:
                raise PoolTimeout
            return self.available.pop()
        self.number += 1
        return Connection()

    def putconn(self, conn):
        self.available.append(conn)
        self.may_go_on.set()

    def get_stats(self):
        return {"pool_available": len(self.available), "pool_max": self.max_size}


@pytest.fixture
def pools():
    """What observes a package of its own for each test."""

    class Own(Pool):
        pass

    class OwnAsync(Pool):
        async def getconn(self):
            return super().getconn()

        async def putconn(self, conn):
            super().putconn(conn)

    observer = PsycopgPools(ConnectionPools())
    package = SimpleNamespace(PoolTimeout=PoolTimeout, ConnectionPool=Own, AsyncConnectionPool=OwnAsync)
    observer.observe(package)
    return observer, package


def test_a_connection_is_used_until_it_is_brought_back_and_then_idle(pools):
    observer, package = pools
    pool = package.ConnectionPool()

    connection = pool.getconn()
    during = observer.states()
    pool.putconn(connection)

    assert (during, observer.states()) == ({"psycopg pool-1": (0, 1, 2)}, {"psycopg pool-1": (1, 0, 2)})


def test_a_connection_that_is_closed_or_forgotten_is_not_used(pools):
    observer, package = pools
    pool = package.ConnectionPool()

    closed, forgotten = pool.getconn(), pool.getconn()
    assert observer.states()["psycopg pool-1"].used == 2
    closed.closed = True
    del forgotten
    gc.collect()

    assert observer.states()["psycopg pool-1"].used == 0


def test_who_waits_is_pending_and_who_waits_in_vain_a_timeout(pools):
    observer, package = pools
    pool = package.ConnectionPool(max_size=1)
    connection = pool.getconn()
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0)
    waiting = threading.Thread(target=pool.getconn)
    waiting.start()
    while not observer.pending()["psycopg pool-1"]:
        time.sleep(0.001)
    pool.putconn(connection)
    waiting.join(30)

    assert observer.pending() == {"psycopg pool-1": 0}
    assert observer.timeouts() == {"psycopg pool-1": 1}


def test_async_pools_and_several_of_a_name_are_told_apart(pools):
    observer, package = pools
    first, second = package.AsyncConnectionPool(), package.AsyncConnectionPool(max_size=0)
    second.number = -1

    async def work():
        taken = await first.getconn(), await second.getconn()
        during = observer.states()
        await first.putconn(taken[0])
        return during

    during = asyncio.run(work())

    assert during == {"psycopg pool-1": (0, 1, 2), "psycopg pool-1#2": (0, 1, None)}
    assert observer.states()["psycopg pool-1"] == (1, 0, 2)


def test_a_child_has_none_of_its_parent_s(pools):
    observer, package = pools
    pool = package.ConnectionPool()
    connection = pool.getconn()

    observer.restart_in_child()

    assert observer.states()["psycopg pool-1"].used == 0
    pool.putconn(connection)


def test_a_package_of_another_shape_is_left_alone(caplog):
    PsycopgPools(ConnectionPools()).observe(SimpleNamespace())

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_package_is_observed_when_it_is_imported(monkeypatch, tmp_path):
    (tmp_path / "psycopg_pool.py").write_text(
        "class PoolTimeout(Exception): pass\n"
        "class ConnectionPool:\n"
        "    name = 'shop'\n"
        "    def getconn(self): return type('Connection', (), {'closed': False})()\n"
        "    def putconn(self, conn): pass\n"
        "    def get_stats(self): return {'pool_available': 0, 'pool_max': 4}\n"
        "class AsyncConnectionPool(ConnectionPool): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "psycopg_pool", raising=False)
    observer = PsycopgPools(ConnectionPools())
    observer.watch()
    observer.watch()

    import psycopg_pool  # noqa: PLC0415  # the one of this test

    pool = psycopg_pool.ConnectionPool()
    connection = pool.getconn()
    monkeypatch.delitem(sys.modules, "psycopg_pool")

    assert observer.states() == {"psycopg shop": (0, 1, 4)}
    del connection
