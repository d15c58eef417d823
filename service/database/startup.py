"""Start-up: what runs before the service is ready, and goes on trying until the database lets it."""

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
    """Migrates, then calls `then`, in a thread: a database that is away delays readiness, and nothing else.

    `then` may ask the database as well: when it raises, all of it is tried again.
    """

    def __init__(self, engine: Engine, then: Callable[[], None], retry: float = RETRY_SECONDS) -> None:
        self._engine = engine
        self._then = then
        self._retry = retry
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bring-up", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                migrations.migrate(self._engine)
                self._then()
            except Exception as error:  # noqa: BLE001  # the database may be away for any reason
                if (reason := safe_text(error)) != said:
                    said = reason
                    _log.warning("The database is not ready (%s); trying again every %.0f s.", reason, self._retry)
                    _log.debug("The whole of it:", exc_info=True)
                self._stop.wait(self._retry)
            else:
                return
