"""The id of the current request, which appears in its log lines."""

import re
from contextvars import ContextVar
from typing import Final

from telemetry.redaction.policy import redact_value

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
_VALID_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")


def accepted_id(given: str) -> str:
    """The id that a client sent, if it is one word of at most 64 characters without a secret in it; otherwise empty."""
    return given if _VALID_ID.fullmatch(given) and redact_value(given) is given else ""
