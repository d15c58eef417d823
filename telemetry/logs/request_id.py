"""Request: the id by which a request is found in the log lines that were written while it was answered."""

import re
from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str]] = ContextVar("request_id", default="")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}")


def accepted_id(said: str) -> str:
    """The id that a caller gives, if it is one word of at most 64 characters; empty otherwise."""
    return said if _WORD.fullmatch(said) else ""
