"""The response of an external API, whose body is read as JSON."""

import json
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

import ijson

from service.integrations.http.errors import Unreadable

CHUNK_BYTES: Final = 2**16
_MAX_TEXT_BYTES: Final = 100_000
_NO_CONTENT: Final = 204


class ApiResponse:
    """A response. Its body is in a temporary file, which is on disk when it is large.

    `on_unreadable` is called once if the status says that all is well, and the body is not as it should be.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: IO[bytes],
        on_unreadable: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._on_unreadable: Callable[[], None] | None = None
        if is_success(status) and status != _NO_CONTENT:
            self._on_unreadable = on_unreadable
        weakref.finalize(self, body.close)

    def text(self) -> str:
        """The beginning of the body, at most 100,000 bytes."""
        self._body.seek(0)
        return self._body.read(_MAX_TEXT_BYTES).decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body.

        Raises:
            Unreadable: the body is not JSON.
        """
        self._body.seek(0)
        try:
            return json.load(self._body)
        except (ValueError, RecursionError):
            raise self._unreadable("The response is not JSON.") from None

    def object(self) -> dict[str, Any]:
        """Parse the body as a JSON object.

        Raises:
            Unreadable: the body is not a JSON object.
        """
        if not isinstance(body := self.json(), dict):
            raise self._unreadable("The response is JSON, but no object.")
        return body

    def rows(self) -> Iterator[Any]:
        """Stream the elements of a JSON array of any length. A number with a decimal point is a Decimal.

        Raises:
            Unreadable: the body is not an array or was cut, after the elements before that were yielded.
        """
        self._body.seek(0)
        if self._body.read(CHUNK_BYTES).lstrip()[:1] != b"[":
            raise self._unreadable("The response is no JSON array.")
        self._body.seek(0)
        try:
            yield from ijson.items(self._body, "item")
        except (ijson.JSONError, UnicodeDecodeError):
            raise self._unreadable("The response is not a whole JSON array.") from None

    def _unreadable(self, sentence: str) -> Unreadable:
        if self._on_unreadable is not None:
            self._on_unreadable()
            self._on_unreadable = None
        return Unreadable(sentence)


def is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004  # the 2xx
