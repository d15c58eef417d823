"""LeaseRenewer: a run says again and again that it goes on, as long as its process lives, so that no other run begins meanwhile."""

import logging
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from service.scheduler.claims import LEASE_SECONDS
from telemetry.error_text import safe_text

RENEW_EVERY: Final = LEASE_SECONDS / 3
_log = logging.getLogger(__name__)


class LeaseStore(Protocol):
    def extend(self, job_name: str, holder: str) -> bool: ...
    def release(self, job_name: str, holder: str) -> None: ...


class LeaseRenewer:
    """The runs of this process. One thread extends them all, from the first one on."""

    def __init__(self, claims: LeaseStore, every: float = RENEW_EVERY) -> None:
        self._claims = claims
        self._every = every
        self._held: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def held(self, job_name: str, holder: str) -> Generator[None]:
        """The run of a lease that is had already; it is given back at the end."""
        with self._lock:
            self._held[holder] = job_name
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="job-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            self._held.pop(holder, None)
            self._release(job_name, holder)

    def stop(self) -> None:
        self._stop.set()

    def _release(self, job_name: str, holder: str) -> None:
        """A database that is away lets the lease end by itself."""
        try:
            self._claims.release(job_name, holder)
        except SQLAlchemyError as error:
            _log.warning("The lease of %s is left to end by itself (%s).", job_name, safe_text(error))

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            for holder, job_name in list(self._held.items()):
                self._extend(job_name, holder)

    def _extend(self, job_name: str, holder: str) -> None:
        try:
            kept = self._claims.extend(job_name, holder)
        except SQLAlchemyError as error:
            _log.warning("The lease of %s cannot be extended now (%s).", job_name, safe_text(error))
            return
        if not kept and holder in self._held:
            _log.warning("The lease of %s was over while it ran; another run may have begun.", job_name)
