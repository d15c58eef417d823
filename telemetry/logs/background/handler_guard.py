"""Keeps our handler on the root logger. Whoever configures logging anew removes it, closes it, or disables loggers."""

import logging
from dataclasses import dataclass, field
from typing import Final

from telemetry.logs.background.queued_handler import QueuedHandler

_OURS: Final = "telemetry."
_log: Final = logging.getLogger(__name__)


@dataclass
class _Guarded:
    """`disabled` are the loggers that the application has disabled on purpose."""

    handler: QueuedHandler | None = None
    disabled: set[str] = field(default_factory=set)
    has_said: bool = False


_guarded: Final = _Guarded()


def installed() -> QueuedHandler | None:
    """Our handler, if it is on the root logger."""
    return next((each for each in logging.getLogger().handlers if isinstance(each, QueuedHandler)), None)


def guard(handler: QueuedHandler) -> None:
    """Restore this handler from now on."""
    _guarded.handler, _guarded.disabled = handler, _disabled_loggers()


def release() -> None:
    """The process may end at any moment: restore nothing any more."""
    _guarded.handler = None


def restore() -> None:
    """Put the handler back, and enable the loggers that were disabled with its removal. Says so once.

    `logging.config` disables all loggers that there are, ours among them. A logger that is disabled alone stays so.
    """
    handler, root = _guarded.handler, logging.getLogger()
    if handler is None:
        return
    is_removed = handler not in root.handlers
    fresh = _disabled_loggers() - _guarded.disabled
    is_reconfigured = is_removed or handler.is_closed or any(name.startswith(_OURS) for name in fresh)
    if not is_reconfigured:
        _guarded.disabled |= fresh
        return
    for name in fresh:
        logging.getLogger(name).disabled = False
    if is_removed:
        root.handlers = [handler, *root.handlers]
    handler.reopen()
    if not _guarded.has_said:
        _guarded.has_said = True
        _log.warning(
            "Logging was configured anew after the start of the telemetry, without its handler: log files, alerts and error "
            "counts would have ended. The handler is back; to configure logging, do so before telemetry.start()."
        )


def _disabled_loggers() -> set[str]:
    known = list(logging.Logger.manager.loggerDict.items())
    return {name for name, logger in known if isinstance(logger, logging.Logger) and logger.disabled}
