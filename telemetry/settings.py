"""The settings of the telemetry: read once from the environment, frozen, passed down."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict
from sqlalchemy.engine import URL, make_url

from telemetry.environment.channel_settings import ChannelSettings
from telemetry.environment.checked_values import SAMPLERS, sampler, user_ids, validated_database_url, web_address
from telemetry.environment.env_file import read_env_file
from telemetry.environment.errors import SettingsError
from telemetry.environment.misspelling import misspelled, misspelled_among_foreign
from telemetry.environment.otel_variables import VARIABLES
from telemetry.environment.prepared_statements import without_prepared_statements
from telemetry.environment.proxies import proxy_for
from telemetry.environment.runbook import Runbook, checked_url
from telemetry.environment.sdk_import import PROPAGATORS, adopt_propagators
from telemetry.redaction.shown_settings import hide_environment, hide_secrets, redact_start_error, shown_value
from telemetry.redaction.wrong_variables import check_opentelemetry, lines_of_opentelemetry

__all__ = ["SettingsError", "SettingsT", "TelemetrySettings", "validated_database_url"]

ENV_FILE: Final = Path(".env")
JOBS_COMPONENT: Final = "jobs"
PRODUCTION: Final = "production"
_OF_OPENTELEMETRY: Final = frozenset({"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"})
_OF_OTHERS: Final = frozenset({"MAIL_FROM", "MAIL_TO"})
"""Usual variables of other programs, which are no misspelling of ours."""


Percent = Annotated[int, Field(ge=1, le=100)]


class TelemetrySettings(ChannelSettings):
    """What the telemetry needs to know. A field's description says what its variable may be.

    A service subclasses this for variables of its own, and to say what is constant about it.

    Attributes:
        service_name: also the beginning of the names of its log file and of its database backups.
        jobs_component: the component of alerts about jobs.
        rerouted_loggers: libraries whose own handlers are removed, so that their lines go where all others go.
        verbose_loggers: libraries that are heard from WARNING on, unless `LOG_LEVEL` is DEBUG.
        runbook_path: of the runbook in the service's repository, which alerts name without `RUNBOOK_URL`; empty if there is none.
        runs_jobs_on_request: an operator may run a job again from the alert about it: the service adds the bot's command for that.
        owns_environment: misspelled variables are refused in the whole environment, not only in `.env`.
    """

    service_name: ClassVar[str] = "app"
    service_version: ClassVar[str] = "unknown"
    jobs_component: ClassVar[str] = JOBS_COMPONENT
    rerouted_loggers: ClassVar[tuple[str, ...]] = ()
    verbose_loggers: ClassVar[tuple[str, ...]] = ()
    runbook_path: ClassVar[str] = ""

    owns_environment: ClassVar[bool] = False
    runs_jobs_on_request: ClassVar[bool] = False

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        str_strip_whitespace=True,  # a secret from a file often ends with a newline
    )

    database_url: Annotated[str, AfterValidator(validated_database_url)] = Field(
        default="sqlite:///var/app.db",
        repr=False,
        description="a database URL such as sqlite:///var/app.db or postgresql+psycopg://user:password@host/name",
    )
    database_prepared_statements: bool = Field(
        default=True, description="true or false: false behind a pooler in transaction mode, such as PgBouncer"
    )
    data_dir: Path = Field(default=Path("var"), description="a directory for spools, sockets and backups")
    log_dir: Path = Field(default=Path("var/log"), description="a directory for log files")
    environment: str = Field(
        default="development",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="a short word such as development or production",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="one of DEBUG, INFO, WARNING, ERROR, CRITICAL"
    )
    enable_json_logging: bool = Field(default=False, description="true or false")
    alert_threshold_disk: Percent = Field(default=90, description="a whole percentage from 1 to 100")
    alert_threshold_memory: Percent = Field(default=90, description="a whole percentage from 1 to 100")
    alert_threshold_job_failures: int = Field(default=3, ge=1, description="a whole number from 1: failures in a row")
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
    alert_webhook_url: Annotated[SecretStr, AfterValidator(web_address)] | None = Field(
        default=None, description="a URL that begins with http:// or https://, and takes JSON"
    )
    trace_url_template: str | None = Field(
        default=None, pattern=r"^https?://.*\{trace_id\}", description="a URL with {trace_id} in it"
    )
    runbook_url: Annotated[str, AfterValidator(checked_url)] | None = Field(
        default=None,
        description="a URL that begins with http:// or https://, without spaces, credentials and #, of at most 300 characters",
    )
    ops_token: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="a secret of at least 8 characters; without it the operations API is open",
    )
    job_runs_keep_days: int = Field(default=90, ge=1, le=36500, description="a whole number of days from 1")
    telemetry_group: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        description="a short word that names the processes that are one page of /metrics, where they cannot be found",
    )
    telemetry_jobs: bool = Field(
        default=True, description="true or false: whether runs of jobs are recorded in job_runs"
    )
    telemetry_alerts: bool = Field(default=True, description="true or false: whether errors become alerts")
    telemetry_logs: bool = Field(
        default=True, description="true or false: whether the telemetry sets up the console and the log files"
    )
    telemetry_console: bool = Field(
        default=True, description="true or false: whether the console has its pages, and what they show is remembered"
    )
    metrics_names: Literal["service", "otel"] = Field(default="service", description="service or otel")
    otel_traces_sampler: Annotated[str, AfterValidator(sampler)] = Field(
        default="parentbased_traceidratio", description=f"one of {', '.join(sorted(SAMPLERS))}"
    )
    otel_traces_sampler_arg: float = Field(default=1.0, ge=0, le=1, description="a share from 0 to 1")

    @cached_property
    def url(self) -> URL:
        """The database's URL; it hides its password when it is printed."""
        url = make_url(self.database_url)
        return url if self.database_prepared_statements else without_prepared_statements(url)

    @property
    def operator_ids(self) -> frozenset[int]:
        """Those of `TELEGRAM_OPERATORS`; empty if everybody in the chat may use the bot."""
        return frozenset(map(int, (self.telegram_operators or "").replace(",", " ").split()))

    @property
    def runbook(self) -> Runbook:
        """What alerts link to."""
        return Runbook(self.runbook_url or self.runbook_path)

    @model_validator(mode="before")
    @classmethod
    def _upper_level(cls, values: dict[str, object]) -> dict[str, object]:
        if isinstance(level := values.get("log_level"), str):
            values["log_level"] = level.strip().upper()
        return values

    @model_validator(mode="before")
    @classmethod
    def _trace_a_share_in_production(cls, values: dict[str, object]) -> dict[str, object]:
        if str(values.get("environment", "")).strip() == PRODUCTION:
            values.setdefault("otel_traces_sampler_arg", 0.1)
        return values

    @classmethod
    def read(cls) -> Self:
        """Read the environment, and `.env` for what it does not say.

        `.env` goes into the process's environment, so that the OpenTelemetry SDK finds its own variables there too.

        Raises:
            SettingsError: a variable has a value that it may not have, a name is misspelled, `.env` cannot be parsed, or the
                proxy of an external service cannot be used.
        """
        file = read_env_file(ENV_FILE)
        cls._check_names(file)
        added = {name: value for name, value in file.items() if name not in os.environ}
        os.environ.update(added)
        settings = cls._checked()
        if added.get(PROPAGATORS):
            adopt_propagators(VARIABLES[PROPAGATORS].normalize(added[PROPAGATORS].strip()))
        hide_secrets(settings)
        for url in settings.called_urls():
            proxy_for(url)
        return settings

    @classmethod
    def _checked(cls) -> Self:
        """The settings of the environment, if they and the variables of OpenTelemetry are right."""
        try:
            settings = cls()
        except ValidationError as error:
            hide_environment()
            lines = [*(_line(cls, wrong) for wrong in error.errors()), *lines_of_opentelemetry()]
            raise SettingsError("\n".join(lines)) from None
        check_opentelemetry()
        return settings

    def called_urls(self) -> list[str]:
        """The URLs of the external services that are configured."""
        webhook = [self.alert_webhook_url.get_secret_value()] if self.alert_webhook_url else []
        telegram = [self.telegram_api_url] if self.telegram_token else []
        return [*telegram, *webhook, *self.channel_urls()]

    @classmethod
    def _check_names(cls, file: Mapping[str, str]) -> None:
        known = _OF_OPENTELEMETRY.union(_OF_OTHERS, (name.upper() for name in cls.model_fields))
        found = dict(misspelled(file, known))
        if cls.owns_environment:
            both = [name for name, value in (*os.environ.items(), *file.items()) if value]
            found = dict(misspelled_among_foreign(both, known)) | found
        if found:
            raise SettingsError("\n".join(f"{name} is unknown: did you mean {meant}?" for name, meant in found.items()))


SettingsT = TypeVar("SettingsT", bound=TelemetrySettings)


def _line(settings: type[TelemetrySettings], wrong: ErrorDetails) -> str:
    if not wrong["loc"]:
        return redact_start_error(str(wrong["ctx"]["error"]) if "ctx" in wrong else wrong["msg"])
    name = str(wrong["loc"][0]).lower()
    reason = str(wrong.get("ctx", {}).get("error", ""))
    if reason.startswith(f"{name.upper()} "):  # a whole line
        return redact_start_error(reason)
    field = settings.model_fields[name]
    value = "(hidden)" if "SecretStr" in str(field.annotation) else shown_value(str(wrong["input"]))
    return f"{name.upper()} is {value}, but must be {field.description}."
