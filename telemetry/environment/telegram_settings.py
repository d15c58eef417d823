"""The settings of Telegram: the bot, the chat, and who may answer alerts there."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from telemetry.environment.checked_values import user_ids


class TelegramSettings(BaseSettings):
    """What the bot needs to know."""

    telegram_token: SecretStr | None = Field(
        default=None, min_length=10, description="the token that BotFather gave, such as 123456:ABC-DEF"
    )
    manager_chat_id: str | None = Field(
        default=None, pattern=r"^(-?[0-9]+|@[A-Za-z0-9_]+)$", description="a chat's number, or @name of a channel"
    )
    telegram_api_url: str = Field(
        default="https://api.telegram.org",
        pattern=r"^https?://",
        description="a URL that begins with http:// or https://",
    )
    telegram_thread_id: int | None = Field(default=None, ge=1, description="a whole number: the topic's id in a forum")
    telegram_commands: bool = Field(
        default=True, description="true or false: whether the bot has buttons and commands, and this service reads them"
    )
    telegram_operators: Annotated[str, AfterValidator(user_ids)] | None = Field(
        default=None,
        description="numbers of Telegram users with commas between them, such as 123456789,987654321: who may use the bot",
    )

    @property
    def operator_ids(self) -> frozenset[int]:
        """Those of `TELEGRAM_OPERATORS`; empty if everybody in the chat may use the bot."""
        return frozenset(map(int, (self.telegram_operators or "").replace(",", " ").split()))
