"""The API of Ozon: its description, the rate limit of an account, and a POST call."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from service.integrations.http.api_response import ApiResponse
from service.integrations.http.client import ApiCall, ApiClient, ApiDescription
from service.integrations.http.rate_limiter import RateLimit
from service.integrations.ozon.errors import error_from_response
from service.names import OZON

ENDPOINTS: Final = (
    "/v1/roles",
    "/v1/review/comment/create",
    "/v1/review/comment/list",
    "/v2/review/list",
    "/v2/review/info",
    "/v2/review/count",
    "/v2/review/change-status",
    "/v3/product/info/list",
    "/v3/posting/fbo/list",
    "/v4/posting/fbs/list",
)
# For all methods of an account together: 50/s by the documentation, 2/s as many sellers saw in 2026.
_INTERVAL_SECONDS: Final = 1.0
_CLIENT_ID: Final = "Client-Id"


def ozon_api(base_url: str, client_id: str, api_key: str) -> ApiDescription:
    """The Seller API with one account."""
    return ApiDescription(
        service=OZON,
        base_url=base_url,
        headers={_CLIENT_ID: client_id, "Api-Key": api_key},
        error_from=lambda response: error_from_response(response, api_key),
        check=_require_object,
    )


def rate_limit_of(api: ApiDescription) -> RateLimit:
    """The rate limit of the API's account."""
    account = hashlib.sha256(api.headers[_CLIENT_ID].encode()).hexdigest()[:8]
    return RateLimit(f"{OZON}:{account}", interval=_INTERVAL_SECONDS, burst=1)


def post(
    client: ApiClient,
    endpoint: str,
    body: Mapping[str, Any],
    *,
    repeatable: bool = True,
    patience: float | None = None,
) -> dict[str, Any]:
    """Call a method. Returns the JSON object of the response.

    Args:
        client: the client of the API.
        endpoint: the path of the method.
        body: its parameters.
        repeatable: the call is idempotent.
        patience: overrides the client's own, in seconds.

    Raises:
        CallError: as `ApiClient.call`.
    """
    call = ApiCall("POST", endpoint, rate_limit_of(client.api), json=dict(body), repeatable=repeatable)
    return client.call(call, patience).object()


def _require_object(response: ApiResponse) -> None:
    """Checked within the call, so that an HTML page with status 200 is retried."""
    response.object()
