"""The people who use the sandbox's phone: two operators, and a stranger, who is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.sandbox.credentials import TELEGRAM_OPERATORS


@dataclass(frozen=True, slots=True)
class TelegramUser:
    """A user of Telegram."""

    id: int
    first_name: str
    username: str

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "is_bot": False, "first_name": self.first_name, "username": self.username}


_OLGA, _PETR = map(int, TELEGRAM_OPERATORS.split(","))
_STRANGER: Final = 7000000099
PEOPLE: Final[Mapping[int, TelegramUser]] = {
    each.id: each
    for each in (
        TelegramUser(_OLGA, "Olga", "olga_shop"),
        TelegramUser(_PETR, "Petr", "petr_shop"),
        TelegramUser(_STRANGER, "Stranger", "stranger"),
    )
}
