"""The messages that were sent to the sandbox's Telegram: the newest thousand, and all of them in the journal."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from service.sandbox.journal import Journal
from service.sandbox.telegram.writer import Entity, Parsed

KEPT: Final = 1_000
_SENT: Final = "telegram-message"
_EDITED: Final = "telegram-edit"
_FORGET_EACH: Final = 100


@dataclass(frozen=True, slots=True)
class Message:
    """`date` and `edited_at` are Unix seconds; a document's text is its caption."""

    message_id: int
    chat_id: int
    date: int
    text: str
    entities: list[Entity] = field(default_factory=list)
    thread_id: int | None = None
    document: dict[str, Any] | None = None
    edited_at: int | None = None


class Messages:
    """Replayed from the journal, and added to it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[int, Message] = {}
        self._last = 0
        for entry in journal.entries(_SENT):
            self._keep(Message(**{name: value for name, value in entry.items() if name != "kind"}))
        for entry in journal.entries(_EDITED):
            self._change(entry["message_id"], Parsed(entry["text"], entry["entities"]), entry["date"])

    def __iter__(self) -> Iterator[Message]:
        """The oldest first."""
        return iter(self._kept.values())

    @property
    def next_id(self) -> int:
        return self._last + 1

    def get(self, chat_id: int, message_id: int | None) -> Message | None:
        message = self._kept.get(message_id or 0)
        return message if message is not None and message.chat_id == chat_id else None

    def add(self, message: Message) -> None:
        self._journal.append(_SENT, **asdict(message))
        self._keep(message)
        if self._last % _FORGET_EACH == 0:
            self._journal.forget(_SENT, KEPT)
            self._journal.forget(_EDITED, KEPT)

    def edit(self, message_id: int, parsed: Parsed, date: int) -> Message:
        self._journal.append(_EDITED, message_id=message_id, text=parsed.text, entities=parsed.entities, date=date)
        self._change(message_id, parsed, date)
        return self._kept[message_id]

    def _keep(self, message: Message) -> None:
        self._kept[message.message_id] = message
        self._last = message.message_id
        if len(self._kept) > KEPT:
            del self._kept[min(self._kept)]

    def _change(self, message_id: int, parsed: Parsed, date: int) -> None:
        if message := self._kept.get(message_id):
            self._kept[message_id] = replace(message, text=parsed.text, entities=parsed.entities, edited_at=date)
