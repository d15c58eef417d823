"""Errors that the API shows to its clients."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar, Final

RETRY_AFTER: Final[Mapping[str, str]] = {"retry-after": "5"}
"""The header of a 503: when to try again, in seconds."""


class Problem(Exception):  # the term of RFC 9457
    """An error whose message the client of the API reads, with the status and the headers of the response."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[Mapping[str, str]] = {}
