"""Stores the messages that were sent to the fake Telegram: the newest in memory, all of them in the journal."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from service.sandbox.journal import Journal
from service.sandbox.telegram.formatted_text import Entity, FormattedText
from service.sandbox.telegram.reply_markup import Keyboard

MAX_MESSAGES: Final = 1_000
_SENT: Final = "telegram-message"
_EDITED: Final = "telegram-edit"
_PRUNE_EVERY: Final = 100


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message. `date` and `edited_at` are Unix seconds; the text of a document is its caption.

    `keyboard` are its buttons, `person` is the user who wrote it, None if that was the bot.

    The fields are the keys of a journal entry.
    """

    message_id: int
    chat_id: int
    date: int
    text: str
    entities: list[Entity] = field(default_factory=list)
    thread_id: int | None = None
    document: dict[str, Any] | None = None
    edited_at: int | None = None
    keyboard: Keyboard = field(default_factory=list)
    person: int | None = None


class MessageStore:
    """Loads messages from the journal, and appends to it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._messages: dict[int, StoredMessage] = {}
        self._last_id = 0
        for entry in journal.entries(_SENT):
            self._remember(StoredMessage(**{name: value for name, value in entry.items() if name != "kind"}))
        for entry in journal.entries(_EDITED):
            text = FormattedText(entry["text"], entry["entities"])
            self._apply_edit(entry["message_id"], text, entry["date"], entry.get("keyboard", []))

    def __iter__(self) -> Iterator[StoredMessage]:
        """Oldest first."""
        return iter(self._messages.values())

    @property
    def next_id(self) -> int:
        return self._last_id + 1

    def get(self, chat_id: int, message_id: int | None) -> StoredMessage | None:
        message = self._messages.get(message_id or 0)
        return message if message is not None and message.chat_id == chat_id else None

    def add(self, message: StoredMessage) -> None:
        self._journal.append(_SENT, **asdict(message))
        self._remember(message)
        if self._last_id % _PRUNE_EVERY == 0:
            self._journal.prune(_SENT, MAX_MESSAGES)
            self._journal.prune(_EDITED, MAX_MESSAGES)

    def edit(self, message_id: int, parsed: FormattedText, date: int, keyboard: Keyboard) -> StoredMessage:
        self._journal.append(
            _EDITED, message_id=message_id, text=parsed.text, entities=parsed.entities, date=date, keyboard=keyboard
        )
        self._apply_edit(message_id, parsed, date, keyboard)
        return self._messages[message_id]

    def _remember(self, message: StoredMessage) -> None:
        self._messages[message.message_id] = message
        self._last_id = message.message_id
        if len(self._messages) > MAX_MESSAGES:
            del self._messages[min(self._messages)]

    def _apply_edit(self, message_id: int, parsed: FormattedText, date: int, keyboard: Keyboard) -> None:
        if message := self._messages.get(message_id):
            self._messages[message_id] = replace(
                message, text=parsed.text, entities=parsed.entities, edited_at=date, keyboard=keyboard
            )
