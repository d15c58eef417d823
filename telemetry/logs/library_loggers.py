"""Libraries: what they log goes the same way as what we log."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from telemetry.logs.filters import OnceFilter

try:
    from uvicorn.config import LOGGING_CONFIG
except ImportError:  # the telemetry serves under other servers too
    LOGGING_CONFIG: dict[str, Any] = {"loggers": {}}  # type: ignore[no-redef]

_SERVER_ERRORS: Final = "uvicorn.error"
_REROUTED: Final = ("uvicorn", _SERVER_ERRORS, "uvicorn.access", "uvicorn.asgi")
# At INFO they log every URL that is called, and Telegram's have the bot's token in them.
_VERBOSE: Final = ("httpx", "httpx2", "httpcore", "httpcore2")


def reroute_libraries(*, debug: bool, rerouted: Iterable[str] = (), verbose: Iterable[str] = ()) -> None:
    """Take the libraries' own handlers off, and let their records through to the root's.

    Args:
        debug: whether verbose libraries are heard, too.
        rerouted: more libraries that bring handlers of their own.
        verbose: more libraries that are heard only from WARNING on.
    """
    for name in (*_REROUTED, *rerouted):
        _reroute(logging.getLogger(name))
    for name in (*_VERBOSE, *verbose):
        logging.getLogger(name).setLevel(logging.NOTSET if debug else logging.WARNING)
    _keep_rerouted()
    _count_once(logging.getLogger(_SERVER_ERRORS))


def _reroute(logger: logging.Logger) -> None:
    if not logger.propagate and not logger.handlers:
        return  # silenced on purpose: so uvicorn does with `--no-access-log`
    logger.handlers = []
    logger.propagate = True


def _keep_rerouted() -> None:
    """A server that is configured after us, with uvicorn's defaults, is configured like this as well."""
    for logger in LOGGING_CONFIG["loggers"].values():
        logger.update(handlers=[], propagate=True)


def _count_once(logger: logging.Logger) -> None:
    _add_once(logger, OnceFilter())


def _add_once(logger: logging.Logger, wanted: logging.Filter) -> None:
    if not any(isinstance(known, type(wanted)) for known in logger.filters):
        logger.addFilter(wanted)
