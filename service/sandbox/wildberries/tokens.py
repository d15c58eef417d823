"""Tokens of Wildberries: reads the one of a call, and says what is wrong with it."""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from service.sandbox.credentials import TEST, WB_TOKEN_ID, wb_token

_SIGNATURE: Final = wb_token().rpartition(".")[2]
_PARTS: Final = 3


class TokenRefused(Exception):
    """The message is the detail of the answer."""


class _Malformed(TokenRefused):
    def __init__(self, how: str) -> None:
        super().__init__(f"token problem; token is malformed: {how}")


@dataclass(frozen=True, slots=True)
class Token:
    """Attributes:
    kind: whose limits hold, the claim `acc`.
    scopes: bit n for category n, the claim `s`.
    """

    id: str
    kind: int
    scopes: int
    expires: int
    test: bool

    @classmethod
    def read(cls, header: str | None) -> "Token":
        """A header `Authorization`: the token alone, or after `Bearer`.

        Raises:
            TokenRefused: it holds no token.
        """
        if not header:
            raise TokenRefused("empty Authorization header")
        parts = header.removeprefix("Bearer ").split(".")
        if len(parts) != _PARTS:
            raise _Malformed("token contains an invalid number of segments")
        _object(parts[0], "header")
        claims = _object(parts[1], "claims")
        if parts[2] != _SIGNATURE:
            raise TokenRefused("token problem; token signature is invalid")
        return cls._from(claims)

    @classmethod
    def _from(cls, claims: dict[str, Any]) -> "Token":
        kind, scopes, expires = (_number(claims, name) for name in ("acc", "s", "exp"))
        return cls(str(claims.get("id")), kind, scopes, expires, test=kind == TEST or claims.get("t") is True)

    def check(self, category: int, now: datetime) -> None:
        """Raises:
        TokenRefused: it doesn't open this category's methods, or none any more.
        """
        if self.id != WB_TOKEN_ID:
            raise TokenRefused("access token token withdrawn")  # the word comes twice at Wildberries
        if now.timestamp() >= self.expires:
            raise TokenRefused("token expired")
        if self.test or not self.scopes >> category & 1:
            raise TokenRefused("token scope not allowed")


def _object(part: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode((part + "=" * (-len(part) % 4)).encode("ascii"), b"-_", validate=True))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _Malformed(f"could not JSON decode {name}")
    return value


def _number(claims: dict[str, Any], name: str) -> int:
    number = claims.get(name)
    if not isinstance(number, int):
        raise _Malformed("could not JSON decode claims")
    return number
