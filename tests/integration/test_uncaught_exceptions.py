"""Exceptions that nobody caught become alerts, wherever they end."""

import sqlite3
from typing import Final

import pytest
from sqlalchemy.engine import Engine

from tests.support.processes import Programs

pytestmark = pytest.mark.e2e

START: Final = """
import asyncio, gc, logging, logging.config, sys, threading, time
import telemetry
telemetry.start()

def fail():
    raise KeyError('no such book')

async def fail_later():
    fail()

class Open:
    def __del__(self):
        fail()
"""
IN_MAIN: Final = ("CRITICAL", "The program ends")
IN_THREAD: Final = ("ERROR", "A thread ended")
UNRAISABLE: Final = ("ERROR", "Exception ignored")
ENDS: Final = {
    "in the main thread": ("fail()", 1, IN_MAIN),
    "in a coroutine": ("async def main(): fail()\nasyncio.run(main())", 1, IN_MAIN),
    "in a group": ("raise ExceptionGroup('unhandled', [KeyError('no such book')])", 1, IN_MAIN),
    "in a thread": ("t = threading.Thread(target=fail); t.start(); t.join()", 0, IN_THREAD),
    "in a timer": ("t = threading.Timer(0, fail); t.start(); t.join()", 0, IN_THREAD),
    "in a finalizer": ("Open(); gc.collect()", 0, UNRAISABLE),
    "in a task that nobody awaits": (
        "async def main():\n    asyncio.create_task(fail_later())\n    await asyncio.sleep(0.05)\nasyncio.run(main()); gc.collect()",
        0,
        ("ERROR", "Task exception was never retrieved"),
    ),
    "after the handlers were taken away": ("logging.getLogger().handlers.clear(); fail()", 1, None),
}


@pytest.mark.parametrize("how", ENDS)
def test_an_exception_that_nobody_caught_is_an_alert(how: str, programs: Programs, sqlite_engine: Engine):
    end, code, expected = ENDS[how]
    programs.write("script.py", f"{START}\n{end}\n")

    done = programs.run("-m", "script", DATABASE_URL=str(sqlite_engine.url), DATA_DIR="data")

    assert done.returncode == code, done.stderr
    assert "no such book" in done.stderr
    assert done.stderr.count("Traceback") == 1
    if expected is not None:
        level, words = expected
        [incident] = incidents(programs)
        assert incident[0] == level
        assert incident[1].startswith(words)
        assert incident[2] == "KeyError: 'no such book'"


def incidents(programs: Programs) -> list[tuple[str, str, str]]:
    [outbox] = (programs.home / "data").rglob("outbox.db")
    connection = sqlite3.connect(outbox)
    try:
        return connection.execute("SELECT level, words, error FROM incidents").fetchall()
    finally:
        connection.close()
