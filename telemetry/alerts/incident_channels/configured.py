"""The incident channels that the settings name."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from telemetry.alerts.alert import AlertLevel
from telemetry.alerts.incident_channels.alertmanager import Alertmanager
from telemetry.alerts.incident_channels.http_incident_channel import HttpIncidentChannel
from telemetry.alerts.incident_channels.incident_channel import IncidentChannel
from telemetry.alerts.incident_channels.pagerduty import PagerDuty
from telemetry.alerts.incident_channels.slack import Slack
from telemetry.settings import TelemetrySettings


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
    source = f"{settings.service_name}@{_instance()}"
    return HttpIncidentChannel(PagerDuty(_secret(settings.pagerduty_routing_key), source, settings.pagerduty_api_url))


def _slack(settings: TelemetrySettings) -> IncidentChannel:
    token, channel = _secret(settings.slack_bot_token), _text(settings.slack_channel_id)
    return HttpIncidentChannel(Slack(token, channel, settings.slack_api_url))


def _alertmanager(settings: TelemetrySettings) -> IncidentChannel:
    url = _text(settings.alertmanager_url)
    return HttpIncidentChannel(Alertmanager(url, settings.service_name, _instance()))


_CHANNELS: Final[Mapping[str, Callable[[TelemetrySettings], IncidentChannel]]] = {
    "pagerduty": _pagerduty,
    "slack": _slack,
    "alertmanager": _alertmanager,
}


def _instance() -> str:
    return socket.gethostname() or "unknown"


def _secret(value: SecretStr | None) -> SecretStr:
    return value or SecretStr("")  # the settings have checked that it is there


def _text(value: str | None) -> str:
    return value or ""
