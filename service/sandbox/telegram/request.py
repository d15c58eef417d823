"""What a call to the Bot API gives: by query, JSON, form or multipart, and every value a string, as the real one takes them."""

import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.sandbox.telegram.errors import Refused, bad_request

LARGEST: Final = 50 * 1024 * 1024  # bytes of a document, and of all that comes with it
_MOST_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class File:
    name: str
    mime_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Given:
    values: Mapping[str, str]
    files: Mapping[str, File] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def number(self, name: str) -> int | None:
        """None for what is not given, and for what is no number."""
        return number(self.text(name))


def number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


async def read(request: Request) -> Given:
    """Raises:
    Refused: it can't be read, or there is too much of it.
    """
    body = await _bounded(request.stream())
    head = _headers(f"content-type: {request.headers.get('content-type', '')}")
    values: dict[str, str] = dict(request.query_params)
    files: dict[str, File] = {}
    match head.get_content_type():
        case "application/json":
            values |= _json(body)
        case "application/x-www-form-urlencoded":
            values |= parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        case "multipart/form-data":
            _read_parts(body, str(head.get_param("boundary", "")), values, files)
    _must_be_unicode(values)
    return Given(values, files)


async def _bounded(stream: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > LARGEST:
            raise Refused(413, "Request Entity Too Large")
    return bytes(body)


def _json(body: bytes) -> dict[str, str]:
    try:
        given: Any = json.loads(body or b"{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise bad_request("can't parse JSON object")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given.items()
        if value is not None
    }


def _read_parts(body: bytes, boundary: str, values: dict[str, str], files: dict[str, File]) -> None:
    """The head of a part is a mail's; what follows it is as it was sent."""
    parts = body.split(b"--" + boundary.encode())[1:-1] if boundary else []
    for part in parts[:_MOST_PARTS]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head.decode(errors="replace"))
        name = str(headers.get_param("name", "", header="content-disposition"))
        content = content.removesuffix(b"\r\n")
        if (filename := headers.get_filename()) is not None:
            files[name] = File(filename, headers.get_content_type(), len(content))
        else:
            values[name] = content.decode(errors="replace")


def _headers(text: str) -> Message:
    return HeaderParser().parsestr(text)


def _must_be_unicode(values: Mapping[str, str]) -> None:
    """Half of a surrogate pair, which JSON can write, is no character."""
    try:
        for value in values.values():
            value.encode()
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None
