"""Starts the telemetry of a process when the process imports the first library that can be observed."""

import logging
import os
import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, Final

from wrapt import register_post_import_hook

_LIBRARIES: Final = ("fastapi", "starlette", "sqlalchemy", "httpx", "httpx2")
_OWN: Final = tuple(f"telemetry.{name}" for name in ("alerts", "database", "health", "http_client", "jobs", "logs"))
_NEEDED: Final = (*_LIBRARIES, "opentelemetry", "telemetry")
_FASTAPI: Final = "fastapi"
_REPLACED: Final = frozenset(
    {_FASTAPI, "logging"}
)  # the telemetry instruments applications, and has a handler of its own
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_log = logging.getLogger(__name__)


class _Pending:
    """Whether the start was begun, and the instrumentors that wait for it."""

    has_begun = False
    instrumentors: Final[list[tuple[EntryPoint, dict[str, Any]]]] = []


def start_at_import() -> None:
    """Start the telemetry when the first of the libraries is imported. Idempotent."""
    for name in (*_LIBRARIES, *_OWN):
        _watch(name)


def add_instrumentor(entry_point: EntryPoint, options: dict[str, Any]) -> None:
    """Instrument a library when the telemetry starts; an instrumentor has the name of its library."""
    if entry_point.name not in _REPLACED:
        _Pending.instrumentors.append((entry_point, options))
        _watch(entry_point.name)


def _watch(library: str) -> None:
    register_post_import_hook(_start, library)


def _start(imported: ModuleType) -> None:
    """Start once, and not amid the import of a module that the start needs: the end of that import is soon enough.

    An application runs also with settings that are wrong: one line says that it is unobserved.
    """
    if _Pending.has_begun or _is_importing(besides=imported):
        return
    _Pending.has_begun = True
    try:
        from telemetry import setup  # noqa: PLC0415  # takes a second
        from telemetry.settings import SettingsError  # noqa: PLC0415  # the same

        try:
            setup.start()
        except SettingsError as error:
            _complain(" ".join(str(error).splitlines()))
            return
        _instrument_libraries()
    except Exception as error:  # noqa: BLE001  # whatever fails here must not keep the application from running
        from telemetry.redaction import redact_start_error  # noqa: PLC0415  # as above

        _complain(redact_start_error(f"{type(error).__name__}: {error}"))


def _is_importing(*, besides: ModuleType) -> bool:
    """Whether a module that the telemetry needs is only half imported, besides this one, whose import ends just now."""
    needed = [module for name, module in list(sys.modules.items()) if name.partition(".")[0] in _NEEDED]
    specs = [getattr(module, "__spec__", None) for module in needed if module is not besides]
    return any(getattr(spec, "_initializing", False) for spec in specs)


def _instrument_libraries() -> None:
    from telemetry.distribution.applications import instrument_new_applications  # noqa: PLC0415  # as above

    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    if not disabled & {_FASTAPI, "*"}:
        instrument_new_applications()
    for entry_point, options in _Pending.instrumentors:
        _instrument(entry_point, options)


def _instrument(entry_point: EntryPoint, options: dict[str, Any]) -> None:
    """Instrument a library, unless the telemetry does so itself. One that fails does not keep the others from it."""
    try:
        instrumentor = entry_point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(**options)
    except ModuleNotFoundError:  # an instrumentor without its library
        _log.debug("No library for the instrumentor %s.", entry_point.name)
    except Exception:  # noqa: BLE001  # an instrumentor of another package may fail in any way
        _log.warning("The instrumentor %s failed.", entry_point.name, exc_info=True)


def _complain(why: str) -> None:
    _log.error("The telemetry did not start; this process is not observed. %s", why)
