"""Messages and the bot in the format of the Bot API."""

from collections.abc import Mapping
from typing import Any, Final

from service.sandbox.credentials import TELEGRAM_TOKEN
from service.sandbox.telegram.chats import CHATS
from service.sandbox.telegram.message_store import StoredMessage
from service.sandbox.telegram.phone_users import PEOPLE

BOT: Final[Mapping[str, Any]] = {
    "id": int(TELEGRAM_TOKEN.partition(":")[0]),
    "is_bot": True,
    "first_name": "Alerts",
    "username": "sandbox_alerts_bot",
}


def result_of(message: StoredMessage) -> dict[str, Any]:
    """The message as a call returns it, or an update contains it."""
    text, entities = ("caption", "caption_entities") if message.document else ("text", "entities")
    shown: dict[str, Any] = {
        "message_id": message.message_id,
        "from": dict(BOT) if message.person is None else PEOPLE[message.person].as_json(),
        "chat": CHATS[message.chat_id].as_json(),
        "date": message.date,
        "edit_date": message.edited_at,
        "message_thread_id": message.thread_id,
        "is_topic_message": message.thread_id is not None,
        "document": message.document,
        "reply_markup": {"inline_keyboard": message.keyboard} if message.keyboard else None,
        text: message.text,
        entities: message.entities,
    }
    return {name: value for name, value in shown.items() if value}
