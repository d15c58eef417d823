"""One HTTP request whose response is read into memory, within bounds of time and size."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import httpx

_PLAIN_ENCODINGS: Final = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class BoundedResponse:
    """A response. `body` is None if it did not arrive whole within the bounds, or is compressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None

    def json_object(self) -> Mapping[str, Any] | None:
        """The JSON object of the body; None if the body is anything else."""
        try:
            found = json.loads(self.body or b"")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, Mapping) else None


def exchange(client: httpx.Client, request: httpx.Request, max_bytes: int) -> BoundedResponse:
    """Send a request once. Redirects are not followed.

    A compressed body is not read, since a megabyte of it may be a gigabyte: ask for none (`Accept-Encoding: identity`).

    Raises:
        httpx.HTTPError: no status arrived.
    """
    with closing(client.send(request, stream=True, follow_redirects=False)) as response:
        return BoundedResponse(response.status_code, response.headers, _body(response, max_bytes))


def _body(response: httpx.Response, max_bytes: int) -> bytes | None:
    if response.headers.get("content-encoding", "").strip().lower() not in _PLAIN_ENCODINGS:
        return None
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > max_bytes:
                return None
    except httpx.HTTPError:
        return None
    return bytes(body)
