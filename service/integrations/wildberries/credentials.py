"""The token of Wildberries: what its claims say of its kind, its categories and its end. Its signature is for Wildberries."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from service.integrations.http.rate_limiter import RateLimit

BASE: Final = 1
KINDS: Final[Mapping[int, str]] = {BASE: "base", 2: "test", 3: "personal", 4: "service"}
STATISTICS: Final = 5
FEEDBACKS: Final = 7
CATEGORIES: Final[Mapping[int, str]] = {STATISTICS: "Statistics", FEEDBACKS: "Feedbacks and questions"}
SOON: Final = timedelta(days=14)
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class WildberriesToken:
    """What is not said is None. `account` tells sellers and kinds of token apart, and gives no token away."""

    account: str
    kind: int | None = None
    scopes: int | None = None
    expires_at: datetime | None = None

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a token; one that is no JWT is a token of which nothing is known."""
        text = text.strip().removeprefix("Bearer ")
        claims = _jwt_payload(text)
        kind, scopes, seller = claims.get("acc"), claims.get("s"), claims.get("sid")
        named = f"{seller or text}:{kind}".encode("utf-8", "backslashreplace")
        return cls(
            account=hashlib.sha256(named).hexdigest()[:8],
            kind=kind if isinstance(kind, int) else None,
            scopes=scopes if isinstance(scopes, int) else None,
            expires_at=_moment(claims.get("exp")),
        )

    @property
    def feedbacks(self) -> RateLimit:
        """One bucket for all methods of feedbacks and questions together."""
        interval, burst = (0.2 * _HOUR, 1) if self.kind == BASE else (1 / 3, 6)
        return RateLimit(f"wb:feedbacks:{self.account}", interval, burst)

    @property
    def orders(self) -> RateLimit:
        interval, burst = (3 * _HOUR, 1) if self.kind == BASE else (60.0, 10)
        return RateLimit(f"wb:orders:{self.account}", interval, burst)

    def missing(self) -> list[str]:
        """The categories that the service needs and the token does not have."""
        if self.scopes is None:
            return []
        return [name for bit, name in CATEGORIES.items() if not self.scopes >> bit & 1]

    def complaint(self, now: datetime) -> str | None:
        """What is wrong with it, or soon will be, as a sentence."""
        if self.expires_at is not None and self.expires_at <= now:
            return f"WB_API_TOKEN expired on {self.expires_at:%Y-%m-%d}: make a new one in the seller's cabinet."
        if lacking := self.missing():
            return f"WB_API_TOKEN lacks the category {' and '.join(lacking)}: make one that has it."
        if self.expires_at is not None and self.expires_at - now < SOON:
            return f"WB_API_TOKEN expires on {self.expires_at:%Y-%m-%d}: make a new one before."
        return None

    def __str__(self) -> str:
        until = f", until {self.expires_at:%Y-%m-%d}" if self.expires_at else ""
        return f"a token of kind {KINDS.get(self.kind or 0, 'unknown')}{until}"


def _jwt_payload(text: str) -> dict[str, Any]:
    try:
        _, payload, _ = text.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):  # of the split, of base64 and of JSON alike
        return {}
    return claims if isinstance(claims, dict) else {}


def _moment(seconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None
