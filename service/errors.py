"""Errors whose sentence is for whoever asked."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar


class Problem(Exception):  # it is the word of RFC 9457
    """An error whose message is for whoever asked."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: ClassVar[Mapping[str, str]] = {}
