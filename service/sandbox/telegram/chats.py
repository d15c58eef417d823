"""The chats of the sandbox's bot, and the possible states of the manager's chat."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.sandbox.credentials import TELEGRAM_CHAT_ID
from service.sandbox.telegram.errors import ApiError, bad_request, forbidden
from service.sandbox.telegram.request import parse_int

MANAGER_CHAT: Final = int(TELEGRAM_CHAT_ID)
UPGRADED_CHAT: Final = -1001234567892
PRIVATE_CHAT: Final = 7000000002


@dataclass(frozen=True, slots=True)
class Chat:
    """`topics` are the threads of a forum by id, without the general one, which has no id."""

    id: int
    type: str
    name: str
    topics: Mapping[int, str]

    def as_json(self) -> dict[str, Any]:
        if self.type == "private":
            return {"id": self.id, "first_name": self.name, "type": self.type}
        return {"id": self.id, "title": self.name, "type": self.type, "is_forum": True}

    def topic(self, given: str) -> int | None:
        """The thread id of a message, from the request; None for the general topic.

        Raises:
            ApiError: the chat has no such topic.
        """
        if not given:
            return None
        topic = parse_int(given)
        if topic not in self.topics:
            raise bad_request("message thread not found")
        return topic


_TOPICS: Final = {12: "Alerts", 34: "Reports"}
CHATS: Final[Mapping[int, Chat]] = {
    MANAGER_CHAT: Chat(MANAGER_CHAT, "supergroup", "Отзывы", _TOPICS),
    UPGRADED_CHAT: Chat(UPGRADED_CHAT, "supergroup", "Отзывы", _TOPICS),
    PRIVATE_CHAT: Chat(PRIVATE_CHAT, "private", "Manager", {}),
}


def _upgraded() -> ApiError:
    description = "Bad Request: group chat was upgraded to a supergroup chat"
    return ApiError(400, description, {"migrate_to_chat_id": UPGRADED_CHAT})


STATES: Final[Mapping[str, Callable[[], ApiError] | None]] = {
    "ok": None,
    "upgraded": _upgraded,
    "blocked": lambda: forbidden("bot was blocked by the user"),
    "kicked": lambda: forbidden("bot was kicked from the supergroup chat"),
    "left": lambda: forbidden("bot is not a member of the channel chat"),
    "deactivated": lambda: forbidden("user is deactivated"),
    "unstarted": lambda: forbidden("bot can't initiate conversation with a user"),
}


def find_chat(given: str, state: str) -> Chat:
    """The chat with an id.

    Args:
        given: the `chat_id` of the request.
        state: a key of `STATES`: the state of the manager's chat.

    Raises:
        ApiError: there is no such chat, or the bot can no longer send to it.
    """
    if not given:
        raise bad_request("chat_id is empty")
    chat = CHATS.get(parse_int(given) or 0)
    if chat is None or (chat.id == UPGRADED_CHAT and state != "upgraded"):
        raise bad_request("chat not found")
    make_error = STATES[state]
    if make_error is not None and chat.id == MANAGER_CHAT:
        raise make_error()
    return chat
