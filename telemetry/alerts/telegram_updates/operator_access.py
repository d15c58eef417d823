"""Who may use the bot: the people in the manager's chat, or those of them that `TELEGRAM_OPERATORS` names."""

from collections.abc import Callable
from dataclasses import dataclass, field

from telemetry.alerts.telegram_updates.update import Person, Place


@dataclass(frozen=True, slots=True)
class Access:
    """`chat` is the configured one, a number or @name. `moved_to` returns its number since it became a supergroup."""

    chat: str
    operators: frozenset[int] = frozenset()
    moved_to: Callable[[], str | None] = field(default=lambda: None)

    def is_in_chat(self, place: Place) -> bool:
        if self.chat.startswith("@"):
            return place.username.lower() == self.chat[1:].lower()
        return str(place.chat_id) in {self.chat, self.moved_to()}

    def allows(self, person: Person, place: Place) -> bool:
        return self.is_in_chat(place) and (not self.operators or person.id in self.operators)
