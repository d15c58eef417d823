"""The channels of alerts that the environment names, each with its lowest level, and the variables that each of them needs."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

TELEGRAM: Final = "telegram"
WEBHOOK: Final = "webhook"
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    TELEGRAM: ("TELEGRAM_TOKEN", "MANAGER_CHAT_ID"),
    WEBHOOK: ("ALERT_WEBHOOK_URL",),
    "pagerduty": ("PAGERDUTY_ROUTING_KEY",),
    "jsm": ("JSM_API_KEY",),
    "grafana_irm": ("GRAFANA_IRM_URL",),
    "incident_io": ("INCIDENT_IO_URL", "INCIDENT_IO_TOKEN"),
    "ntfy": ("NTFY_TOPIC",),
    "slack": ("SLACK_BOT_TOKEN", "SLACK_CHANNEL_ID"),
    "email": ("SMTP_HOST", "EMAIL_FROM", "EMAIL_TO"),
    "alertmanager": ("ALERTMANAGER_URL",),
    "apprise": ("ALERT_APPRISE_URLS",),
}
"""The names of all channels, each with the variables without which it cannot send."""
LEVELS: Final = ("INFO", "WARNING", "ERROR", "CRITICAL")
_CHAIN: Final = frozenset({TELEGRAM, WEBHOOK})
"""Telegram and its fallback: one chain, which sends every alert to the first of the two that works."""
_CHAIN_LEVEL: Final = "WARNING"
_WORD: Final = re.compile(r"[A-Za-z]{0,12}(_[A-Za-z]{1,12})?")


class ChannelLevel(NamedTuple):
    """A channel, and the lowest level of the alerts that go there."""

    name: str
    level: str

    def __str__(self) -> str:
        return f"{self.name}:{self.level.lower()}"


DEFAULT: Final = (ChannelLevel(TELEGRAM, _CHAIN_LEVEL),)


def parse_channels(value: object) -> object:
    """`ALERT_CHANNELS`: `telegram:warning,pagerduty:error`.

    Raises:
        ValueError: a name or a level is unknown, or a name is there twice; the message names it.
    """
    if not isinstance(value, str):
        return value
    found = tuple(_channel(part) for part in _parts(value))
    _require_distinct("ALERT_CHANNELS", [channel.name for channel in found])
    return found


def parse_names(value: object) -> object:
    """`ALERT_ESCALATION`: names of channels, the first step first.

    Raises:
        ValueError: a name is unknown, or there twice; the message names it.
    """
    if not isinstance(value, str):
        return value
    names = tuple(_parts(value))
    for name in names:
        _require_known("ALERT_ESCALATION", name)
    _require_distinct("ALERT_ESCALATION", names)
    return names


def _channel(text: str) -> ChannelLevel:
    name, colon, level = (part.strip() for part in text.partition(":"))
    _require_known("ALERT_CHANNELS", name)
    if level.upper() not in LEVELS:
        what = f"the level {_shown(level)}" if colon else "no level"
        raise ValueError(f"ALERT_CHANNELS has {what} for {name}, but must have info, warning, error or critical.")
    if name in _CHAIN and level.upper() != _CHAIN_LEVEL:
        raise ValueError(f"ALERT_CHANNELS has {name}:{level.lower()}, but the level of {name} must be warning.")
    return ChannelLevel(name, level.upper())


def _require_known(variable: str, name: str) -> None:
    if name not in REQUIRED:
        raise ValueError(f"{variable} names {_shown(name)}, but a channel is one of {', '.join(REQUIRED)}.")


def _require_distinct(variable: str, names: list[str] | tuple[str, ...]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{variable} names {name} twice.")


def _parts(text: str) -> Iterator[str]:
    return filter(None, map(str.strip, text.split(",")))


def _shown(text: str) -> str:
    """The text if it is a word, and no secret in the wrong variable."""
    return repr(text) if _WORD.fullmatch(text) else "(hidden)"
