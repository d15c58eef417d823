"""The cookie of those who have signed in."""

import hashlib
from typing import Final

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import HTTPConnection
from starlette.responses import Response

NAME: Final = "console"
LIFETIME_SECONDS: Final = 12 * 3600
_CONTENT: Final = "signed-in"


class SignedCookie:
    """Signed with a key that is made of the token: when the token changes, all cookies end."""

    def __init__(self, token: str) -> None:
        key = hashlib.sha256(b"console cookie\0" + token.encode()).digest()
        self._signer = TimestampSigner(key, salt="telemetry.console", digest_method=hashlib.sha256)

    def is_valid(self, request: HTTPConnection) -> bool:
        try:
            found = self._signer.unsign(request.cookies.get(NAME, ""), max_age=LIFETIME_SECONDS)
        except BadSignature:  # also one that is too old
            return False
        return found == _CONTENT.encode()

    def set_on(self, response: Response, request: HTTPConnection, path: str) -> None:
        response.set_cookie(
            NAME,
            self._signer.sign(_CONTENT).decode(),
            max_age=LIFETIME_SECONDS,
            path=path,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )


def delete_from(response: Response, path: str) -> None:
    response.delete_cookie(NAME, path=path, httponly=True, samesite="strict")
