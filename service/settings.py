"""Settings of the service: the telemetry's, and what the service itself needs to know."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from service import __version__
from telemetry.settings import TelemetrySettings

PRODUCTION = "production"


class Settings(TelemetrySettings):
    """Read in the entry points, passed down; no other module holds an instance of its own."""

    service_name: ClassVar[str] = "sovani"
    service_version: ClassVar[str] = __version__

    host: str = Field("127.0.0.1", min_length=1, description="an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: int = Field(8080, ge=0, le=65535, description="a port from 0 to 65535")
    scheduler: bool = Field(default=True, description="true or false: whether this process runs the scheduled jobs")
    sandbox: bool = Field(default=False, description="true or false")

    telegram_token: SecretStr | None = Field(
        None, min_length=10, description="the token that BotFather gave, such as 123456:ABC-DEF"
    )
    manager_chat_id: str | None = Field(
        None, pattern=r"^(-?[0-9]+|@[A-Za-z0-9_]+)$", description="a chat's number, or @name of a channel"
    )
    telegram_api_url: str = Field(
        "https://api.telegram.org", pattern=r"^https?://", description="a URL that begins with http:// or https://"
    )
    telegram_thread_id: int | None = Field(None, ge=1, description="a whole number: the topic's id in a forum")

    wb_api_token: SecretStr | None = Field(None, min_length=10, description="the seller's API token (a JWT)")
    wb_feedbacks_url: str = Field(
        "https://feedbacks-api.wildberries.ru",
        pattern=r"^https?://",
        description="a URL that begins with http:// or https://",
    )
    wb_statistics_url: str = Field(
        "https://statistics-api.wildberries.ru",
        pattern=r"^https?://",
        description="a URL that begins with http:// or https://",
    )
    ozon_client_id: str | None = Field(None, pattern=r"^[0-9]+$", description="a whole number: the seller's Client-Id")
    ozon_api_key: SecretStr | None = Field(None, min_length=10, description="the seller's Api-Key")
    ozon_api_url: str = Field(
        "https://api-seller.ozon.ru",
        pattern=r"^https?://",
        description="a URL that begins with http:// or https://",
    )
    openai_api_key: SecretStr | None = Field(None, min_length=10, description="an API key of OpenAI")
    openai_base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://",
        description="a URL that begins with http:// or https://",
    )
    openai_model: str | None = Field(None, min_length=1, description="the name of a model")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")

    @model_validator(mode="after")
    def _no_sandbox_in_production(self) -> Self:
        if self.sandbox and self.environment == PRODUCTION:
            raise ValueError("SANDBOX is true, but must be false when ENVIRONMENT is production.")
        return self
