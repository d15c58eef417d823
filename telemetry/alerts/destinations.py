"""Where alerts go, as the settings say: the bot, the channels, the order of an escalation, and the links of a message."""

from telemetry.alerts.channels.channel import Channel
from telemetry.alerts.channels.telegram import Telegram
from telemetry.alerts.channels.webhook import Webhook
from telemetry.alerts.incident_channels.configured import ConfiguredChannel, configured_incident_channels
from telemetry.alerts.incident_channels.incident_channel import IncidentChannel
from telemetry.alerts.incident_delivery.escalated_telegram import EscalatedTelegram
from telemetry.alerts.incident_delivery.escalated_webhook import EscalatedWebhook
from telemetry.alerts.incident_delivery.escalations import LOWEST_ESCALATED
from telemetry.alerts.incident_delivery.incident_routing import IncidentRouting
from telemetry.alerts.rendering.message import Links
from telemetry.alerts.telegram_updates.configured_bot import configured_bot
from telemetry.settings import TelemetrySettings


def configured_channels(settings: TelemetrySettings) -> list[Channel]:
    """Telegram, if `ALERT_CHANNELS` has it, and the webhook, which is its fallback unless only `ALERT_ESCALATION` names it."""
    found: list[Channel] = []
    if settings.sends_each_alert_to_telegram and (bot := configured_bot(settings)):
        found.append(Telegram(bot))
    if not settings.escalates_to_webhook and (webhook := _webhook(settings)):
        found.append(webhook)
    return found


def _webhook(settings: TelemetrySettings) -> Webhook | None:
    url = settings.alert_webhook_url
    return None if url is None else Webhook(url, runbook=settings.runbook)


def incident_routing(settings: TelemetrySettings, *, has_chain: bool) -> IncidentRouting:
    """The channels that keep incidents, and who is notified when nobody acknowledges: Telegram and the webhook as well, if only that."""
    targets = list(configured_incident_channels(settings))
    if not settings.sends_each_alert_to_telegram and (bot := configured_bot(settings)):
        targets.append(_escalated(EscalatedTelegram(bot, message_links(settings, has_buttons=False))))
    if settings.escalates_to_webhook and (webhook := _webhook(settings)):
        targets.append(_escalated(EscalatedWebhook(webhook)))
    return IncidentRouting(targets, has_chain, settings.alert_escalation, settings.alert_escalate_after)


def _escalated(channel: IncidentChannel) -> ConfiguredChannel:
    return ConfiguredChannel(channel.name, LOWEST_ESCALATED, channel, escalation_only=True)


def message_links(settings: TelemetrySettings, *, has_buttons: bool) -> Links:
    """What a message links to, and which buttons it has."""
    template, runs_jobs = settings.trace_url_template or "", settings.runs_jobs_on_request
    return Links(template, settings.runbook, has_buttons=has_buttons, runs_jobs=runs_jobs)
