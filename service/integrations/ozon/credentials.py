"""Keys of Ozon: which roles one has, and when it expires, which new ones do after three months."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiClient
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import Malformed, optional_moment_in
from telemetry.json_safe import without_surrogates

_SOON: Final = timedelta(days=14)
_MOST_ROLES: Final = 10
_LONGEST_ROLE: Final = 60


def key_expiry(client: ApiClient) -> datetime | None:
    """None where Ozon does not say: keys of before September 2026 may have no end.

    Raises:
        CallError: the key is not accepted, or could not be asked about.
    """
    return _expiry(_roles_answer(client))


def check_key(client: ApiClient, now: datetime) -> str:
    """What there is to say of the key, in a sentence or two.

    Raises:
        CallError: as `key_expiry`.
    """
    answer = _roles_answer(client)
    roles, expires_at = ", ".join(_roles(answer)) or "none that it names", _expiry(answer)
    accepted = f"Ozon accepts the key; its roles: {roles}."
    if warning := expires_soon(expires_at, now):
        return f"{accepted} {warning}"
    return f"{accepted} It expires on {expires_at:%Y-%m-%d}." if expires_at else f"{accepted} It does not expire."


def expires_soon(expires_at: datetime | None, now: datetime) -> str | None:
    """A warning, when it is time to make a new key."""
    if expires_at is None or expires_at - now > _SOON:
        return None
    when = "has expired" if expires_at <= now else f"expires {_in_days((expires_at - now).days)}"
    return (
        f"The key in OZON_API_KEY {when} ({expires_at:%Y-%m-%d %H:%M} UTC): make a new one in the seller's cabinet, "
        "and set OZON_API_KEY."
    )


def _in_days(days: int) -> str:
    return {0: "in less than a day", 1: "in 1 day"}.get(days, f"in {days} days")


def _roles_answer(client: ApiClient) -> Mapping[str, Any]:
    return post(client, "/v1/roles", {})


def _expiry(answer: Mapping[str, Any]) -> datetime | None:
    try:
        return optional_moment_in(answer, "expires_at")
    except Malformed:
        return None


def _roles(answer: Mapping[str, Any]) -> list[str]:
    roles = answer.get("roles")
    named = [role.get("name") for role in roles if isinstance(role, Mapping)] if isinstance(roles, list) else []
    return [without_surrogates(name)[:_LONGEST_ROLE] for name in named if isinstance(name, str) and name][:_MOST_ROLES]
