"""Limits of what is kept: 64 MB and a week, the oldest first, and failures longest."""

import os
import time

import pytest

from telemetry.recent.keeping import size_limits
from telemetry.recent.schema import LOG_OVERHEAD, TRACE_OVERHEAD

TRACE = "INSERT INTO traces VALUES (?, 'request', '/', 'GET', '200', 0, ?, 0.1, 1, ?, ?)"
SPANS = "INSERT INTO trace_spans VALUES (?, 0, ?)"
LINE = """
INSERT INTO logs (at, level, logger, component, message, bytes) VALUES (?, 30, 'shop', 'shop', ?, ?)
"""


def add_traces(connection, kept_as, number, size=1000, started=None):
    begin = time.time() if started is None else started
    for each in range(number):
        trace_id = f"{kept_as}-{os.urandom(12).hex()}"
        connection.execute(TRACE, (trace_id, begin + each / 1000, size, kept_as))
        connection.execute(SPANS, (trace_id, os.urandom(size)))


def add_lines(connection, number, size=200):
    now = time.time()
    for each in range(number):
        connection.execute(LINE, (now + each / 1000, os.urandom(size // 2).hex(), size))


def kept(connection):
    return {kind: number for kind, (number, _) in size_limits.sizes(connection).items()}


def test_the_oldest_of_what_has_more_than_its_share_goes_first(machine):
    limit = 1_000_000
    with machine.database.writing() as connection:
        add_traces(connection, "failed", 50)
        add_traces(connection, "job", 50)
        add_traces(connection, "sample", 2000)
        add_lines(connection, 100)
        newest = connection.execute("SELECT max(started) FROM traces WHERE kept_as = 'sample'").fetchone()
        size_limits.make_room(connection, limit)

        left = kept(connection)
        assert (left["failed"], left["job"], left["logs"]) == (50, 50, 100)
        assert 0 < left["sample"] < 600
        assert connection.execute("SELECT max(started) FROM traces WHERE kept_as = 'sample'").fetchone() == newest
        assert connection.execute("SELECT count(*) FROM trace_spans").fetchone()[0] == sum(left.values()) - 100


def test_no_kind_takes_the_room_of_the_others(machine):
    with machine.database.writing() as connection:
        for kind in ("failed", "job", "slow", "sample"):
            add_traces(connection, kind, 1000)
        add_lines(connection, 3000)
        size_limits.make_room(connection, 1_000_000)
        left = kept(connection)

    rows = 1_000_000 * size_limits._FILLING
    for kind, share in size_limits._SHARES.items():
        each = 1000 + TRACE_OVERHEAD if kind != "logs" else 200 + LOG_OVERHEAD
        assert left[kind] == pytest.approx(share * rows / each, abs=60)


def test_a_week_is_kept_and_nothing_from_the_future(machine):
    now = time.time()
    with machine.database.writing() as connection:
        for days in (8, 6.9, 0):
            add_traces(connection, "failed", 3, started=now - days * 86_400)
        add_traces(connection, "sample", 3, started=now + 86_400)
        connection.execute(LINE, (now - 8 * 86_400, "old", 3))
        connection.execute(LINE, (now + 86_400, "from the future", 3))
        connection.execute(LINE, (now, "new", 3))

    machine.now += 120
    machine.writer.step()

    assert len(machine.traces.search()) == 6
    assert [line.message for line in machine.logs.search()] == ["new"]


@pytest.mark.parametrize("size", [150, 700, 1500, 5000])
def test_a_flood_never_takes_more_than_the_limit_on_the_disk(size, machine):
    """All kinds at once, so that what goes lies between what stays."""
    limit = 2_000_000
    greatest = 0
    for round_ in range(35):
        with machine.database.writing() as connection:
            for kind in ("failed", "job", "slow", "sample", "sample"):
                add_traces(connection, kind, max(1, 20_000 // size), size * (1 + round_ % 3) // 2)
            add_lines(connection, 50)
            size_limits.make_room(connection, limit)
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            greatest = max(greatest, pages * connection.execute("PRAGMA page_size").fetchone()[0])

    assert greatest <= limit
    assert greatest > limit / 3
