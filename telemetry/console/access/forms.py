"""Reads the form of a request. A form that cannot be read is not an empty one: a change would be another than was asked for."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from telemetry.json_safe import without_surrogates

MAX_BYTES: Final = 64 * 1024
"""A text of 5,000 characters takes 60,000 bytes in a form, if each of them is outside of ASCII."""
_MAX_FIELDS: Final = 50
_TYPE: Final = "application/x-www-form-urlencoded"
_TOO_LARGE: Final = f"The form is over {MAX_BYTES // 1024} KiB. Go back, and shorten what is in it."
_OTHER_TYPE: Final = f"The body is no form: its type must be {_TYPE}."
_TOO_MANY: Final = f"The form has more than {_MAX_FIELDS} fields."


class UnreadableForm(Exception):
    """413 or 415. The message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; empty for a request without a body.

    Raises:
        UnreadableForm: it is too large, or the body is no form.
        ClientDisconnect: the client left before its end.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise UnreadableForm(413, _TOO_LARGE)
    if body and not request.headers.get("content-type", "").lower().startswith(_TYPE):
        raise UnreadableForm(415, _OTHER_TYPE)
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise UnreadableForm(413, _TOO_MANY) from None
    return {name: without_surrogates(value) for name, value in fields}
