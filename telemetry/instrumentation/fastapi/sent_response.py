"""What a server writes of a response: whether its client is still there, and whether its length is the one that was declared."""

from typing import Any, Final

from telemetry.failsafe import warn_once
from telemetry.instrumentation.fastapi.published import Message, Send

_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"


def connection_of(send: Send) -> Any:
    """The object of the server that writes the response, if it says whether the client has left (`disconnected`); else None.

    uvicorn has one for each request. Elsewhere the messages that an application receives say it, if it asks for them.
    """
    connection = getattr(send, "__self__", None)
    return connection if connection is not None and hasattr(connection, "disconnected") else None


def body_length(message: Message) -> int:
    """How many bytes of the body a message has; 0 if that cannot be told: the server looks at it, too."""
    try:
        return len(message.get("body", b""))
    except Exception:  # noqa: BLE001  # an edge, as `failsafe`
        warn_once("body_length")
        return 0


def is_complete(headers: Any, sent_bytes: int, last: Message) -> bool:
    """Whether a body is of the length that its headers declare: with another one, a server ends the connection.

    Args:
        headers: those of the response, as they were given to the server.
        sent_bytes: of the body, before its last message.
        last: the message that ends the body. If it names a file, the server knows its length alone.
    """
    try:
        length = b"%d" % (sent_bytes + len(last.get("body", b"")))
        return (type(headers) is list and (_LENGTH, length) in headers) or _fits(headers, int(length), last["type"])
    except Exception:  # noqa: BLE001  # likewise
        warn_once("is_complete")
        return True


def _fits(headers: Any, length: int, kind: str) -> bool:
    """Whether the first declared length is this one in another form, or none is declared, or the body has chunks."""
    if kind != "http.response.body" or not isinstance(headers, list | tuple):
        return True
    declared = None
    for name, value in headers:
        lower = bytes(name).lower()
        if lower == _LENGTH and declared is None:
            declared = int(value)
        elif lower == _ENCODING and bytes(value).lower() == b"chunked":
            return True
    return declared is None or declared == length
