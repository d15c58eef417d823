"""Renews the leases of this process's active runs, so that no other run of the same job starts meanwhile."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from service.scheduler.claims import LEASE_SECONDS
from telemetry.error_text import safe_text

RENEW_INTERVAL: Final = LEASE_SECONDS / 3
_log = logging.getLogger(__name__)


class LeaseStore(Protocol):
    def renew(self, job_name: str, owner: str) -> bool: ...
    def release(self, job_name: str, owner: str) -> None: ...


class LeaseRenewer:
    """One thread renews all leases of this process. It starts with the first lease. `interval` is in seconds."""

    def __init__(self, store: LeaseStore, interval: float = RENEW_INTERVAL) -> None:
        self._store = store
        self._interval = interval
        self._job_names: dict[str, str] = {}  # by owner
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def renewing(self, job_name: str, owner: str) -> Generator[None]:
        """Renew a lease that the caller has claimed, as long as the block runs; then release it."""
        with self._lock:
            self._job_names[owner] = job_name
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="job-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            self._job_names.pop(owner, None)
            self._release(job_name, owner)

    def stop(self) -> None:
        self._stop.set()

    def _release(self, job_name: str, owner: str) -> None:
        """While the database is unavailable the lease is left to expire."""
        try:
            self._store.release(job_name, owner)
        except SQLAlchemyError as error:
            _log.warning("Could not release the lease of %s; it will expire (%s).", job_name, safe_text(error))

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            for owner, job_name in list(self._job_names.items()):
                self._renew(job_name, owner)

    def _renew(self, job_name: str, owner: str) -> None:
        try:
            renewed = self._store.renew(job_name, owner)
        except SQLAlchemyError as error:
            _log.warning("The lease of %s cannot be extended now (%s).", job_name, safe_text(error))
            return
        if not renewed and owner in self._job_names:
            _log.warning("The lease of %s expired during its run; another run may have started.", job_name)
