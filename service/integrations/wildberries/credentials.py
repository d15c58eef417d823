"""Reads the API token of Wildberries (a JWT): its kind, categories and expiry. The signature is not verified."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from service.integrations.http.rate_limiter import RateLimit
from service.names import WB

BASE_TOKEN: Final = 1
TOKEN_KINDS: Final[Mapping[int, str]] = {BASE_TOKEN: "base", 2: "test", 3: "personal", 4: "service"}
STATISTICS_BIT: Final = 5
FEEDBACKS_BIT: Final = 7
CATEGORIES: Final[Mapping[int, str]] = {STATISTICS_BIT: "Statistics", FEEDBACKS_BIT: "Feedbacks and questions"}
WARN_BEFORE_EXPIRY: Final = timedelta(days=14)
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class WildberriesToken:
    """The payload of a token; what it does not say is None.

    Attributes:
        account: a hash of the seller and the kind of token, for keys of rate limits.
        scopes: a bit mask of categories.
        has_secret: it is sent with a client secret, which gives a Base token the limits of the other kinds.
    """

    account: str
    kind: int | None = None
    scopes: int | None = None
    expires_at: datetime | None = None
    has_secret: bool = False

    @classmethod
    def parse(cls, text: str, *, has_secret: bool = False) -> Self:
        """Parse a token. One that is not a JWT has only an `account`."""
        text = text.strip().removeprefix("Bearer ")
        payload = _jwt_payload(text)
        kind, scopes, seller = payload.get("acc"), payload.get("s"), payload.get("sid")
        bucket = f"{kind}:secret" if has_secret else str(kind)
        identity = f"{seller or text}:{bucket}".encode("utf-8", "backslashreplace")
        return cls(
            account=hashlib.sha256(identity).hexdigest()[:8],
            kind=kind if isinstance(kind, int) else None,
            scopes=scopes if isinstance(scopes, int) else None,
            expires_at=_timestamp(payload.get("exp")),
            has_secret=has_secret,
        )

    @property
    def _is_slow(self) -> bool:
        return self.kind == BASE_TOKEN and not self.has_secret

    @property
    def feedbacks_limit(self) -> RateLimit:
        """The rate limit of all methods for reviews and questions together."""
        interval, burst = (0.2 * _HOUR, 1) if self._is_slow else (1 / 3, 6)
        return RateLimit(f"{WB}:feedbacks:{self.account}", interval, burst)

    @property
    def orders_limit(self) -> RateLimit:
        """The rate limit of the list of orders."""
        interval, burst = (3 * _HOUR, 1) if self._is_slow else (60.0, 10)
        return RateLimit(f"{WB}:orders:{self.account}", interval, burst)

    def missing_categories(self) -> list[str]:
        """The categories that the service needs and the token lacks."""
        if self.scopes is None:
            return []
        return [name for bit, name in CATEGORIES.items() if not self.scopes >> bit & 1]

    def warning(self, now: datetime) -> str | None:
        """A sentence, if the token has expired, lacks a category or expires soon; else None."""
        if self.expires_at is not None and self.expires_at <= now:
            return f"WB_API_TOKEN expired on {self.expires_at:%Y-%m-%d}: make a new one in the seller's cabinet."
        if missing := self.missing_categories():
            return f"WB_API_TOKEN lacks the category {' and '.join(missing)}: make one that has it."
        if self.expires_at is not None and self.expires_at - now < WARN_BEFORE_EXPIRY:
            return f"WB_API_TOKEN expires on {self.expires_at:%Y-%m-%d}: make a new one before."
        return None

    def __str__(self) -> str:
        until = f", until {self.expires_at:%Y-%m-%d}" if self.expires_at else ""
        secret = ", with a secret" if self.has_secret else ""
        slow = (
            ", without WB_CLIENT_SECRET: 5 calls for reviews an hour, 1 for orders in 3 hours" if self._is_slow else ""
        )
        return f"a token of kind {TOKEN_KINDS.get(self.kind or 0, 'unknown')}{secret}{until}{slow}"


def _jwt_payload(text: str) -> dict[str, Any]:
    try:
        _, encoded, _ = text.split(".")
        payload = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):  # of the split, of base64 and of JSON
        return {}
    return payload if isinstance(payload, dict) else {}


def _timestamp(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
