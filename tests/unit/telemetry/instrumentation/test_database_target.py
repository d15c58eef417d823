import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy.engine import make_url

from telemetry.instrumentation.database_target import DatabaseTarget, status_code


def target(url, driver=None, dialect=None):
    """The attributes of a connection that need not be open."""
    url = make_url(url)
    connection = SimpleNamespace(
        engine=SimpleNamespace(url=url), dialect=SimpleNamespace(name=dialect or url.get_backend_name())
    )
    cursor = SimpleNamespace(connection=SimpleNamespace(info=driver)) if driver else None
    return DatabaseTarget.of_connection(connection, cursor).attributes


@pytest.mark.parametrize(
    ("url", "namespace"),
    [
        ("sqlite:////var/lib/somebody/sovani.db", "sovani.db"),
        ("sqlite:///var/sovani.db", "sovani.db"),
        ("sqlite:///sovani.db", "sovani.db"),
        ("sqlite:///file:/var/lib/sovani.db?mode=ro&uri=true", "sovani.db"),
        ("sqlite:///file:sovani.db?mode=memory&uri=true", "sovani.db"),
        ("sqlite://", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_a_database_of_sqlite_is_called_by_its_file_without_the_directory(url, namespace):
    assert target(url) == {"db.system.name": "sqlite", "db.namespace": namespace}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://user:secret@db.example/shop", {"server.address": "db.example"}),
        ("postgresql://user:secret@db.example:5432/shop", {"server.address": "db.example"}),
        ("postgresql://user:secret@db.example:6432/shop", {"server.address": "db.example", "server.port": 6432}),
        ("postgresql://user:secret@/shop?host=/run/postgresql", {"server.address": "/run/postgresql"}),
        ("postgresql://user:secret@/shop?host=one:5432&host=two:5432", {"server.address": "one:5432"}),
        ("postgresql:///shop", {}),
    ],
)
def test_a_server_has_an_address_and_a_port_that_is_not_the_usual_one(url, server):
    assert target(url) == {"db.system.name": "postgresql", "db.namespace": "shop", **server}


def test_the_driver_knows_better_which_of_several_servers_it_is():
    driver = SimpleNamespace(host="two", port=5433, dbname="real")

    found = target("postgresql:///shop?host=one&host=two", driver)

    assert found == {
        "db.system.name": "postgresql",
        "db.namespace": "real",
        "server.address": "two",
        "server.port": 5433,
    }


@pytest.mark.parametrize(
    ("dialect", "system"),
    [
        ("mysql", "mysql"),
        ("mariadb", "mariadb"),
        ("mssql", "microsoft.sql_server"),
        ("oracle", "oracle.db"),
        ("odd", "other_sql"),
    ],
)
def test_systems_have_the_names_of_the_conventions(dialect, system):
    assert target("postgresql://db.example/shop", dialect=dialect)["db.system.name"] == system


def an_error(*arguments, **attributes):
    error = RuntimeError(*arguments)
    vars(error).update(attributes)
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (an_error(sqlstate="42P01"), "42P01"),
        (an_error(pgcode="23505"), "23505"),
        (an_error(sqlstate=None, pgcode=None), None),
        (an_error(1146, "Table 'a' doesn't exist"), "1146"),
        (an_error(sqlite_errorname="SQLITE_BUSY"), "SQLITE_BUSY"),
        (an_error("the password is 42"), None),
        (an_error(True), None),
        (sqlite3.OperationalError("no code before Python 3.11"), None),
        (KeyboardInterrupt(), None),
    ],
)
def test_an_error_has_the_code_of_its_database(error, code):
    assert status_code(error) == code


def test_the_attributes_of_an_operation_are_always_the_same_object():
    connection = SimpleNamespace(
        engine=SimpleNamespace(url=make_url("sqlite://")), dialect=SimpleNamespace(name="sqlite")
    )
    found = DatabaseTarget.of_connection(connection)

    assert found.metric_attributes("SELECT") is found.metric_attributes("SELECT")
    assert "db.operation.name" not in found.metric_attributes("")
