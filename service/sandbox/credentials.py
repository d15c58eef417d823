"""Credentials of the sandbox. They are invented, public, and valid for the sandbox alone."""

import base64
import json
from typing import Any, Final

WB_SELLER: Final = "3f2b6c1e-0000-4000-8000-5d1e2a3b4c5d"
WB_TOKEN_ID: Final = "sandbox"  # noqa: S105  # see above; any other id counts as a withdrawn token
WB_CLIENT_SECRET: Final = "sandbox-client-secret-0000"  # noqa: S105  # see above
OZON_CLIENT_ID: Final = "1000001"
OZON_API_KEY: Final = "5a9d0000-0000-4000-8000-0000000000a1"
OPENAI_API_KEY: Final = "sk-sandbox-0000000000000000"
OPENAI_MODEL: Final = "gpt-5.4-mini"
TELEGRAM_TOKEN: Final = "7000000001:AAsandboxsandboxsandboxsandboxsand"  # noqa: S105  # see above
TELEGRAM_CHAT_ID: Final = "-1001234567890"
TELEGRAM_OPERATORS: Final = "7000000011,7000000012"

BASE: Final = 1
TEST: Final = 2
PERSONAL: Final = 3
SERVICE: Final = 4
_STATISTICS: Final = 1 << 5
_FEEDBACKS: Final = 1 << 7
_FAR_FUTURE: Final = 4_102_444_800  # 2100-01-01


def wb_token(
    kind: int = PERSONAL,
    *,
    expires: int = _FAR_FUTURE,
    scopes: int = _STATISTICS | _FEEDBACKS,
    token_id: str = WB_TOKEN_ID,
) -> str:
    """A token in the format of Wildberries.

    Args:
        kind: the claim `acc`.
        expires: Unix seconds.
        scopes: bits by category, the claim `s`.
        token_id: the claim `id`.
    """
    claims = {"acc": kind, "ent": 1, "exp": expires, "id": token_id, "iid": 1, "oid": 1, "s": scopes}
    header = _part({"alg": "ES256", "kid": "sandbox", "typ": "JWT"})
    return f"{header}.{_part({**claims, 'sid': WB_SELLER, 't': kind == TEST, 'uid': 1})}.{_part('signature')}"


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
