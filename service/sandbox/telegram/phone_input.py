"""What people do on the phone: they write to the bot's chat and press buttons. Both become updates of the bot."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from starlette.exceptions import HTTPException

from service.sandbox.telegram.chats import MANAGER_CHAT
from service.sandbox.telegram.message_payload import BOT, result_of
from service.sandbox.telegram.message_store import MessageStore, StoredMessage
from service.sandbox.telegram.message_text import MAX_TEXT_UNITS
from service.sandbox.telegram.phone_users import PEOPLE, TelegramUser
from service.sandbox.telegram.update_queue import UpdateQueue

ANSWER_SECONDS: Final = 15.0
"""For how long the phone waits for the answer to a press."""
_COMMAND: Final = re.compile(r"/([A-Za-z0-9_]+)(?:@([A-Za-z0-9_]+))?(?:\s|$)", re.ASCII)


class PhoneInput:
    """`now` is Unix seconds."""

    def __init__(self, messages: MessageStore, updates: UpdateQueue, now: Callable[[], int]) -> None:
        self._messages = messages
        self._updates = updates
        self._now = now

    def write(self, person_id: int, text: str, chat_id: int = MANAGER_CHAT) -> StoredMessage:
        """Write a message. In a group, the bot gets commands only, and none that is for another bot."""
        person, text = _person(person_id), text.strip()
        if not 0 < len(text) <= MAX_TEXT_UNITS:
            raise HTTPException(422, "A message has 1 to 4096 characters.")
        message = StoredMessage(self._messages.next_id, chat_id, self._now(), text, person=person.id)
        self._messages.add(message)
        if chat_id > 0 or _is_for_bot(text):
            self._updates.add("message", result_of(message))
        return message

    def press(self, person_id: int, message_id: int, row: int, column: int) -> str:
        """Press a button. Returns the id of the press."""
        person = _person(person_id)
        message = next((each for each in self._messages if each.message_id == message_id), None)
        try:
            button = message.keyboard[row][column] if message is not None and min(row, column) >= 0 else {}
        except IndexError:
            button = {}
        if message is None or "callback_data" not in button:
            raise HTTPException(404, "The message has no such button.")
        query_id, _query = self._updates.add_query()
        self._updates.add(
            "callback_query",
            {
                "id": query_id,
                "from": person.as_json(),
                "message": result_of(message),
                "chat_instance": str(message.chat_id),
                "data": button["callback_data"],
            },
        )
        return query_id

    async def answer(self, query_id: str, seconds: float = ANSWER_SECONDS) -> str | None:
        """The answer to a press; None if there is none in time."""
        query = self._updates.query(query_id)
        try:
            await asyncio.wait_for(query.answered.wait(), seconds)
        except TimeoutError:
            return None
        return query.answer


def _person(person_id: int) -> TelegramUser:
    if person_id not in PEOPLE:
        raise HTTPException(422, f"`person` must be one of {', '.join(map(str, PEOPLE))}.")
    return PEOPLE[person_id]


def _is_for_bot(text: str) -> bool:
    """In a group: the bot's privacy mode is on."""
    found = _COMMAND.match(text)
    return found is not None and (not found[2] or found[2].lower() == str(BOT["username"]).lower())
