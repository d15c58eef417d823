"""Reads a request to the Bot API: parameters as query, JSON, form or multipart. All values become strings."""

import json
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import HeaderParser
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.sandbox.telegram.errors import ApiError, bad_request

MAX_BODY_BYTES: Final = 50 * 1024 * 1024  # of a whole request, with its document
_MAX_PARTS: Final = 100
_UNSUPPORTED: Final = ("entities", "caption_entities")


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """`size` in bytes; the content is not kept."""

    name: str
    mime_type: str
    size: int


@dataclass(frozen=True, slots=True)
class BotApiRequest:
    """The parameters and files of a request."""

    values: Mapping[str, str]
    files: Mapping[str, UploadedFile] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def integer(self, name: str) -> int | None:
        """None if the parameter is missing or no integer."""
        return parse_int(self.text(name))


def parse_int(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


async def read_request(request: Request) -> BotApiRequest:
    """Raises:
    ApiError: the request cannot be parsed, is too large, or uses what the sandbox does not support.
    """
    body = await _read_body(request.stream())
    headers = _headers(f"content-type: {request.headers.get('content-type', '')}")
    values: dict[str, str] = dict(request.query_params)
    files: dict[str, UploadedFile] = {}
    match headers.get_content_type():
        case "application/json":
            values |= _json(body)
        case "application/x-www-form-urlencoded":
            values |= parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        case "multipart/form-data":
            _read_parts(body, str(headers.get_param("boundary", "")), values, files)
    _require_unicode(values)
    _reject_unsupported(values)
    return BotApiRequest(values, files)


async def _read_body(stream: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for chunk in stream:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, "Request Entity Too Large")
    return bytes(body)


def _json(body: bytes) -> dict[str, str]:
    try:
        parameters: Any = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise bad_request("can't parse JSON object")
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in parameters.items()
        if value is not None
    }


def _read_parts(body: bytes, boundary: str, values: dict[str, str], files: dict[str, UploadedFile]) -> None:
    """The headers of a part have the format of a mail; its content is not decoded."""
    parts = body.split(b"--" + boundary.encode())[1:-1] if boundary else []
    for part in parts[:_MAX_PARTS]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head.decode(errors="replace"))
        name = str(headers.get_param("name", "", header="content-disposition"))
        content = content.removesuffix(b"\r\n")
        if (filename := headers.get_filename()) is not None:
            files[name] = UploadedFile(filename, headers.get_content_type(), len(content))
        else:
            values[name] = content.decode(errors="replace")


def _headers(text: str) -> Message:
    return HeaderParser().parsestr(text)


def _require_unicode(values: Mapping[str, str]) -> None:
    """JSON can contain half of a surrogate pair, which is no character."""
    try:
        for value in values.values():
            value.encode()
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None


def _reject_unsupported(values: Mapping[str, str]) -> None:
    """The real Bot API accepts entities instead of markup; the service never sends them."""
    for name in _UNSUPPORTED:
        if values.get(name):
            raise bad_request(f"the sandbox does not support {name}: send HTML or plain text")
