"""A wall clock that a test sets while programs run: that of their processes, and PostgreSQL's. Monotonic clocks go on."""

import struct
from typing import Final

from sqlalchemy import Engine, text

from tests.support.processes import Programs

# Python imports `sitecustomize` at the start of each process. Every Python program reads the wall clock by these functions.
# The timestamps of files are still the kernel's.
_SITECUSTOMIZE: Final = """
import datetime, gc, mmap, os, struct, time

with open({path!r}, "rb") as file:
    _offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)


def offset():
    return struct.unpack("d", _offset[:8])[0]


def shifted(read, unit):
    return lambda: read() + unit(offset())


def shifted_now(cls, tz=None):
    return _now.__get__(None, cls)(tz) + datetime.timedelta(seconds=offset())


_now = datetime.datetime.__dict__["now"]
gc.get_referents(datetime.datetime.__dict__)[0]["now"] = classmethod(shifted_now)
time.time, time.time_ns = shifted(time.time, float), shifted(time.time_ns, lambda seconds: int(seconds * 1e9))
"""
# A function in `public` that is found before the one of the same name in `pg_catalog`.
_SHIFTED_NOW: Final = """
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
'SELECT pg_catalog.clock_timestamp() + (SELECT seconds FROM public.clock_offset) * interval ''1 second'''
"""


class MachineClock:
    """The wall clock of all Python programs that are started in a directory. Create it before them."""

    def __init__(self, programs: Programs) -> None:
        self._file = programs.home / "clock.offset"
        self._file.write_bytes(struct.pack("d", 0.0))
        programs.write("sitecustomize.py", _SITECUSTOMIZE.format(path=str(self._file)))

    def set(self, seconds: float) -> None:
        """Set it to the true time and so many seconds."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("d", seconds))


class PostgresClock:
    """PostgreSQL's clock, for connections that begin from now on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        name = engine.dialect.identifier_preparer.quote(str(engine.url.database))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE clock_offset (seconds float8)"))
            connection.execute(text("INSERT INTO clock_offset VALUES (0)"))
            connection.execute(text(_SHIFTED_NOW))
            connection.execute(text(f"ALTER DATABASE {name} SET search_path = public, pg_catalog"))

    def set(self, seconds: float, machine: MachineClock | None = None) -> None:
        """Set it to the true time and so many seconds, and the machine's with it: at once, as far as others can see."""
        with self._engine.begin() as connection:
            connection.execute(text("LOCK TABLE clock_offset"))  # who asks for the time now waits for the end of this
            if machine is not None:
                machine.set(seconds)
            connection.execute(text("UPDATE clock_offset SET seconds = :seconds"), {"seconds": seconds})
