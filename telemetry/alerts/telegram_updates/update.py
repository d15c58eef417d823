"""Updates of the Bot API as values: a command, a press of a button, or neither. What is foreign becomes ours here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from telemetry.alerts.rendering.markup import cut, one_line
from telemetry.http_client.foreign_values import integer64
from telemetry.redaction.policy import redact

_COMMAND: Final = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{1,64}))?(?:\s+(.*))?", re.DOTALL | re.ASCII)
_MAX_NAME: Final = 40
_MAX_ARGUMENT: Final = 200


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote or pressed. The name is the person's own choice, so it proves nothing; the number does."""

    id: int
    name: str = ""

    def __str__(self) -> str:
        return f"telegram:{self.id} ({self.name})" if self.name else f"telegram:{self.id}"

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        user = _mapping(value)
        user_id = integer64(user.get("id"), minimum=1)
        if user_id is None:
            return None
        username, first = user.get("username"), user.get("first_name")
        name = f"@{username}" if isinstance(username, str) and username else first if isinstance(first, str) else ""
        return cls(user_id, cut(redact(one_line(name[:200])), _MAX_NAME))


@dataclass(frozen=True, slots=True)
class Place:
    """A chat, a topic in it, and a message there. `username` is that of a public chat, without the @."""

    chat_id: int
    username: str = ""
    thread_id: int | None = None
    message_id: int | None = None

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self | None:
        chat = _mapping(message.get("chat"))
        chat_id, username = integer64(chat.get("id")), chat.get("username")
        if chat_id is None:
            return None
        in_topic = message.get("is_topic_message") is True
        return cls(
            chat_id,
            username if isinstance(username, str) else "",
            integer64(message.get("message_thread_id"), minimum=1) if in_topic else None,
            integer64(message.get("message_id"), minimum=1),
        )


@dataclass(frozen=True, slots=True)
class CommandUpdate:
    """A message. `name` is that of its command, in lower case, and empty for any other text. `sent_at` is Unix time."""

    id: int
    person: Person
    place: Place
    name: str
    bot: str
    argument: str
    sent_at: float


@dataclass(frozen=True, slots=True)
class PressUpdate:
    """A press of a button. `query_id` is answered, so that the person's client stops waiting."""

    id: int
    person: Person
    place: Place
    query_id: str
    data: str


Update = CommandUpdate | PressUpdate


def update_id(raw: object) -> int | None:
    return integer64(_mapping(raw).get("update_id"), minimum=0)


def read_update(raw: object) -> Update | None:
    """None for an update that is neither a message nor a press by a person."""
    value = _mapping(raw)
    number = update_id(raw)
    if number is None:
        return None
    if message := _mapping(value.get("message")):
        return _command(number, message)
    return _press(number, _mapping(value.get("callback_query")))


def _command(number: int, message: Mapping[str, Any]) -> CommandUpdate | None:
    person, place = Person.from_json(message.get("from")), Place.from_message(message)
    if person is None or place is None:
        return None
    text, date = message.get("text"), integer64(message.get("date"), minimum=0)
    found = _COMMAND.fullmatch(text.strip()) if isinstance(text, str) else None
    name, bot, argument = (found[1].lower(), found[2] or "", found[3] or "") if found else ("", "", "")
    return CommandUpdate(number, person, place, name, bot, one_line(argument)[:_MAX_ARGUMENT], float(date or 0))


def _press(number: int, query: Mapping[str, Any]) -> PressUpdate | None:
    person, place = Person.from_json(query.get("from")), Place.from_message(_mapping(query.get("message")))
    query_id, data = query.get("id"), query.get("data")
    if person is None or place is None or not isinstance(query_id, str):
        return None
    return PressUpdate(number, person, place, query_id, data if isinstance(data, str) else "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
