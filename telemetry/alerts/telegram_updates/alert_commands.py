"""The commands that every service has: /status, /alerts, /silences and /help. They read the outbox of this machine."""

from collections.abc import Callable, Sequence
from typing import Final

from telemetry.alerts.outbox.queries import AlertQueries, AlertRecord
from telemetry.alerts.outbox.silences import Silences
from telemetry.alerts.rendering.markup import cut, one_line
from telemetry.alerts.telegram_updates.phone_command import PhoneCommand, PhoneCommands
from telemetry.durations import format_clock, format_length, format_timestamp

_MAX_LISTED: Final = 10
_MAX_READ: Final = 200
_MAX_LINE: Final = 200


class AlertCommands:
    """`title` is the first line of /status. `channels` are the names of the configured ones."""

    def __init__(
        self,
        queries: AlertQueries,
        silences: Silences,
        clock: Callable[[], float],
        title: str = "",
        channels: Sequence[str] = (),
    ) -> None:
        self._queries = queries
        self._silences = silences
        self._clock = clock
        self._title = title
        self._channels = channels

    def commands(self, known: PhoneCommands) -> list[PhoneCommand]:
        """`known` is what /help lists."""
        return [
            PhoneCommand(
                "status", "what is firing, and whether the channels work", lambda _argument, _by: self.status()
            ),
            PhoneCommand("alerts", "the alerts that have not ended", lambda _argument, _by: self._alerts()),
            PhoneCommand("silences", "what is silenced, until when and why", lambda _argument, _by: self._silenced()),
            PhoneCommand("help", "this list", lambda _argument, _by: known.help()),
        ]

    def status(self) -> str:
        now = self._clock()
        counts = self._queries.counts(now)
        states = {each.name: each for each in self._queries.channels()}
        channels = [
            f"{name}: {states[name].condition(now).replace('_', ' ') if name in states else 'ok'}"
            for name in self._channels
        ]
        waiting = f"{counts.pending} pending, {counts.silenced} silenced, {counts.inhibited} inhibited"
        return "\n".join(
            [
                *([self._title] if self._title else []),
                f"Time: {format_timestamp(now)}",
                f"Alerts: {counts.firing} firing, {waiting}",
                f"Channels: {', '.join(channels) or 'none'}",
            ]
        )

    def _alerts(self) -> str:
        now = self._clock()
        found = [each for each in self._queries.page(now, limit=_MAX_READ) if each.incident.is_open]
        more = [f"… and {len(found) - _MAX_LISTED} more: GET /alerts"] if len(found) > _MAX_LISTED else []
        return "\n".join([*(_line(each, now) for each in found[:_MAX_LISTED]), *more]) or "No alert is open."

    def _silenced(self) -> str:
        now = self._clock()
        lines = [
            cut(
                f"{one_line(each.component)} until {format_clock(each.until, now)} UTC: {one_line(each.reason)}",
                _MAX_LINE,
            )
            for each in self._silences.active(now)
        ]
        return "\n".join(lines[:_MAX_LISTED]) or "Nothing is silenced."


def _line(record: AlertRecord, now: float) -> str:
    incident = record.incident
    text = one_line(f"{incident.component}: {incident.error or incident.summary}")
    since = format_length(max(0.0, now - incident.first_at))
    acknowledged = f", acknowledged by {incident.acknowledged_by}" if incident.acknowledged_by else ""
    return (
        f"{incident.level.emoji} {cut(text, _MAX_LINE)} ×{incident.count:,}, for {since} ({record.state}{acknowledged})"
    )
