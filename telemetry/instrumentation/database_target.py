"""The database that queries go to, in the words of OpenTelemetry's semantic conventions; and what its errors are called there."""

from pathlib import PurePath
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, Connection, Engine

from telemetry import semconv
from telemetry.database.engines import PURPOSE

_SYSTEMS: Final = {
    "cockroachdb": "cockroachdb",
    "mariadb": "mariadb",
    "mssql": "microsoft.sql_server",
    "mysql": "mysql",
    "oracle": "oracle.db",
    "postgresql": "postgresql",
    "sqlite": "sqlite",
}
_OTHER_SYSTEM: Final = "other_sql"
_DEFAULT_PORTS: Final = {
    "cockroachdb": 26257,
    "mariadb": 3306,
    "microsoft.sql_server": 1433,
    "mysql": 3306,
    "oracle.db": 1521,
    "postgresql": 5432,
}
_MEMORY: Final = ":memory:"
_MAX_NAME_LENGTH: Final = 200
_STATUS_CODES: Final = ("sqlstate", "pgcode", "sqlite_errorname")
"""Where the exceptions of psycopg and asyncpg, psycopg2, and sqlite3 have their code."""


class DatabaseTarget:
    """System, name and server of the database of one connection. It keeps the attributes of the operations that were asked for."""

    def __init__(self, attributes: dict[str, str | int]) -> None:
        self.attributes = attributes
        self._by_operation: dict[str, dict[str, str | int]] = {}

    @classmethod
    def of_connection(cls, connection: Connection, cursor: object = None) -> Self:
        """Describe the database of a connection. Costs no query: PostgreSQL's driver knows which server accepted it."""
        url, system = connection.engine.url, _SYSTEMS.get(connection.dialect.name, _OTHER_SYSTEM)
        attributes: dict[str, str | int] = {semconv.DB_SYSTEM: system}
        if system == "sqlite":
            return cls({**attributes, semconv.DB_NAMESPACE: _file_name(url.database)})
        driver = getattr(getattr(cursor, "connection", None), "info", None)
        if name := getattr(driver, "dbname", None) or url.database:
            attributes[semconv.DB_NAMESPACE] = str(name)
        return cls({**attributes, **_server(system, url, driver)})

    def metric_attributes(self, operation: str) -> dict[str, str | int]:
        """The attributes of an operation ("" for an unknown one), always as the same object: do not change it."""
        if (found := self._by_operation.get(operation)) is None:
            named = {semconv.DB_OPERATION: operation} if operation else {}
            found = self._by_operation[operation] = {**self.attributes, **named}
        return found


def _file_name(database: str | None) -> str:
    """Without its directory, which is different on each machine, and may be somebody's name."""
    path = urlsplit(database).path if database and database.startswith("file:") else database
    return PurePath(path).name if path and path != _MEMORY else _MEMORY


def _server(system: str, url: URL, driver: Any) -> dict[str, str | int]:
    """The address and, unless it is the default one, the port. A socket of the file system is an address without a port."""
    host = _text(getattr(driver, "host", None)) or url.host or _text(url.query.get("host"))
    if not host:
        return {}
    port = getattr(driver, "port", None) or url.port
    if host.startswith("/") or not port or int(port) == _DEFAULT_PORTS.get(system):
        return {semconv.SERVER_ADDRESS: host}
    return {semconv.SERVER_ADDRESS: host, semconv.SERVER_PORT: int(port)}


def _text(value: object) -> str:
    """A host of a URL may be given several times: the first one."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, str) else ""


def status_code(error: BaseException) -> str | None:
    """The database's code of an error, such as `42P01` or `SQLITE_BUSY`; None if its driver has none."""
    for name in _STATUS_CODES:
        if isinstance(code := getattr(error, name, None), str) and code:
            return code
    number = error.args[0] if error.args else None  # MySQL's drivers
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else None


def pool_name(engine: Engine) -> str:
    """What the conventions call the pool of an engine: as `pool_logging_name` says, else by its server and database."""
    if given := getattr(engine.pool, "logging_name", None):
        return str(given)[:_MAX_NAME_LENGTH]
    purpose = engine.get_execution_options().get(PURPOSE)
    return (_database_name(engine) + (f" ({purpose})" if purpose else ""))[:_MAX_NAME_LENGTH]


def _database_name(engine: Engine) -> str:
    url, system = engine.url, _SYSTEMS.get(engine.dialect.name, _OTHER_SYSTEM)
    if system == "sqlite":
        return _file_name(url.database)
    host = _text(url.host) or _text(url.query.get("host"))
    port = url.port or _DEFAULT_PORTS.get(system)
    server = f"{host}:{port}" if host and port else host
    return "/".join(part for part in (server, url.database) if part) or system
