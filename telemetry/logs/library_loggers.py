"""Routes the log records of uvicorn, Alembic and HTTP clients to the root logger's handlers."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from telemetry.logs.reported_errors import ReportedErrorFilter

try:
    from uvicorn.config import LOGGING_CONFIG
except ImportError:  # the telemetry also runs under other servers
    LOGGING_CONFIG: dict[str, Any] = {"loggers": {}}  # type: ignore[no-redef]

_SERVER_ERRORS: Final = "uvicorn.error"
_REROUTED: Final = ("uvicorn", _SERVER_ERRORS, "uvicorn.access", "uvicorn.asgi")
# At INFO they log every URL that they call, and Telegram's contain the bot's token.
_VERBOSE: Final = ("httpx", "httpx2", "httpcore", "httpcore2")


def reroute_libraries(*, debug: bool, rerouted: Iterable[str] = (), verbose: Iterable[str] = ()) -> None:
    """Remove the libraries' own handlers, and let their records propagate to the root logger.

    Args:
        debug: whether verbose libraries log everything.
        rerouted: more libraries that bring handlers of their own.
        verbose: more libraries that log at WARNING and above only, like HTTP clients.
    """
    for name in (*_REROUTED, *rerouted):
        _reroute(logging.getLogger(name))
    for name in (*_VERBOSE, *verbose):
        logging.getLogger(name).setLevel(logging.NOTSET if debug else logging.WARNING)
    _change_uvicorn_defaults()
    _add_filter_once(logging.getLogger(_SERVER_ERRORS), ReportedErrorFilter())


def _reroute(logger: logging.Logger) -> None:
    if not logger.propagate and not logger.handlers:
        return  # disabled on purpose: uvicorn does this for `--no-access-log`
    logger.handlers = []
    logger.propagate = True


def _change_uvicorn_defaults() -> None:
    """Let a server that is configured after us, by uvicorn's defaults, keep this routing."""
    for logger in LOGGING_CONFIG["loggers"].values():
        logger.update(handlers=[], propagate=True)


def _add_filter_once(logger: logging.Logger, added: logging.Filter) -> None:
    if not any(isinstance(present, type(added)) for present in logger.filters):
        logger.addFilter(added)
