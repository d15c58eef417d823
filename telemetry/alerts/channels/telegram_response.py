"""Responses of the Bot API: the result of a call, or the error that says what to do next. Others may answer in its place."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from telemetry.alerts.channels.channel import ChannelError, UnreadableResponse
from telemetry.http_client.exchange import BoundedResponse
from telemetry.http_client.foreign_values import integer64, retry_after

TELEGRAM: Final = "telegram"
_DEFAULT_RETRY_AFTER: Final = 5.0
_PERMANENT_STATUSES: Final = frozenset({401, 403, 404})
_CONFIGURATION_ERRORS: Final = ("chat not found", "chat_id is empty", "unsupported parse_mode", "not enough rights")
_TOPIC_ERRORS: Final = ("thread not found", "topic_")
"""`message thread not found`, `TOPIC_CLOSED`, `TOPIC_DELETED`, `TOPIC_ID_INVALID`."""
_ACCEPTED: Final = range(200, 300)
_TOO_LARGE: Final = 413
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


class FixableError(Exception):
    """Telegram refused a call for a reason that another call may avoid."""

    def __init__(self, description: str, chat_id: str | None = None) -> None:
        super().__init__(description)
        self.chat_id = chat_id

    @property
    def is_about_topic(self) -> bool:
        return any(each in str(self).lower() for each in _TOPIC_ERRORS)


def result_of(response: BoundedResponse) -> Mapping[str, Any]:
    """The result of a call.

    Raises:
        ChannelError: it was refused, or the server is not Telegram.
        FixableError: another call may be accepted.
    """
    body = response.json_object() or {}
    result = body.get("result")
    if response.status in _ACCEPTED and body.get("ok") is True and isinstance(result, Mapping | bool):
        return result if isinstance(result, Mapping) else {}  # of an edit it may be `true`
    if response.status < 400:  # noqa: PLR2004  # 2xx and 3xx
        raise UnreadableResponse(TELEGRAM, response.status)
    raise _refusal(response, body)


def results_of(response: BoundedResponse) -> Sequence[Any]:
    """The list that a call results in.

    Raises:
        ChannelError, FixableError: as `result_of`.
    """
    body = response.json_object() or {}
    results = body.get("result")
    if response.status in _ACCEPTED and body.get("ok") is True and isinstance(results, list):
        return results
    if response.status < 400:  # noqa: PLR2004  # 2xx and 3xx
        raise UnreadableResponse(TELEGRAM, response.status)
    raise _refusal(response, body)


def _refusal(response: BoundedResponse, body: Mapping[str, Any]) -> Exception:
    raw_parameters = body.get("parameters")
    parameters: Mapping[str, Any] = raw_parameters if isinstance(raw_parameters, Mapping) else {}
    if response.status == _TOO_MANY_REQUESTS:
        seconds = _retry_after(response, parameters)
        return ChannelError(f"telegram asks to wait {seconds:.0f} s", retry_after=seconds)
    if response.status >= _SERVER_ERROR:
        return ChannelError(f"telegram failed ({response.status})", outcome_unknown=True)
    if not _is_of_telegram(response, body):
        return _refusal_of_other(response)
    description = body["description"][:300]
    if response.status in _PERMANENT_STATUSES or any(each in description for each in _CONFIGURATION_ERRORS):
        return ChannelError(f"telegram refuses ({response.status}: {description or 'no reason'})", permanent=True)
    new_chat_id = integer64(parameters.get("migrate_to_chat_id"))
    return FixableError(description, None if new_chat_id is None else str(new_chat_id))


def _is_of_telegram(response: BoundedResponse, body: Mapping[str, Any]) -> bool:
    """Whether the Bot API itself refused. A proxy, a provider or a portal that answers in its place does not write this."""
    is_refusal = body.get("ok") is False and isinstance(body.get("description"), str)
    return is_refusal and integer64(body.get("error_code", response.status)) == response.status


def _refusal_of_other(response: BoundedResponse) -> ChannelError:
    if response.status == _TOO_LARGE:  # a limit of a proxy, which each attempt would meet
        return ChannelError("a message to telegram is refused as too large (413)", message_rejected=True)
    return UnreadableResponse(TELEGRAM, response.status)


def _retry_after(response: BoundedResponse, parameters: Mapping[str, Any]) -> float:
    candidates = (retry_after(parameters.get("retry_after")), retry_after(response.headers.get("retry-after")))
    return next((seconds for seconds in candidates if seconds is not None), _DEFAULT_RETRY_AFTER)
