"""The length of a response's body: what its messages have of it, and what its headers declare."""

from typing import Any, Final

from telemetry.failsafe import warn_once
from telemetry.instrumentation.fastapi.published import Message

CONTENT_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"


def body_length(message: Message) -> int:
    """How many bytes of the body a message has; 0 if that cannot be told: the server looks at it, too."""
    try:
        return len(message.get("body", b""))
    except Exception:  # noqa: BLE001  # an edge, as `failsafe`
        warn_once("body_length")
        return 0


def fits(headers: Any, length: int, kind: str) -> bool:
    """Whether a body has the length that its headers declare: with another one, a server ends the connection.

    The first declared length counts, in any form. A body in chunks has none, and of a file the server alone knows it.
    """
    if kind != "http.response.body" or not isinstance(headers, list | tuple):
        return True
    declared = None
    for name, value in headers:
        lower = bytes(name).lower()
        if lower == CONTENT_LENGTH and declared is None:
            declared = int(value)
        elif lower == _ENCODING and bytes(value).lower() == b"chunked":
            return True
    return declared is None or declared == length
