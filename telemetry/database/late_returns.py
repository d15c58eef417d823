"""Closes connections that come back to their pool after `Engine.dispose`: nobody takes them from there, nor closes them."""

from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from telemetry.database.forked_engines import is_of_parent

_POOL: Final = "_ConnectionRecord__pool"
"""SQLAlchemy has no public name for it. Where it is not there, such connections stay open."""


def close_late_returns(engine: Engine) -> None:
    """Close each connection that comes back to a former pool of the engine. Each `dispose` replaces the pool.

    The pool of another engine that was made from this one's has the same listeners, and none of its connections is closed here.
    """
    pools: WeakSet[Pool] = WeakSet([engine.pool])

    def close_late(connection: Any, record: ConnectionPoolEntry) -> None:
        pool = getattr(record, _POOL, None)
        if connection is not None and pool is not engine.pool and pool in pools and not is_of_parent(pool):
            with suppress(Exception):  # it is gone already
                connection.close()

    event.listen(engine, "engine_disposed", lambda disposed: pools.add(disposed.pool))
    event.listen(engine, "checkin", close_late)
