"""The connection pools of all SQLAlchemy engines of the process: their connections, their limits, and who waits for one.

An engine counts whenever and by whatever import it was made: those that exist are looked up once, later ones announce themselves
when a connection is asked for. The connections are looked at when the metrics are read. Nothing counts up and down, so no
failed, detached, invalidated or abandoned connection can be left over in a sum.
"""

import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from sqlalchemy import QueuePool, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AssertionPool, ConnectionPoolEntry, Pool, PoolProxiedConnection, StaticPool

from telemetry import semconv
from telemetry.database.forked_engines import is_of_parent
from telemetry.failsafe import failsafe
from telemetry.instrumentation.database_target import pool_name
from telemetry.processes import forks

MAX_NAMES: Final = 50
"""Names that there may be in the life of a process. Engines for which there is none left are `other` together."""
_POOL_OF_RECORD: Final = "_ConnectionRecord__pool"
_PROXIED: Final = "_proxied"
_MAX_OVERFLOW: Final = "_max_overflow"
"""SQLAlchemy has no public names for these. Where they are not there, a connection counts for `other`, and a pool has no maximum."""
_T = TypeVar("_T")


class PoolState(NamedTuple):
    """The connections of the pools of one name. `maximum` is None if one of them has no limit."""

    idle: int
    used: int
    maximum: int | None


class ConnectionPools(forks.ForkAware):
    """What the pools of the process say now. One for a process: `POOLS`."""

    def __init__(self) -> None:
        self._original: Callable[[Engine], PoolProxiedConnection] | None = None
        self._listens = False
        self._forget()
        forks.register(self)

    def _forget(self) -> None:
        self._engines: WeakKeyDictionary[Engine, str] = WeakKeyDictionary()
        self._pools: WeakKeyDictionary[Pool, str] = WeakKeyDictionary()
        self._records: WeakValueDictionary[int, ConnectionPoolEntry] = WeakValueDictionary()
        self._waiting: dict[object, str] = {}
        self._timeouts: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._given: set[str] = set()

    def watch(self) -> None:
        """Find the engines and connections that exist, and those that come. Timeouts are counted from zero. Idempotent."""
        if self._original is not None:
            return
        self._forget()
        self._original = Engine.raw_connection
        if not self._listens:  # once for the life of the process: see `QueryDurationInstrumentor`
            self._listens = True
            event.listen(Pool, "connect", self._connected)
        setattr(Engine, _RAW_CONNECTION, self._observed(Engine.raw_connection))
        for found in _existing(Engine, ConnectionPoolEntry):
            if isinstance(found, Engine):
                self._name(found)
            else:
                self._connected(None, found)

    def unwatch(self) -> None:
        """Undo `watch`. What has replaced the observed method in the meantime stays."""
        if self._original is None:
            return
        if getattr(vars(Engine)[_RAW_CONNECTION], _OURS, False):
            setattr(Engine, _RAW_CONNECTION, self._original)
        self._original = None

    def states(self) -> Mapping[str, PoolState]:
        """The state of the pools by their names."""
        used: Counter[str] = Counter()
        idle: Counter[str] = Counter()
        for record in _alive(self._records.valuerefs()):
            pool = getattr(record, _POOL_OF_RECORD, None)
            if record.dbapi_connection is not None and not is_of_parent(pool):
                (used if record.in_use else idle)[self._name_of_pool(pool)] += 1
        limits = self._limits()
        return {name: PoolState(idle[name], used[name], limits.get(name)) for name in {**limits, **used, **idle}}

    def pending(self) -> Mapping[str, int]:
        """How many callers wait for a connection, or for one to be opened, by the pools' names."""
        return {**dict.fromkeys(self._limits(), 0), **Counter(list(self._waiting.values()))}

    def timeouts(self) -> Mapping[str, int]:
        """How many callers got no connection in time, by the pools' names."""
        return {**dict.fromkeys(self._limits(), 0), **self._timeouts}

    def restart_in_child(self) -> None:
        """A connection that was in use is the parent's. So are those of a pool that the child has replaced."""
        self._waiting, self._timeouts, self._lock = {}, Counter(), threading.RLock()
        unused = [record for record in _alive(self._records.valuerefs()) if not record.in_use]
        self._records = WeakValueDictionary({id(record): record for record in unused})

    def _connected(self, _connection: object, record: ConnectionPoolEntry) -> None:
        self._records[id(record)] = record

    def _observed(self, original: Callable[[Engine], PoolProxiedConnection]) -> Callable[[Engine], Any]:
        """`Engine.raw_connection`, by which each connection of an engine is taken from its pool."""

        @wraps(original)
        def raw_connection(engine: Engine) -> PoolProxiedConnection:
            request, name = object(), self._name(engine) or semconv.OTHER
            self._waiting[request] = name
            try:
                return original(engine)
            except PoolTimeoutError:
                with self._lock:
                    self._timeouts[name] += 1
                raise
            finally:
                self._waiting.pop(request, None)

        setattr(raw_connection, _OURS, True)
        return raw_connection

    @failsafe
    def _name(self, engine: Engine) -> str:
        """The name of an engine and of its pool, which is another one after each `Engine.dispose`."""
        pool = engine.pool
        if (known := self._pools.get(pool)) is not None:
            return known
        while (proxied := getattr(engine, _PROXIED, None)) is not None:  # it has other options, and the same pool
            engine = proxied
        if (name := self._engines.get(engine)) is None:
            name = self._engines[engine] = self.free_name(pool_name(engine))
        self._pools[pool] = name
        return name

    def free_name(self, wanted: str, taken: Iterable[str] = ()) -> str:
        """The name, with a number if another engine has it, or it is taken otherwise."""
        taken = {*taken, *self._engine_names().values()}
        numbered = (wanted if number == 1 else f"{wanted}#{number}" for number in count(1))
        name = next(name for name in numbered if name not in taken)
        if name not in self._given and len(self._given) >= MAX_NAMES:
            return semconv.OTHER
        self._given.add(name)
        return name

    def _name_of_pool(self, pool: Pool | None) -> str:
        return semconv.OTHER if pool is None else self._pools.get(pool, semconv.OTHER)

    def _engine_names(self) -> dict[Engine, str]:
        return names_of_living(self._engines)

    def _limits(self) -> dict[str, int | None]:
        """The most connections that there may be, by the pools' names; None: as many as are asked for."""
        limits: dict[str, int | None] = {}
        for engine, name in self._engine_names().items():
            own, others = _limit(engine.pool), limits.get(name, 0)
            limits[name] = None if own is None or others is None else own + others
        return limits


_RAW_CONNECTION: Final = "raw_connection"
_OURS: Final = "_observed_by_telemetry"
POOLS: Final = ConnectionPools()


def _limit(pool: Pool) -> int | None:
    if isinstance(pool, QueuePool):
        overflow = getattr(pool, _MAX_OVERFLOW, -1)
        return pool.size() + overflow if overflow >= 0 else None
    return 1 if isinstance(pool, StaticPool | AssertionPool) else None


def names_of_living(names: "WeakKeyDictionary[_T, str]") -> dict[_T, str]:
    """What is in such a dictionary now. Its own iterators raise if another thread adds to it."""
    return {key: names.get(key, semconv.OTHER) for key in _alive(names.keyrefs())}


def _alive(references: Iterable[Callable[[], _T | None]]) -> list[_T]:
    return [found for reference in references if (found := reference()) is not None]


def _existing(*bases: type[Any]) -> list[Any]:
    """All objects of these classes. An object refers to its class, so the garbage collector finds them, in some 20 ms."""
    family = set().union(*map(_family, bases))
    return [found for found in gc.get_referrers(*family) if type(found) in family]


def _family(base: type[Any]) -> set[type[Any]]:
    return {base}.union(*(_family(each) for each in base.__subclasses__()))
