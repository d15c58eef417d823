"""Migrates the database when the service starts, and retries until the database is available."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy.engine import Engine

from service.database import migrations
from telemetry.error_text import safe_text

RETRY_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class MigrateOnStart:
    """Migrates, then calls `on_migrated`, in a thread: an unavailable database delays readiness and nothing else.

    `on_migrated` may use the database: if it raises, everything is retried after `retry_seconds`.
    """

    def __init__(self, engine: Engine, on_migrated: Callable[[], None], retry_seconds: float = RETRY_SECONDS) -> None:
        self._engine = engine
        self._on_migrated = on_migrated
        self._retry_seconds = retry_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bring-up", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        logged = ""
        while not self._stop.is_set():
            try:
                migrations.migrate(self._engine)
                self._on_migrated()
            except Exception as error:  # noqa: BLE001  # the database may be unavailable for any reason
                if (reason := safe_text(error)) != logged:
                    logged = reason
                    _log.warning(
                        "The database is not ready (%s); trying again every %.0f s.", reason, self._retry_seconds
                    )
                    _log.debug("Details:", exc_info=True)
                self._stop.wait(self._retry_seconds)
            else:
                return
