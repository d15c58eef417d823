"""The settings of the channels of alerts: which there are, who is notified next, and what each channel needs."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from telemetry.environment import apprise_package
from telemetry.environment.alert_channels import (
    DEFAULT,
    REQUIRED,
    TELEGRAM,
    WEBHOOK,
    ChannelLevel,
    parse_channels,
    parse_names,
)
from telemetry.environment.checked_values import duration, web_address
from telemetry.environment.proxies import is_loopback
from telemetry.environment.telegram_settings import TelegramSettings

_WEB: Final = r"^https?://[^\s/]+"
_URL: Final = "a URL that begins with http:// or https://"
_ADDRESS: Final = re.compile(r"[^@\s<>,;:\"()\[\]\\]{1,64}@[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
_SEPARATOR: Final = re.compile(r"[\s,]+(?=[a-z][a-z0-9+.-]*://)|\s+")


def _mail_addresses(text: str) -> str:
    if not all(_ADDRESS.fullmatch(each) and each.isascii() for each in map(str.strip, text.split(","))):
        raise ValueError("not addresses")
    return text


def _mail_address(text: str) -> str:
    if "," in text:
        raise ValueError("more than one address")
    return _mail_addresses(text)


def _topic(topic: SecretStr) -> SecretStr:
    if not _TOPIC.fullmatch(topic.get_secret_value()):
        raise ValueError("not a topic")
    return topic


def _apprise_urls(urls: SecretStr) -> SecretStr:
    if not all("://" in each for each in split_urls(urls)):
        raise ValueError("not URLs")
    return urls


def split_urls(urls: SecretStr) -> list[str]:
    """The URLs of `ALERT_APPRISE_URLS`, which white space or commas separate."""
    return [each for each in _SEPARATOR.split(urls.get_secret_value().strip()) if each]


class ChannelSettings(TelegramSettings):
    """What the channels of alerts need to know. `alert_escalate_after` is in seconds."""

    alert_channels: Annotated[tuple[ChannelLevel, ...], NoDecode, BeforeValidator(parse_channels)] = Field(
        default=DEFAULT,
        description=f"names with a level, such as telegram:warning,pagerduty:error; names: {', '.join(REQUIRED)}; levels: info, warning, error, critical",
    )
    alert_escalation: Annotated[tuple[str, ...], NoDecode, BeforeValidator(parse_names)] = Field(
        default=(), description="names of channels in the order of the escalation, such as slack,pagerduty"
    )
    alert_escalate_after: Annotated[float, BeforeValidator(duration)] | None = Field(
        default=None, description="a duration from 1s to 7d, such as 15m or 1h30m"
    )
    pagerduty_routing_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        max_length=32,
        description="the integration key of an Events API v2 integration: 32 characters",
    )
    pagerduty_api_url: str = Field(default="https://events.pagerduty.com", pattern=_WEB, description=_URL)
    jsm_api_key: SecretStr | None = Field(
        default=None, min_length=10, description="the API key of an API integration in Jira Service Management"
    )
    jsm_api_url: str = Field(default="https://api.atlassian.com", pattern=_WEB, description=_URL)
    grafana_irm_url: Annotated[SecretStr, AfterValidator(web_address)] | None = Field(
        default=None, description="the URL of a formatted webhook of Grafana IRM"
    )
    incident_io_url: str | None = Field(
        default=None,
        pattern=_WEB + r"/.*alert_events/http/[^/?#\s]+$",
        description="the URL of an HTTP alert source, such as https://api.incident.io/v2/alert_events/http/SOURCE",
    )
    incident_io_token: SecretStr | None = Field(
        default=None, min_length=8, description="the token of the HTTP alert source"
    )
    ntfy_url: str = Field(default="https://ntfy.sh", pattern=_WEB, description=f"{_URL}: the server")
    ntfy_topic: Annotated[SecretStr, AfterValidator(_topic)] | None = Field(
        default=None, description="1 to 64 letters, digits, - and _"
    )
    ntfy_token: SecretStr | None = Field(default=None, min_length=8, description="an access token of ntfy")
    slack_bot_token: SecretStr | None = Field(
        default=None, min_length=10, description="a bot token of Slack, such as xoxb-…, with the scope chat:write"
    )
    slack_channel_id: str | None = Field(
        default=None, pattern=r"^[CGD][A-Z0-9]{2,20}$", description="the id of a channel, such as C0123456789"
    )
    slack_api_url: str = Field(default="https://slack.com/api", pattern=_WEB, description=_URL)
    smtp_host: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.:-]+$", description="the name of a mail server")
    smtp_port: int | None = Field(
        default=None, ge=1, le=65535, description="a port from 1 to 65535; without it 587, with SMTP_TLS=tls 465"
    )
    smtp_username: str | None = Field(default=None, min_length=1, description="the name to log in with")
    smtp_password: SecretStr | None = Field(default=None, min_length=1, description="the password of SMTP_USERNAME")
    smtp_tls: Literal["starttls", "tls", "off"] = Field(
        default="starttls", description="starttls, tls, or off for a server on this machine"
    )
    email_from: Annotated[str, AfterValidator(_mail_address)] | None = Field(
        default=None, description="an address without a name, such as alerts@shop.example"
    )
    email_to: Annotated[str, AfterValidator(_mail_addresses)] | None = Field(
        default=None, description="addresses without names, with commas between them"
    )
    alertmanager_url: str | None = Field(
        default=None, pattern=_WEB, description=f"{_URL}, such as http://alertmanager:9093"
    )
    alert_apprise_urls: Annotated[SecretStr, AfterValidator(_apprise_urls)] | None = Field(
        default=None, description="URLs of Apprise, with commas or spaces between them"
    )

    @property
    def named_channels(self) -> tuple[str, ...]:
        """The channels that alerts may go to: first, or by escalation."""
        return tuple(dict.fromkeys([*(channel.name for channel in self.alert_channels), *self.alert_escalation]))

    @property
    def sends_each_alert_to_telegram(self) -> bool:
        """Whether alerts go to Telegram at once, and not by escalation alone."""
        return any(channel.name == TELEGRAM for channel in self.alert_channels)

    @property
    def escalates_to_webhook(self) -> bool:
        """Whether the webhook gets escalated alerts alone. It is the fallback of Telegram otherwise."""
        is_named = any(channel.name == WEBHOOK for channel in self.alert_channels)
        return WEBHOOK in self.alert_escalation and not is_named

    def channel_urls(self) -> list[str]:
        """The addresses that the named channels call by HTTP."""
        urls = {
            "pagerduty": self.pagerduty_api_url,
            "jsm": self.jsm_api_url,
            "grafana_irm": self.grafana_irm_url.get_secret_value() if self.grafana_irm_url else None,
            "incident_io": self.incident_io_url,
            "ntfy": self.ntfy_url,
            "slack": self.slack_api_url,
            "alertmanager": self.alertmanager_url,
        }
        return [url for name in self.named_channels if (url := urls.get(name))]

    @model_validator(mode="after")
    def _channels_are_configured(self) -> Self:
        """Each named channel has its variables. Telegram alone may be without them: alerts are then kept."""
        named = self.alert_escalation if self.alert_channels == DEFAULT else self.named_channels
        for name in named:
            variable = "ALERT_ESCALATION" if name in self.alert_escalation else "ALERT_CHANNELS"
            unset = [each for each in REQUIRED[name] if getattr(self, each.lower()) is None]
            if unset:
                raise ValueError(f"{variable} names {name}, which needs {' and '.join(unset)}.")
            if name == "apprise":
                _require_apprise(variable, split_urls(self.alert_apprise_urls or SecretStr("")))
        return self

    @model_validator(mode="after")
    def _escalation_is_complete(self) -> Self:
        if self.alert_escalation and self.alert_escalate_after is None:
            raise ValueError("ALERT_ESCALATION is set, which needs ALERT_ESCALATE_AFTER: a duration such as 15m.")
        if self.alert_escalate_after is not None and not self.alert_escalation:
            raise ValueError("ALERT_ESCALATE_AFTER is set, which needs ALERT_ESCALATION: names of channels.")
        at_once = {channel.name for channel in self.alert_channels if channel.level != "CRITICAL"}
        if self.alert_escalation and at_once.issuperset(self.alert_escalation):
            names = " and ".join(self.alert_escalation)
            raise ValueError(
                f"ALERT_ESCALATION names {names} alone, but must name another channel: ALERT_CHANNELS sends each error there at once."
            )
        return self

    @model_validator(mode="after")
    def _mail_is_private(self) -> Self:
        if self.smtp_tls == "off" and self.smtp_host and not is_loopback(self.smtp_host):
            raise ValueError("SMTP_TLS is off, but must be starttls or tls, since SMTP_HOST is not this machine.")
        if (self.smtp_username is None) != (self.smtp_password is None):
            missing, given = ("PASSWORD", "USERNAME") if self.smtp_username else ("USERNAME", "PASSWORD")
            raise ValueError(f"SMTP_{given} is set, which needs SMTP_{missing}.")
        return self


def _require_apprise(variable: str, urls: list[str]) -> None:
    if not apprise_package.is_installed():
        raise ValueError(f"{variable} names apprise, which needs a package: pip install apprise.")
    services = apprise_package.services_of(urls)
    if None in services:
        place = services.index(None) + 1
        raise ValueError(f"ALERT_APPRISE_URLS has at place {place} a URL that Apprise does not know.")


def without_channels() -> dict[str, object]:
    """The values with which alerts go to no channel but Telegram, whatever the environment has."""
    fields = ChannelSettings.model_fields
    return {name: fields[name].default for name in fields.keys() - TelegramSettings.model_fields.keys()}
