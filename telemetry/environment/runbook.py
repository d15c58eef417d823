"""The runbook that `RUNBOOK_URL` names: the sections that the telemetry's own alerts belong to, and the link to a section."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlsplit


class RunbookSection(StrEnum):
    """For each kind of alert the anchor of its section: the heading in lower case, with hyphens."""

    ANY_ERROR = "message-an-error-of-a-library"
    DATABASE_DOWN = "message-the-database-does-not-answer"
    DATABASE_READ_ONLY = "message-the-database-cannot-be-written"
    DISK_INODES = "message-disk-inodes"
    DISK_SPACE = "message-disk-space"
    EXPORT_FAILED = "message-failed-to-export"
    JOB_FAILED = "message-job-failed"
    JOB_RUNS_NOT_KEPT = "message-job-runs-cant-be-kept-on-the-disk"
    MANY_ALERTS = "message-many-alerts-in-one"
    MEMORY = "message-memory"
    OUTBOX_DAMAGED = "message-the-outbox-of-alerts-is-damaged"
    OUTBOX_FULL = "message-more-than-1000-different-alerts-wait"
    PROGRAM_ENDS = "message-the-program-ends"
    REQUEST_CRASHED = "message-a-request-crashed"
    RUNS_LOST = "message-runs-marked-as-lost"
    SERVICE_KILLED = "message-the-service-was-killed"
    TELEGRAM_STRANGER = "message-a-person-who-may-not-use-the-telegram-bot"
    THREAD_ENDED = "message-a-thread-ended"
    UNRAISABLE = "message-exception-ignored"
    WORKERS_KILLED = "message-workers-of-this-service-are-killed-repeatedly"


MAX_LENGTH: Final = 300
"""Characters of the address, so that a message has room for it."""
_OF_LOGGERS: Final = {"opentelemetry.exporter.": RunbookSection.EXPORT_FAILED}
"""The sections of libraries, which name none themselves: by the beginnings of their loggers' names."""


def section_of_logger(name: str) -> str:
    """The section for the errors of a library; empty if they have none of their own."""
    return next((section for beginning, section in _OF_LOGGERS.items() if name.startswith(beginning)), "")


def checked_url(text: str) -> str:
    """The address of a runbook. It gets a fragment, so it has none yet.

    Raises:
        ValueError: it is no such address, or has credentials in it.
    """
    url = urlsplit(text)
    _ = url.port  # raises
    is_address = url.scheme in {"http", "https"} and url.hostname and "@" not in url.netloc
    if not is_address or "#" in text or " " in text or not text.isprintable() or len(text) > MAX_LENGTH:
        raise ValueError("not a URL")
    return text


@dataclass(frozen=True, slots=True)
class Runbook:
    """`address` is the URL or the path of the page; empty if there is none."""

    address: str = ""

    @property
    def is_url(self) -> bool:
        return self.address.startswith(("http://", "https://"))

    def link(self, section: str) -> str:
        """The address of a section, or of the one for any error; empty without a runbook."""
        return f"{self.address}#{quote(section or RunbookSection.ANY_ERROR, errors='replace')}" if self.address else ""


NO_RUNBOOK: Final = Runbook()
