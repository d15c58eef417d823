"""Calls to Ozon: its API with one account, the account's limit, and the one way a method is called."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from service.integrations.http.client import ApiCall, ApiClient, ApiDescription, ApiResponse
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.ozon.errors import _SERVICE, refusal_of

# 50 a second by the documentation, 2 by what many sellers met in 2026, for all methods of an account together.
_INTERVAL: Final = 1.0
_CLIENT_ID: Final = "Client-Id"


def ozon_api(base_url: str, client_id: str, api_key: str) -> ApiDescription:
    return ApiDescription(
        service=_SERVICE,
        base_url=base_url,
        headers={_CLIENT_ID: client_id, "Api-Key": api_key},
        refusal=lambda answer: refusal_of(answer, api_key),
        check=_must_be_an_object,
    )


def rate_limit_of(api: ApiDescription) -> RateLimit:
    account = hashlib.sha256(api.headers[_CLIENT_ID].encode()).hexdigest()[:8]
    return RateLimit(f"{_SERVICE}:{account}", interval=_INTERVAL, burst=1)


def post(
    client: ApiClient,
    endpoint: str,
    body: Mapping[str, Any],
    *,
    repeatable: bool = True,
    patience: float | None = None,
) -> dict[str, Any]:
    """Raises:
    CallError: as `ApiClient.call`.
    """
    call = ApiCall("POST", endpoint, rate_limit_of(client.api), json=dict(body), repeatable=repeatable)
    return client.call(call, patience).object()


def _must_be_an_object(answer: ApiResponse) -> None:
    """Within the call, so that a page of HTML with status 200 is asked for again."""
    answer.object()
