"""Telegram: whether it takes the bot's token and knows the chat. The token is in the path, and leaves it by no other way."""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from service.integrations.http.client import ApiCall, ApiClient, ApiDescription, ApiResponse, retry_after_seconds
from service.integrations.http.errors import CallError, Forbidden, Rejected, TooManyRequests, Unauthorized, Unreadable
from service.integrations.http.rate_limiter import RateLimit
from service.names import TELEGRAM

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429


def telegram_api(base_url: str) -> ApiDescription:
    return ApiDescription(TELEGRAM, base_url, {}, _refusal)


def describe_bot(client: ApiClient, token: str, chat_id: str | None) -> str:
    """Whose token it is, and which chat it writes to, in a sentence.

    Raises:
        CallError: the token or the chat is not accepted, or Telegram could not be asked.
    """
    limit = RateLimit(f"telegram:{hashlib.sha256(token.encode()).hexdigest()[:8]}", 1 / 30, 30)
    path = {"token": quote(token, safe=":")}  # what slipped in when it was pasted is Telegram's to refuse
    bot = _result(client.call(ApiCall("GET", "/bot{token}/getMe", limit, path=path)))
    if chat_id is None:
        return f"the token is that of @{bot.get('username')}; MANAGER_CHAT_ID is not set"
    chat = _result(client.call(ApiCall("GET", "/bot{token}/getChat", limit, {"chat_id": chat_id}, path=path)))
    return f"@{bot.get('username')} writes to the {chat.get('type')} {chat.get('title') or chat.get('username') or chat_id}"


def _result(answer: ApiResponse) -> Mapping[str, Any]:
    result = answer.object().get("result")
    if not isinstance(result, Mapping):
        raise Unreadable("What answers is not Telegram: look at TELEGRAM_API_URL.")
    return result


def _refusal(answer: ApiResponse) -> CallError:
    said = _said(answer)
    if answer.status == _TOO_MANY:
        parameters = said.get("parameters")
        asked = parameters.get("retry_after") if isinstance(parameters, Mapping) else None
        return TooManyRequests(
            TELEGRAM, float(asked) if isinstance(asked, int) else retry_after_seconds(answer.headers, "retry-after")
        )
    if answer.status in {_UNAUTHORIZED, _NOT_FOUND}:
        return Unauthorized("telegram does not accept the token: look at TELEGRAM_TOKEN.")
    kind = Forbidden if answer.status == _FORBIDDEN else Rejected
    return kind(f"telegram refuses: look at MANAGER_CHAT_ID ({answer.status}: {str(said.get('description'))[:200]}).")


def _said(answer: ApiResponse) -> Mapping[str, Any]:
    try:
        return answer.object()
    except CallError:
        return {}
