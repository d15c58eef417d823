"""The pools of psycopg_pool, where that package is installed and an application uses them without SQLAlchemy.

They are found when a connection is asked for. The package itself says how many connections are idle; what is used is what was
taken and not brought back, since it counts connections that are still being opened, and those that fail, as if they were there.
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary

from wrapt import register_post_import_hook

from telemetry import semconv
from telemetry.failsafe import failsafe
from telemetry.instrumentation.connection_pools import POOLS, ConnectionPools, PoolState, names_of_living
from telemetry.processes import forks

_PACKAGE: Final = "psycopg_pool"
_GET, _PUT = "getconn", "putconn"


class PsycopgPools(forks.ForkAware):
    """What the pools of psycopg_pool say now. One for a process: `PSYCOPG_POOLS`."""

    def __init__(self, names: ConnectionPools) -> None:
        self._names = names
        self._pools: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._is_watching = False
        self._timeout: type[Exception] = TimeoutError
        self.restart_in_child()
        forks.register(self)

    def restart_in_child(self) -> None:
        """The connections are the parent's, and so are those who wait for one."""
        self._taken: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._waiting: dict[object, str] = {}
        self._timeouts: Counter[str] = Counter()

    def watch(self) -> None:
        """Observe the pools as soon as the package is imported. Idempotent; it costs nothing where there are none."""
        if not self._is_watching:
            self._is_watching = True
            register_post_import_hook(self.observe, _PACKAGE)

    @failsafe
    def observe(self, package: ModuleType) -> None:
        self._timeout = package.PoolTimeout
        for pools, observed in (
            (package.ConnectionPool, self._observed),
            (package.AsyncConnectionPool, self._observed_async),
        ):
            setattr(pools, _GET, observed(getattr(pools, _GET)))
            setattr(pools, _PUT, self._observed_return(getattr(pools, _PUT)))

    def states(self) -> Mapping[str, PoolState]:
        used = Counter(name for connection, name in names_of_living(self._taken).items() if not connection.closed)
        states: dict[str, PoolState] = {}
        for pool, name in names_of_living(self._pools).items():
            said, other = pool.get_stats(), states.get(name, PoolState(0, 0, 0))
            limit = said["pool_max"] + other.maximum if said["pool_max"] and other.maximum is not None else None
            states[name] = PoolState(said["pool_available"] + other.idle, used[name], limit)
        return states

    def pending(self) -> Mapping[str, int]:
        return {**dict.fromkeys(names_of_living(self._pools).values(), 0), **Counter(list(self._waiting.values()))}

    def timeouts(self) -> Mapping[str, int]:
        return {**dict.fromkeys(names_of_living(self._pools).values(), 0), **self._timeouts}

    def _observed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def getconn(pool: Any, *arguments: Any, **options: Any) -> Any:
            with self._request(pool) as name:
                connection = original(pool, *arguments, **options)
            self._taken[connection] = name
            return connection

        return getconn

    def _observed_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        async def getconn(pool: Any, *arguments: Any, **options: Any) -> Any:
            with self._request(pool) as name:
                connection = await original(pool, *arguments, **options)
            self._taken[connection] = name
            return connection

        return getconn

    def _observed_return(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def putconn(pool: Any, connection: Any, *arguments: Any, **options: Any) -> Any:
            self._taken.pop(connection, None)
            return original(pool, connection, *arguments, **options)

        return putconn

    @contextmanager
    def _request(self, pool: Any) -> Generator[str]:
        request, name = object(), self._name(pool) or semconv.OTHER
        self._waiting[request] = name
        try:
            yield name
        except self._timeout:
            self._timeouts[name] += 1
            raise
        finally:
            self._waiting.pop(request, None)

    @failsafe
    def _name(self, pool: Any) -> str:
        if (name := self._pools.get(pool)) is None:
            name = self._pools[pool] = self._names.free_name(
                f"psycopg {pool.name}", names_of_living(self._pools).values()
            )
        return name


PSYCOPG_POOLS: Final = PsycopgPools(POOLS)
