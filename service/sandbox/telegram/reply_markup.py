"""Reads the JSON parameters about buttons, commands and replies as strictly as Telegram does."""

import json
import re
from typing import Any, Final

from service.sandbox.telegram.errors import bad_request
from service.sandbox.telegram.request import parse_int

Keyboard = list[list[dict[str, Any]]]
"""Rows of buttons, each with `text`, and with `callback_data` or `url`."""
MAX_DATA_BYTES: Final = 64
_MAX_BUTTONS: Final = 100
_MAX_ROW: Final = 8
_ACTIONS: Final = frozenset({"callback_data", "url"})
_COMMAND: Final = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)
_MAX_COMMANDS: Final = 100
_MAX_DESCRIPTION: Final = 256


def read_keyboard(text: str) -> Keyboard:
    """The inline keyboard of `reply_markup`; empty without one.

    Raises:
        ApiError: it is none, or a button in it is not accepted.
    """
    if not text:
        return []
    markup = _json(text, "reply keyboard markup")
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list):
        raise bad_request("the sandbox supports no reply_markup but inline_keyboard")
    keyboard = [[_button(each) for each in _row(row)] for row in rows]
    if sum(map(len, keyboard)) > _MAX_BUTTONS or any(len(row) > _MAX_ROW for row in keyboard):
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return [row for row in keyboard if row]


def _row(row: object) -> list[Any]:
    if not isinstance(row, list):
        raise bad_request('field "inline_keyboard" must be an Array of Arrays')
    return row


def _button(button: object) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    text = button.get("text")
    if not isinstance(text, str) or not text.strip():
        raise bad_request('can\'t parse inline keyboard button: field "text" must be a non-empty String')
    actions = _ACTIONS & button.keys()
    if not actions:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    value = button[next(iter(actions))]
    if len(actions) > 1 or not isinstance(value, str) or not value:
        raise bad_request("BUTTON_TYPE_INVALID")
    if "callback_data" in actions and len(value.encode()) > MAX_DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    return {"text": text, next(iter(actions)): value}


def read_commands(text: str) -> dict[str, str]:
    """The commands of `setMyCommands`, each with its description."""
    found = _json(text, "commands") if text else None
    if not isinstance(found, list):
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(found) > _MAX_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    commands: dict[str, str] = {}
    for each in found:
        name, description = (each.get("command"), each.get("description")) if isinstance(each, dict) else (None, None)
        if not isinstance(name, str) or not _COMMAND.fullmatch(name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not isinstance(description, str) or not 1 <= len(description) <= _MAX_DESCRIPTION:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        commands[name] = description
    return commands


def read_reply(text: str) -> int | None:
    """The message that a message replies to; None if it does not matter whether that is still there."""
    if not text:
        return None
    parameters = _json(text, "reply parameters")
    number = parse_int(str(parameters.get("message_id", ""))) if isinstance(parameters, dict) else None
    if number is None:
        raise bad_request("can't parse reply parameters: message identifier is not specified")
    return None if parameters.get("allow_sending_without_reply") is True else number


def read_names(text: str) -> frozenset[str] | None:
    """`allowed_updates`; None if it is not given."""
    if not text:
        return None
    found = _json(text, "allowed_updates")
    if not isinstance(found, list):
        raise bad_request("can't parse allowed_updates")
    return frozenset(each for each in found if isinstance(each, str))


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise bad_request(f"can't parse {what} JSON object") from None
