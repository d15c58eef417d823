"""Keeps the failures of a sync's sources apart: one that cannot be read does not keep the others from being read."""

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.integrations.http.errors import CallError, RateLimited
from service.sync.ingestion import SyncReport
from telemetry.error_text import safe_text

_log = logging.getLogger(__name__)


class SourceFailures:
    """What kept the sources of one sync from being read to their end. A rate limit is no failure, but a pause."""

    def __init__(self, component: str, report: SyncReport) -> None:
        self._component = component
        self._report = report
        self._failed: dict[str, Exception] = {}
        self._paused: dict[str, RateLimited] = {}

    def __bool__(self) -> bool:
        """Whether a source was not read to its end, by a failure or by a pause."""
        return bool(self._failed or self._paused)

    @contextmanager
    def apart(self, source: str) -> Iterator[None]:
        """Read one source in this context. Its error is kept for the end of the sync, and the next source is read.

        A source of which too many rows could not be stored has failed, too. Odd rows are stored.

        Raises:
            SQLAlchemyError: the database fails, which every source needs.
        """
        self._report.begin_source()
        try:
            yield
        except RateLimited as error:
            self._paused[source] = error
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001  # also a bug in the reading of one source: `conclude` raises it
            self._failed[source] = _named(error, source)
        if source not in self._failed and (too_many := self._report.source.invalid_share()):
            self._failed[source] = _named(too_many, source)

    @property
    def only_waited(self) -> bool:
        """Whether no source could be asked for its rows, because all of them have to pause."""
        return bool(self._paused) and not self._failed and not self._report.pages

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why sources failed, each after the source's name. The text of an unexpected error may contain a row, and is left out."""
        return {source: f"{source}: {_safe_reason(error)}" for source, error in self._failed.items()}

    def conclude(self, progress: MutableMapping[str, Any]) -> None:
        """Add to the progress what failed and why (`failed`), and until when the latest pause lasts (`paused_until`).

        Raises:
            Exception: the one failure, or a group of all of them.
        """
        if self._paused:
            pause = max(self._paused.values(), key=lambda error: error.until)
            _log.warning("%s", pause, extra={"component": self._component})
            progress["paused_until"] = pause.until.isoformat()
        if self._failed:
            progress["failed"] = {source: _reason(error) for source, error in self._failed.items()}
            errors = list(self._failed.values())
            raise errors[0] if len(errors) == 1 else ExceptionGroup("several sources could not be read", errors)


def _named(error: Exception, source: str) -> Exception:
    """The error itself, which says from now on what was read."""
    if isinstance(error, CallError):
        error.source = source
    else:
        error.add_note(f"while {source} was read")
    return error


def _safe_reason(error: Exception) -> str:
    return error.sentence if isinstance(error, CallError) else safe_text(error)


def _reason(error: Exception) -> str:
    return error.sentence if isinstance(error, CallError) else f"{type(error).__name__}: {error}"
