"""The incident channels that the settings name."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.alertmanager import Alertmanager
from telemetry.alerts.incident_channels.apprise_channel import AppriseChannel
from telemetry.alerts.incident_channels.email_channel import EmailChannel, MailServer
from telemetry.alerts.incident_channels.grafana_irm import GrafanaIrm
from telemetry.alerts.incident_channels.http_incident_channel import HttpIncidentChannel
from telemetry.alerts.incident_channels.incident_channel import IncidentChannel
from telemetry.alerts.incident_channels.incident_io import IncidentIo
from telemetry.alerts.incident_channels.jira_service_management import JiraServiceManagement
from telemetry.alerts.incident_channels.ntfy import Ntfy
from telemetry.alerts.incident_channels.pagerduty import PagerDuty
from telemetry.alerts.incident_channels.slack import Slack
from telemetry.environment.channel_settings import split_urls
from telemetry.settings import TelemetrySettings

_SUBMISSION_PORT: Final = 587
_TLS_PORT: Final = 465


@dataclass(frozen=True, slots=True)
class ConfiguredChannel:
    """`lowest` is the lowest level of the alerts that go there. To one of `escalation_only` they go when nobody acknowledges them."""

    name: str
    lowest: AlertLevel
    channel: IncidentChannel
    escalation_only: bool = False


def configured_incident_channels(settings: TelemetrySettings) -> Sequence[ConfiguredChannel]:
    """Each channel of `ALERT_CHANNELS` and `ALERT_ESCALATION` but Telegram and the webhook, in that order."""
    levels = {channel.name: AlertLevel(channel.level) for channel in settings.alert_channels}
    return [
        ConfiguredChannel(name, levels.get(name, AlertLevel.ERROR), _CHANNELS[name](settings), name not in levels)
        for name in settings.named_channels
        if name in _CHANNELS
    ]


def _pagerduty(settings: TelemetrySettings) -> IncidentChannel:
    key = _secret(settings.pagerduty_routing_key)
    return HttpIncidentChannel(PagerDuty(key, _source(settings), settings.pagerduty_api_url))


def _jsm(settings: TelemetrySettings) -> IncidentChannel:
    key = _secret(settings.jsm_api_key)
    return HttpIncidentChannel(JiraServiceManagement(key, _source(settings), settings.jsm_api_url))


def _grafana_irm(settings: TelemetrySettings) -> IncidentChannel:
    return HttpIncidentChannel(GrafanaIrm(_secret(settings.grafana_irm_url)))


def _incident_io(settings: TelemetrySettings) -> IncidentChannel:
    return HttpIncidentChannel(IncidentIo(_text(settings.incident_io_url), _secret(settings.incident_io_token)))


def _ntfy(settings: TelemetrySettings) -> IncidentChannel:
    return HttpIncidentChannel(Ntfy(settings.ntfy_url, _secret(settings.ntfy_topic), settings.ntfy_token))


def _slack(settings: TelemetrySettings) -> IncidentChannel:
    token, channel = _secret(settings.slack_bot_token), _text(settings.slack_channel_id)
    return HttpIncidentChannel(Slack(token, channel, settings.slack_api_url))


def _email(settings: TelemetrySettings) -> IncidentChannel:
    default_port = _TLS_PORT if settings.smtp_tls == "tls" else _SUBMISSION_PORT
    server = MailServer(
        _text(settings.smtp_host),
        settings.smtp_port or default_port,
        settings.smtp_tls,
        settings.smtp_username,
        settings.smtp_password,
    )
    recipients = tuple(map(str.strip, _text(settings.email_to).split(",")))
    return EmailChannel(server, _text(settings.email_from), recipients)


def _apprise(settings: TelemetrySettings) -> IncidentChannel:
    return AppriseChannel(split_urls(_secret(settings.alert_apprise_urls)))


def _alertmanager(settings: TelemetrySettings) -> IncidentChannel:
    url = _text(settings.alertmanager_url)
    return HttpIncidentChannel(Alertmanager(url, settings.service_name, _instance()))


_CHANNELS: Final[Mapping[str, Callable[[TelemetrySettings], IncidentChannel]]] = {
    "pagerduty": _pagerduty,
    "jsm": _jsm,
    "grafana_irm": _grafana_irm,
    "incident_io": _incident_io,
    "ntfy": _ntfy,
    "slack": _slack,
    "email": _email,
    "alertmanager": _alertmanager,
    "apprise": _apprise,
}


def _source(settings: TelemetrySettings) -> str:
    return f"{settings.service_name}@{_instance()}"


def _instance() -> str:
    return socket.gethostname() or "unknown"


def _secret(value: SecretStr | None) -> SecretStr:
    return value or SecretStr("")  # the settings have checked that it is there


def _text(value: str | None) -> str:
    return value or ""
