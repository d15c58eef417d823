"""The settings of the service: those of the telemetry, and its own."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationError, model_validator

from service import __version__
from service.names import OPENAI, OZON, SCHEDULER_COMPONENT, TELEGRAM, WB
from service.sandbox import credentials
from service.sandbox.faults import Faults
from telemetry.environment.channel_settings import without_channels
from telemetry.settings import TelemetrySettings, validated_database_url

PRODUCTION: Final = "production"
SANDBOX_HOST: Final = "127.0.0.1"
_SANDBOX_PORT: Final = 8081
_BOOL: Final = TypeAdapter(bool)
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST_NAME: Final = re.compile(
    r"\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]"
)


def _host_names(text: str) -> str:
    if not all(_HOST_NAME.fullmatch(name) for name in _split(text)):
        raise ValueError("not a list of host names")
    return text


def _split(text: str) -> list[str]:
    return [name for name in map(str.strip, text.split(",")) if name]


def _faults(text: str) -> str:
    Faults.parse(text)
    return text


REQUIRED_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    WB: ("WB_API_TOKEN",),
    OZON: ("OZON_CLIENT_ID", "OZON_API_KEY"),
    OPENAI: ("OPENAI_API_KEY", "OPENAI_MODEL"),
    TELEGRAM: ("TELEGRAM_TOKEN", "MANAGER_CHAT_ID"),
}
"""The external services, each with what it cannot be called without."""


class Settings(TelemetrySettings):
    """Read in the entry points, passed down; no other module holds an instance of its own."""

    service_name: ClassVar[str] = "sovani"
    service_version: ClassVar[str] = __version__
    jobs_component: ClassVar[str] = SCHEDULER_COMPONENT
    rerouted_loggers: ClassVar[tuple[str, ...]] = ("alembic", "alembic.runtime.migration")
    verbose_loggers: ClassVar[tuple[str, ...]] = ("alembic", "uvicorn", "uvicorn.error", "uvicorn.access")
    runbook_path: ClassVar[str] = "docs/how-to/runbook.md"
    owns_environment: ClassVar[bool] = True
    runs_jobs_on_request: ClassVar[bool] = True

    database_url: Annotated[str, AfterValidator(validated_database_url)] = Field(
        "sqlite:///var/sovani.db",
        repr=False,
        description="a database URL such as sqlite:///var/sovani.db or postgresql+psycopg://user:password@host/name",
    )
    host: str = Field("127.0.0.1", min_length=1, description="an address to listen on, such as 127.0.0.1 or 0.0.0.0")
    port: int = Field(8080, ge=0, le=65535, description="a port from 0 to 65535")
    allowed_hosts: Annotated[str, AfterValidator(_host_names)] | None = Field(
        None,
        description="names of hosts without scheme and port, with commas between them, such as shop.example,*.shop.example",
    )
    scheduler: bool = Field(default=True, description="true or false: whether this process runs the scheduled jobs")
    job_grace_seconds: int = Field(
        20,
        ge=0,
        le=3600,
        description="a whole number of seconds: the time that running jobs get when the service stops",
    )
    sandbox: bool = Field(default=False, description="true or false")
    sandbox_port: int = Field(_SANDBOX_PORT, ge=1, le=65535, description="a port from 1 to 65535, another than PORT")
    sandbox_seed: int = Field(1, description="a whole number: the same one gives the same simulated data")
    sandbox_faults: Annotated[str, AfterValidator(_faults)] = Field(
        "0", description="a share from 0 to 1 of all calls, or kinds of faults such as 429=0.05,5xx=0.05,timeout=0.02"
    )

    wb_api_token: SecretStr | None = Field(None, min_length=10, description="the seller's API token (a JWT)")
    wb_client_secret: SecretStr | None = Field(
        None, min_length=10, description="the client secret of a Base token, which has higher limits with it"
    )
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
    openai_model: str | None = Field(None, min_length=1, max_length=100, description="the name of a model")
    openai_max_output_tokens: int = Field(
        4000, ge=50, le=100_000, description="a whole number of tokens from 50: what one answer may cost at the most"
    )
    openai_reasoning_effort: ReasoningEffort | None = Field(
        None, description="none, minimal, low, medium, high, xhigh or max"
    )

    def unconfigured(self) -> dict[str, list[str]]:
        """The external services that cannot be called, each with those of its variables that are not set."""
        unset = {
            service: [variable for variable in variables if getattr(self, variable.lower()) is None]
            for service, variables in REQUIRED_VARIABLES.items()
        }
        return {service: variables for service, variables in unset.items() if variables}

    def called_urls(self) -> list[str]:
        urls = {
            WB: (self.wb_feedbacks_url, self.wb_statistics_url),
            OZON: (self.ozon_api_url,),
            OPENAI: (self.openai_base_url,),
        }
        unconfigured = self.unconfigured()
        own = [url for service, several in urls.items() if service not in unconfigured for url in several]
        return [*super().called_urls(), *own]

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the API."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")

    @property
    def host_names(self) -> list[str]:
        """Those of `ALLOWED_HOSTS`."""
        return _split(self.allowed_hosts or "")

    @property
    def own_names(self) -> list[str]:
        """The names that the service answers to: those of `ALLOWED_HOSTS`, those of loopback, and the address it listens on."""
        address = f"[{self.host}]" if ":" in self.host else self.host
        return [*self.host_names, *LOOPBACK_NAMES, address]

    @property
    def exposure_warning(self) -> str:
        """What is logged when anybody who reaches the service can read its metrics, jobs and alerts; else empty."""
        if self.environment != PRODUCTION or self.ops_token is not None:
            return ""
        return "ENVIRONMENT is production and OPS_TOKEN is not set: anyone who reaches this service can read its metrics, jobs and alerts."

    @property
    def sandbox_url(self) -> str:
        return f"http://{SANDBOX_HOST}:{self.sandbox_port}"

    @model_validator(mode="before")
    @classmethod
    def _in_sandbox(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Replace all real addresses and secrets in the sandbox, so that none of them can be used."""
        return values | sandbox_values(values) if _means_true(values.get("sandbox")) else values

    @model_validator(mode="after")
    def _no_sandbox_in_production(self) -> Self:
        if self.sandbox and self.environment == f"{PRODUCTION}{_SUFFIX}":
            raise ValueError("SANDBOX is true, but must be false when ENVIRONMENT is production.")
        if self.sandbox and self.sandbox_port == self.port:
            raise ValueError(f"SANDBOX_PORT is {self.sandbox_port}, but must be another than PORT.")
        return self


_SUFFIX: Final = "-sandbox"


def _means_true(value: object) -> bool:
    try:
        return _BOOL.validate_python(value)
    except ValidationError:  # the field's own validation reports it
        return False


def sandbox_values(values: dict[str, Any]) -> dict[str, Any]:
    """The addresses and credentials of the sandbox, and an environment that marks every signal as simulated."""
    url = f"http://{SANDBOX_HOST}:{values.get('sandbox_port') or _SANDBOX_PORT}"
    environment = str(values.get("environment") or "development").removesuffix(_SUFFIX)
    return {
        "environment": f"{environment}{_SUFFIX}",
        "wb_api_token": credentials.wb_token(),
        "wb_client_secret": None,
        "wb_feedbacks_url": f"{url}/wb-feedbacks",
        "wb_statistics_url": f"{url}/wb-statistics",
        "ozon_client_id": credentials.OZON_CLIENT_ID,
        "ozon_api_key": credentials.OZON_API_KEY,
        "ozon_api_url": f"{url}/ozon",
        "openai_api_key": credentials.OPENAI_API_KEY,
        "openai_base_url": f"{url}/openai/v1",
        "openai_model": credentials.OPENAI_MODEL,
        "telegram_token": credentials.TELEGRAM_TOKEN,
        "manager_chat_id": credentials.TELEGRAM_CHAT_ID,
        "telegram_api_url": f"{url}/telegram",
        "telegram_thread_id": None,
        "telegram_operators": credentials.TELEGRAM_OPERATORS,
        "alert_webhook_url": None,
        **without_channels(),
    }
