"""Checks the Telegram bot's token and chat. The token is a part of the URL path and stays out of telemetry and errors."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from service.integrations.http.api_response import ApiResponse
from service.integrations.http.client import ApiCall, ApiClient, ApiDescription
from service.integrations.http.errors import CallError, Forbidden, Rejected, TooManyRequests, Unauthorized, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.names import TELEGRAM
from telemetry.http_client.foreign_values import retry_after, retry_after_seconds

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY_REQUESTS = 401, 403, 404, 429


def telegram_api(base_url: str) -> ApiDescription:
    """The Bot API; calls pass the token as a path parameter."""
    return ApiDescription(TELEGRAM, base_url, {}, _error_from)


def describe_bot(client: ApiClient, token: str, chat_id: str | None) -> str:
    """Ask Telegram for the bot and the chat.

    Returns:
        A sentence with the bot's name and the chat.

    Raises:
        CallError: Telegram rejects the token or the chat, or is unreachable.
    """
    limit = RateLimit(f"telegram:{hashlib.sha256(token.encode()).hexdigest()[:8]}", 1 / 30, 30)
    path = {"token": quote(token, safe=":")}  # Telegram rejects whatever was pasted by mistake
    bot = _result(client.call(ApiCall("GET", "/bot{token}/getMe", limit, path=path)))
    if chat_id is None:
        return f"the token is that of @{bot.get('username')}; MANAGER_CHAT_ID is not set"
    chat = _result(client.call(ApiCall("GET", "/bot{token}/getChat", limit, {"chat_id": chat_id}, path=path)))
    return f"@{bot.get('username')} writes to the {chat.get('type')} {chat.get('title') or chat.get('username') or chat_id}"


def _result(response: ApiResponse) -> Mapping[str, Any]:
    result = response.object().get("result")
    if not isinstance(result, Mapping):
        raise Unreadable("The response is not Telegram's: check TELEGRAM_API_URL.")
    return result


def _error_from(response: ApiResponse) -> CallError:
    body = _body(response)
    if response.status == _TOO_MANY_REQUESTS:
        parameters = body.get("parameters")
        seconds = retry_after(parameters.get("retry_after")) if isinstance(parameters, Mapping) else None
        header = retry_after_seconds(response.headers, "retry-after")
        return TooManyRequests(TELEGRAM, header if seconds is None else seconds)
    if response.status in {_UNAUTHORIZED, _NOT_FOUND}:
        return Unauthorized("telegram does not accept the token: check TELEGRAM_TOKEN.")
    error = Forbidden if response.status == _FORBIDDEN else Rejected
    return error(f"telegram refuses: check MANAGER_CHAT_ID ({response.status}: {str(body.get('description'))[:200]}).")


def _body(response: ApiResponse) -> Mapping[str, Any]:
    try:
        return response.object()
    except CallError:
        return {}
