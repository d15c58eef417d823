import sqlite3
from functools import partial

import pytest
from sqlalchemy import event, text

from telemetry.database import create_engine, dedicated_engine


@pytest.fixture
def engine(tmp_path):
    made = create_engine(f"sqlite:///{tmp_path}/shop.db")
    yield made
    made.dispose()


def is_closed(connection):
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False


@pytest.mark.parametrize("which", ["own", "dedicated", "dedicated of one that is disposed of"])
def test_a_connection_that_comes_back_after_the_end_is_closed(engine, which):
    used = engine if which == "own" else dedicated_engine(engine)
    with used.connect() as connection:
        raw = connection.connection.driver_connection
        (engine if which.endswith("disposed of") else used).dispose()
        assert not is_closed(raw)

    assert is_closed(raw)


@pytest.mark.parametrize("make", [lambda engine: engine, dedicated_engine, partial(dedicated_engine, traced=True)])
def test_one_that_was_opened_during_the_end_is_closed(engine, make):
    used, opened = make(engine), []

    event.listen(used, "connect", lambda connection, _record: opened.append(connection))
    event.listen(engine, "do_connect", lambda *_: engine.dispose())

    with used.connect() as connection:
        connection.execute(text("SELECT 1"))

    assert [is_closed(each) for each in opened] == [True]


def test_one_that_comes_back_before_is_kept_and_the_engine_goes_on_after_it(engine):
    used = dedicated_engine(engine)
    for _ in range(2):
        with used.connect() as connection:
            raw = connection.connection.driver_connection
        with used.connect() as connection:
            assert connection.connection.driver_connection is raw
            assert connection.scalar(text("SELECT 1")) == 1
        used.dispose()
