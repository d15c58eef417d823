"""The bot of the settings, and what it needs of them."""

import socket
from dataclasses import replace

from telemetry.alerts.channels.telegram import Bot
from telemetry.alerts.telegram_updates.operator_bot import BotContext, OperatorBot
from telemetry.environment.alert_channels import TELEGRAM
from telemetry.processes.registry import ProcessRegistry
from telemetry.settings import TelemetrySettings


def configured_bot(settings: TelemetrySettings) -> Bot | None:
    """The Telegram bot that sends; None if it is not configured, or `ALERT_CHANNELS` does not have it."""
    if TELEGRAM not in settings.named_channels or settings.telegram_token is None or settings.manager_chat_id is None:
        return None
    return Bot(
        settings.telegram_token, settings.manager_chat_id, settings.telegram_thread_id, settings.telegram_api_url
    )


def operator_bot(settings: TelemetrySettings, registry: ProcessRegistry, context: BotContext) -> OperatorBot | None:
    """None without Telegram, and where alerts or the bot's commands are switched off."""
    bot = configured_bot(settings)
    if bot is None or not (settings.telemetry_alerts and settings.telegram_commands):
        return None
    found = replace(
        context,
        holder=registry.lease_holder,
        is_dead=registry.is_dead,
        operators=settings.operator_ids,
        title=f"{settings.service_name} {settings.service_version}, {settings.environment}, on {socket.gethostname()}",
    )
    return OperatorBot(bot, found)
