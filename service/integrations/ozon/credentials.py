"""Checks the API key of Ozon: its roles and its expiry. New keys expire after three months."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from service.integrations.http.client import ApiClient
from service.integrations.marketplace import InvalidField
from service.integrations.ozon.client import post
from service.integrations.ozon.fields import optional_timestamp_field
from telemetry.json_safe import without_surrogates

_WARN_BEFORE_EXPIRY: Final = timedelta(days=14)
_MAX_ROLES: Final = 10
_MAX_ROLE_LENGTH: Final = 60


def fetch_key_expiry(client: ApiClient) -> datetime | None:
    """Ask Ozon when the key expires; None if Ozon does not say. Keys from before September 2026 may never expire.

    Raises:
        CallError: Ozon rejects the key, or is unreachable.
    """
    return _expiry(_fetch_roles(client))


def describe_key(client: ApiClient, now: datetime) -> str:
    """Ask Ozon about the key. Returns a sentence or two about its roles and its expiry.

    Raises:
        CallError: as `fetch_key_expiry`.
    """
    response = _fetch_roles(client)
    roles, expires_at = ", ".join(_roles(response)) or "none that it names", _expiry(response)
    accepted = f"Ozon accepts the key; its roles: {roles}."
    if warning := expiry_warning(expires_at, now):
        return f"{accepted} {warning}"
    return f"{accepted} It expires on {expires_at:%Y-%m-%d}." if expires_at else f"{accepted} It does not expire."


def check_review_access(client: ApiClient) -> None:
    """Ask Ozon for the number of reviews.

    Raises:
        SubscriptionMissing: the seller's subscription does not include reviews.
        CallError: as `fetch_key_expiry`.
    """
    post(client, "/v2/review/count", {})


def expiry_warning(expires_at: datetime | None, now: datetime) -> str | None:
    """A warning, if the key has expired or expires within two weeks; else None."""
    if expires_at is None or expires_at - now > _WARN_BEFORE_EXPIRY:
        return None
    when = "has expired" if expires_at <= now else f"expires {_in_days((expires_at - now).days)}"
    return (
        f"The key in OZON_API_KEY {when} ({expires_at:%Y-%m-%d %H:%M} UTC): make a new one in the seller's cabinet, "
        "and set OZON_API_KEY."
    )


def _in_days(days: int) -> str:
    return {0: "in less than a day", 1: "in 1 day"}.get(days, f"in {days} days")


def _fetch_roles(client: ApiClient) -> Mapping[str, Any]:
    return post(client, "/v1/roles", {})


def _expiry(response: Mapping[str, Any]) -> datetime | None:
    try:
        return optional_timestamp_field(response, "expires_at")
    except InvalidField:
        return None


def _roles(response: Mapping[str, Any]) -> list[str]:
    roles = response.get("roles")
    names = [role.get("name") for role in roles if isinstance(role, Mapping)] if isinstance(roles, list) else []
    return [without_surrogates(name)[:_MAX_ROLE_LENGTH] for name in names if isinstance(name, str) and name][
        :_MAX_ROLES
    ]
