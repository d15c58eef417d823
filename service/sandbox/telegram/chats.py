"""The chats that the sandbox's bot knows, and what may have become of the manager's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.sandbox.credentials import TELEGRAM_CHAT_ID
from service.sandbox.telegram.errors import Refused, bad_request, forbidden
from service.sandbox.telegram.request import number

MANAGERS: Final = int(TELEGRAM_CHAT_ID)
MIGRATED: Final = -1001234567892
PRIVATE: Final = 7000000002


@dataclass(frozen=True, slots=True)
class Chat:
    """`topics` are the threads of a forum, its general one, which has no number, aside."""

    id: int
    type: str
    name: str
    topics: Mapping[int, str]

    def as_json(self) -> dict[str, Any]:
        if self.type == "private":
            return {"id": self.id, "first_name": self.name, "type": self.type}
        return {"id": self.id, "title": self.name, "type": self.type, "is_forum": True}

    def topic(self, given: str) -> int | None:
        """Raises:
        Refused: it has no such topic.
        """
        if not given:
            return None
        topic = number(given)
        if topic not in self.topics:
            raise bad_request("message thread not found")
        return topic


_TOPICS: Final = {12: "Alerts", 34: "Reports"}
CHATS: Final[Mapping[int, Chat]] = {
    MANAGERS: Chat(MANAGERS, "supergroup", "Отзывы", _TOPICS),
    MIGRATED: Chat(MIGRATED, "supergroup", "Отзывы", _TOPICS),
    PRIVATE: Chat(PRIVATE, "private", "Manager", {}),
}


def _upgraded() -> Refused:
    description = "Bad Request: group chat was upgraded to a supergroup chat"
    return Refused(400, description, {"migrate_to_chat_id": MIGRATED})


STATES: Final[Mapping[str, Callable[[], Refused] | None]] = {
    "ok": None,
    "upgraded": _upgraded,
    "blocked": lambda: forbidden("bot was blocked by the user"),
    "kicked": lambda: forbidden("bot was kicked from the supergroup chat"),
    "left": lambda: forbidden("bot is not a member of the channel chat"),
    "deactivated": lambda: forbidden("user is deactivated"),
    "unstarted": lambda: forbidden("bot can't initiate conversation with a user"),
}


def find(given: str, state: str) -> Chat:
    """The chat of a number.

    Raises:
        Refused: there is no such chat, or nothing can be sent to it any more.
    """
    if not given:
        raise bad_request("chat_id is empty")
    chat = CHATS.get(number(given) or 0)
    if chat is None or (chat.id == MIGRATED and state != "upgraded"):
        raise bad_request("chat not found")
    refusal = STATES[state]
    if refusal is not None and chat.id == MANAGERS:
        raise refusal()
    return chat
