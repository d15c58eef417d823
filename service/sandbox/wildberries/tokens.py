"""Parses and checks the token of a call to Wildberries."""

import base64
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from service.sandbox.credentials import TEST, WB_CLIENT_SECRET, WB_TOKEN_ID, wb_token

_SIGNATURE: Final = wb_token().rpartition(".")[2]
_PARTS: Final = 3


class InvalidToken(Exception):
    """The message is the `detail` of the response."""


class _Malformed(InvalidToken):
    def __init__(self, reason: str) -> None:
        super().__init__(f"token problem; token is malformed: {reason}")


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    Attributes:
        kind: the claim `acc`, which decides about the limits.
        scopes: the claim `s`; bit n is category n.
        expires: Unix seconds.
        has_secret: the call has the client secret of the token as well.
    """

    id: str
    kind: int
    scopes: int
    expires: int
    test: bool
    has_secret: bool = False

    @classmethod
    def parse(cls, header: str | None, secret: str | None = None) -> "Token":
        """Parse a header `Authorization`, the token alone or after `Bearer`, and a header `X-Client-Secret`.

        Raises:
            InvalidToken: there is no valid token.
        """
        if not header:
            raise InvalidToken("empty Authorization header")
        parts = header.removeprefix("Bearer ").split(".")
        if len(parts) != _PARTS:
            raise _Malformed("token contains an invalid number of segments")
        _decode_object(parts[0], "header")
        claims = _decode_object(parts[1], "claims")
        if parts[2] != _SIGNATURE:
            raise InvalidToken("token problem; token signature is invalid")
        if secret not in (None, WB_CLIENT_SECRET):
            raise InvalidToken("client secret is invalid")
        return replace(cls._from_claims(claims), has_secret=secret is not None)

    @classmethod
    def _from_claims(cls, claims: dict[str, Any]) -> "Token":
        kind, scopes, expires = (_integer(claims, name) for name in ("acc", "s", "exp"))
        return cls(str(claims.get("id")), kind, scopes, expires, test=kind == TEST or claims.get("t") is True)

    def check(self, category: int, now: datetime) -> None:
        """Raises:
        InvalidToken: the token is withdrawn, expired, or not for this category.
        """
        if self.id != WB_TOKEN_ID:
            raise InvalidToken("access token token withdrawn")  # the real service repeats the word as well
        if now.timestamp() >= self.expires:
            raise InvalidToken("token expired")
        if self.test or not self.scopes >> category & 1:
            raise InvalidToken("token scope not allowed")


def _decode_object(part: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode((part + "=" * (-len(part) % 4)).encode("ascii"), b"-_", validate=True))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _Malformed(f"could not JSON decode {name}")
    return value


def _integer(claims: dict[str, Any], name: str) -> int:
    number = claims.get(name)
    if not isinstance(number, int):
        raise _Malformed("could not JSON decode claims")
    return number
